"""The controllers of Flux, Argo CD and OLM and the definitions of their kinds, for `make gitops-test` and its like.

Each suite comes from pinned modules, is built once, in one module of ours so that what its programs share is compiled
once, and is kept in the cache folder. ORDERSAGA_FLUX, ORDERSAGA_ARGOCD and ORDERSAGA_OLM name folders that are used as
they are.

    python -m dev.release.judges.controllers flux       build it if need be
"""

import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

from dev.release.judges import gotools
from dev.release.judges.gotools import GoModule
from dev.setup import binaries, downloads, gobuild
from dev.setup.errors import StackError
from dev.setup.jobs import Job, run_all

DEFINITIONS = "crds"
"""The folder beside the programs with the definitions of their kinds."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of one file of a module's sources, where upstream has no setting for it."""

    module: str
    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Suite:
    """Programs that are built together."""

    name: str
    modules: tuple[GoModule, ...]
    definitions: str
    """Where each module has the definitions of its kinds: a pattern."""
    replaced: dict[str, str] = field(default_factory=dict)
    """What the modules' own go.mod files replace, and by which version: that counts in the main module only, ours."""
    main: str = ""
    """A main.go of ours, if its programs are to be one: what it does depends on the name that it is run by."""
    names: tuple[str, ...] = ()
    """The names that such a program is run by, beside the suite's own."""
    packages: tuple[str, ...] = ()
    """The programs' packages, where the modules themselves are none."""
    tags: str = ""
    edits: tuple[Edit, ...] = ()
    usually: str = "10 to 20 minutes, once (2 cores)"


# Flux 2.7. Each module is a program.
FLUX = Suite(
    "flux",
    (
        GoModule("github.com/fluxcd/source-controller", "v1.7.3", "h1:gFfeBiNUgF0kFFGap/rrMeJqz+0Tod0ARENJO8w/UA8="),
        GoModule("github.com/fluxcd/kustomize-controller", "v1.7.3", "h1:SzNnGn/4ObAPEHHleM5U7y/AKxKXph3Vj6ZhteeXw8M="),
        GoModule("github.com/fluxcd/helm-controller", "v1.4.3", "h1:449LcGJXLCylvrNCq8ycevwa5mxE1Mn9vxTwlsj/no8="),
    ),
    "config/crd/bases/*.yaml",
    {
        "github.com/opencontainers/go-digest": "v1.0.1-0.20231025023718-d50d2fec9c98",
        "gopkg.in/yaml.v3": "v3.0.1",
        "sigs.k8s.io/kustomize/api": "v0.20.1",
        "sigs.k8s.io/kustomize/kyaml": "v0.20.1",
    },
)
_ARGOCD = "github.com/argoproj/argo-cd"
# As upstream's own main.go, without the programs that nothing here needs.
ARGOCD_MAIN = f"""\
package main

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	controller "{_ARGOCD}/v3/cmd/argocd-application-controller/commands"
	reposerver "{_ARGOCD}/v3/cmd/argocd-repo-server/commands"
	server "{_ARGOCD}/v3/cmd/argocd-server/commands"
	cli "{_ARGOCD}/v3/cmd/argocd/commands"
)

func main() {{
	programs := map[string]func() *cobra.Command{{
		"argocd-application-controller": controller.NewCommand,
		"argocd-repo-server":            reposerver.NewCommand,
		"argocd-server":                 server.NewCommand,
		"argocd":                        cli.NewCommand,
	}}
	if programs[filepath.Base(os.Args[0])]().Execute() != nil {{
		os.Exit(1)
	}}
}}
"""
KUBERNETES = (
    *("api", "apiextensions-apiserver", "apimachinery", "apiserver", "cli-runtime", "client-go", "cloud-provider"),
    *("cluster-bootstrap", "code-generator", "component-base", "component-helpers", "controller-manager", "cri-api"),
    *("cri-client", "cri-streaming", "csi-translation-lib", "dynamic-resource-allocation", "endpointslice"),
    *("externaljwt", "kms", "kube-aggregator", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubectl"),
    *("kubelet", "metrics", "mount-utils", "pod-security-admission", "sample-apiserver", "sample-cli-plugin"),
    "sample-controller",
)
# Argo CD 3.5: what syncs, what renders, what serves its API, and the command for that.
ARGOCD = Suite(
    "argocd",
    (GoModule(f"{_ARGOCD}/v3", "v3.5.0", "h1:iqnPFSKaQ0l3hREMH2Rk55VDcxrvBFaSO0g9bifZKzc="),),
    "manifests/crds/*-crd.yaml",
    {
        # Upstream has the engine in its own repository, which only counts there: the same commits as a module.
        f"{_ARGOCD}/gitops-engine": "v0.0.0-20260914071520-c9c369efcc5b",
        "github.com/golang/protobuf": "v1.5.4",
        "github.com/grpc-ecosystem/grpc-gateway": "v1.16.0",
        "golang.org/x/tools": "v0.35.0",
        "gopkg.in/yaml.v2": "v2.4.0",
        **{f"k8s.io/{name}": "v0.36.1" for name in KUBERNETES},
    },
    ARGOCD_MAIN,
    ("argocd-application-controller", "argocd-repo-server", "argocd-server"),
)
_LIFECYCLE, _REGISTRY = (f"github.com/operator-framework/operator-{name}" for name in ("lifecycle-manager", "registry"))
# The classic Operator Lifecycle Manager 0.38: olm (olm-operator), catalog (catalog-operator), and opm, which makes
# catalogs and serves them; cpb is for its job that unpacks bundles' images, on a cluster with nodes. They would listen
# at all addresses of the machine, the first two at one port.
OLM = Suite(
    "olm",
    (
        GoModule(_LIFECYCLE, "v0.38.0", "h1:X/aXZq/yby3LWIKrK7K4hUv0RK8Wo33wOgKnCH3nTMg="),
        GoModule(_REGISTRY, "v1.61.0", "h1:LgX6lP5hUHfpMTMygsnySc7PKxibzqIoqWUm6NPWl2M="),
    ),
    "deploy/chart/crds/*.yaml",
    packages=(*(f"{_LIFECYCLE}/{name}" for name in ("cmd/olm", "cmd/catalog", "util/cpb")), f"{_REGISTRY}/cmd/opm"),
    tags="containers_image_openpgp",
    edits=(
        Edit(_LIFECYCLE, "pkg/lib/server/server.go", '":8080"', '"127.0.0.1:0"'),
        Edit(_REGISTRY, "cmd/opm/serve/serve.go", '":"+s.port', 'os.Getenv("OPM_HOST")+":"+s.port'),
    ),
)
SUITES = {suite.name: suite for suite in (FLUX, ARGOCD, OLM)}


def find(suite: Suite) -> Path:
    """The folder with the programs and their definitions, built if need be. Raises StackError."""
    if configured := os.environ.get(binaries.setting(suite.name)):
        return Path(configured)
    versions = "-".join(module.version for module in suite.modules)
    target = binaries.cache_folder(f"{suite.name}-{versions}")
    if not target.exists():
        run_all([Job(suite.name, suite.usually, lambda job: _build(job, suite, target))])
    return target


def _build(job: Job, suite: Suite, target: Path) -> None:
    with downloads.workspace() as space:
        environment = gobuild.environment(space)
        made, source = space / "made", space / "source"
        (made / DEFINITIONS).mkdir(parents=True)
        source.mkdir()
        folders = {module.path: gotools.fetch(job, module, environment) for module in suite.modules}
        for folder in folders.values():
            for file in folder.glob(suite.definitions):
                shutil.copyfile(file, made / DEFINITIONS / file.name)
        required = (f"require {module.path} {module.version}" for module in suite.modules)
        replaced = [f"replace {path} => {path} {version}" for path, version in suite.replaced.items()]
        for number, path in enumerate({edit.module: None for edit in suite.edits}):
            copied(suite, path, folders[path], source / f"edited-{number}")
            replaced.append(f"replace {path} => ./edited-{number}")
        (source / "go.mod").write_text("\n".join((f"module {suite.name}", "go 1.26.3", *required, *replaced, "")))
        packages = [*(suite.packages or folders)]
        if suite.main:
            (source / "main.go").write_text(suite.main)
            packages = ["."]
        job.run(
            [
                *(gobuild.go(job), "build", *gotools.FLAGS, "-mod=mod", "-tags", suite.tags),
                *("-o", f"{made}/", *packages),
            ],
            failure=f"{suite.name} could not be built",
            env=environment,
            cwd=source,
            on_line=lambda line: setattr(job, "doing", line if line.startswith("go: ") else f"compiling {line}"),
        )
        for name in suite.names:
            (made / name).symlink_to(suite.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        made.rename(target)


def copied(suite: Suite, module: str, folder: Path, copy: Path) -> None:
    """Copy this module's sources and edit the copy.

    Raises StackError where there is nothing to change, so that no edit goes unnoticed out of date.
    """
    shutil.copytree(folder, copy)
    for edit in (each for each in suite.edits if each.module == module):
        file = copy / edit.file
        text = file.read_text()
        if text.count(edit.old) != 1:
            raise StackError(f"{module}: {edit.file} hasn't {edit.old!r} once")
        file.write_text(text.replace(edit.old, edit.new))


if __name__ == "__main__":
    try:
        for name in sys.argv[1:]:
            find(SUITES[name])
    except StackError as error:
        sys.exit(str(error))
