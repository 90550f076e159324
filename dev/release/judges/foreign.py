"""Schemas of other projects' kinds that our manifests use: their own resource definitions, out of pinned Go modules.

Nothing of them is kept in this repository: they come by Go's module proxy when manifests are verified, and only as the
sums here say.
"""

from collections.abc import Iterator
from pathlib import Path

import yaml

from common.wire import Json
from dev.release.judges import gotools
from dev.release.judges.gotools import GoModule
from dev.setup import gobuild
from dev.setup.jobs import Job, run_all
from dev.setup.paths import cache

# The files of each module that hold definitions we use.
DEFINITIONS = {
    GoModule(
        "github.com/prometheus-operator/prometheus-operator",
        "v0.85.0",
        "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
    ): (
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ),
    GoModule(
        "github.com/openshift/api",
        "v0.0.0-20240906151052-5d963dce87aa",
        "h1:RMI6Xa+l8KriyoxsRO/swMDPyCwrxJNA9H67K0Jod/w=",
    ): (
        "route/v1/route.crd.yaml",
        "console/v1/0000_10_consolelink.crd.yaml",
        "console/v1/0000_10_consolequickstart.crd.yaml",
        "console/v1/0000_10_consoleyamlsample.crd.yaml",
    ),
    GoModule("github.com/argoproj/argo-cd/v3", "v3.2.0", "h1:m2eGAV+nXQGgzZbH5SyJD5laaPW27mzWXBrgisUHY/0="): (
        "manifests/crds/application-crd.yaml",
    ),
    GoModule(
        "github.com/argoproj-labs/argocd-operator", "v0.15.0", "h1:7zSjRchKUBCGBpz4v1pJ/Igmgn5blXorTxW0Ch9hWZ0="
    ): ("config/crd/bases/argoproj.io_argocds.yaml",),
    GoModule("github.com/fluxcd/source-controller", "v1.7.0", "h1:/fBgS4CSmT5Jj/fjQDF92y+pC3gst1GJjgNSzY8Ff9I="): (
        "config/crd/bases/source.toolkit.fluxcd.io_gitrepositories.yaml",
    ),
    GoModule("github.com/fluxcd/kustomize-controller", "v1.7.3", "h1:SzNnGn/4ObAPEHHleM5U7y/AKxKXph3Vj6ZhteeXw8M="): (
        "config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml",
    ),
    GoModule("github.com/fluxcd/helm-controller", "v1.4.0", "h1:rkm8rmB6Na7eNc4pJOnvtXEaJ19iKluRtayHKjBxcUM="): (
        "config/crd/bases/helm.toolkit.fluxcd.io_helmreleases.yaml",
    ),
    GoModule("github.com/operator-framework/api", "v0.31.0", "h1:tRsFTuZ51xD8U5QgiPo3+mZgVipHZVgRXYrI6RRXOh8="): (
        "crds/operators.coreos.com_clusterserviceversions.yaml",
        "crds/operators.coreos.com_catalogsources.yaml",
        "crds/operators.coreos.com_operatorgroups.yaml",
        "crds/operators.coreos.com_subscriptions.yaml",
    ),
}


def schemas() -> Iterator[tuple[Json, Json]]:
    """{kind, group, version} and the schema of each kind. Raises StackError when a module can't be downloaded."""
    folders: dict[GoModule, Path] = {}

    def fetch(job: Job) -> None:
        environment = gobuild.environment(cache())
        folders.update({module: gotools.fetch(job, module, environment) for module in DEFINITIONS})

    run_all([Job("other projects' definitions", "20 seconds, once", fetch)])
    for module, files in DEFINITIONS.items():
        for file in files:
            spec = yaml.safe_load((folders[module] / file).read_text())["spec"]
            for version in spec["versions"]:
                kind = {"kind": spec["names"]["kind"], "group": spec["group"], "version": version["name"]}
                yield kind, version["schema"]["openAPIV3Schema"]
