"""The controllers of Flux and Argo CD and the definitions of their kinds, for `make gitops-test`.

Each suite comes from pinned modules, is built once, in one module of ours so that what its programs share is compiled
once, and is kept in the cache folder. ORDERSAGA_FLUX and ORDERSAGA_ARGOCD name folders that are used as they are.

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
class Suite:
    """Programs that are built together."""

    name: str
    modules: tuple[GoModule, ...]
    definitions: str
    """Where each module has the definitions of its kinds: a pattern."""
    replaced: dict[str, str] = field(default_factory=dict)
    """What the modules' own go.mod files replace, and by which version: that counts in the main module only, ours."""
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
SUITES = {suite.name: suite for suite in (FLUX,)}


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
        for module in suite.modules:
            for file in gotools.fetch(job, module, environment).glob(suite.definitions):
                shutil.copyfile(file, made / DEFINITIONS / file.name)
        required = (f"require {module.path} {module.version}" for module in suite.modules)
        replaced = (f"replace {path} => {path} {version}" for path, version in suite.replaced.items())
        (source / "go.mod").write_text("\n".join((f"module {suite.name}", "go 1.26", *required, *replaced, "")))
        job.run(
            [
                *(gobuild.go(job), "build", *gotools.FLAGS, "-mod=mod", "-o", f"{made}/"),
                *(module.path for module in suite.modules),
            ],
            failure=f"{suite.name} could not be built",
            env=environment,
            cwd=source,
            on_line=lambda line: setattr(job, "doing", line if line.startswith("go: ") else f"compiling {line}"),
        )
        target.parent.mkdir(parents=True, exist_ok=True)
        made.rename(target)


if __name__ == "__main__":
    try:
        for name in sys.argv[1:]:
            find(SUITES[name])
    except StackError as error:
        sys.exit(str(error))
