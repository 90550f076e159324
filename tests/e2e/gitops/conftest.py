"""These tests need the controllers of Flux or Argo CD: only `make gitops-test` and `make argocd-test` run them.

Each has a shop, installed from a Git repository of this checkout's manifests on a control plane of its own. The
chart's pods have no node to run on (nodeless.py): services and operator are the local stack's processes, with the
accounts and rights that the release made.

Pods run in the tests that `make gitops-pods-test` has: they need a cluster with nodes (nodes.py).
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dev.release.judges import controllers
from dev.stack.pytest_plugin import TestControlPlane
from tests.e2e import nodeless
from tests.e2e.gitops.argocd import ArgoCD
from tests.e2e.gitops.flux import Flux
from tests.e2e.gitops.repository import Repository
from tests.e2e.nodeless import NAMESPACE
from tests.e2e.system import Stack
from tests.support.git_server import GitServer

TOOL = os.environ.get("ORDERSAGA_GITOPS_TESTS")
collect_ignore_glob = [f"test_{tool}*.py" for tool in ("flux", "argocd", "pods") if tool != TOOL]
DEFINITION, SHOP, ORDERS = "ordersaga-definition", "ordersaga-shop", "ordersaga-orders"


@dataclass(frozen=True, slots=True)
class Site:
    """A cluster with Flux and an empty shop, and the repository that it follows."""

    plane: TestControlPlane
    flux: Flux
    repository: Repository

    def kubectl(self, *words: str) -> str:
        """In the shop's namespace; what it prints."""
        return self.plane.kubectl("--namespace", NAMESPACE, *words).stdout


@dataclass(frozen=True, slots=True)
class ArgoSite:
    """A cluster with Argo CD, and the repository that it follows."""

    plane: TestControlPlane
    argocd: ArgoCD
    repository: Repository


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[tuple[TestControlPlane, Repository]]:
    """A control plane with nothing on it, and a repository that is served beside it."""
    with nodeless.cluster(folder) as plane, GitServer(folder / "git") as server:
        yield plane, Repository(folder / "git" / "e-commerce-saga", server.url)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    programs = controllers.find(controllers.FLUX)
    folder = tmp_path_factory.mktemp("site")
    with cluster(folder) as (plane, repository), contextlib.ExitStack() as undo:
        flux = Flux(programs, plane.administrator, folder / "flux")
        undo.callback(flux.stop)
        flux.start()
        yield Site(plane, flux, repository)


@pytest.fixture(scope="session")
def installed(site: Site) -> Site:
    """The site with Flux' objects applied by hand, as docs/gitops.md says, and the release ready."""
    site.flux.apply(site.repository.folder / "manifests" / "gitops" / "flux")
    site.flux.until_ready(SHOP, site.flux.fetch(site.repository.head))
    return site


@pytest.fixture(scope="session")
def shop(installed: Site, mongodb_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The shop that Flux has installed, at work."""
    with nodeless.processes(mongodb_url, installed.plane, tmp_path_factory.mktemp("shop"), "gitops_") as stack:
        yield stack


@pytest.fixture(scope="session")
def argo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArgoSite]:
    """The site with the app of apps applied by hand, as docs/gitops.md says, and the shop synced and healthy."""
    programs = controllers.find(controllers.ARGOCD)
    folder = tmp_path_factory.mktemp("argo-site")
    with cluster(folder) as (plane, repository), contextlib.ExitStack() as undo:
        argocd = ArgoCD(programs, plane.administrator, folder / "argocd")
        undo.callback(argocd.stop)
        manifests = repository.folder / "manifests" / "gitops" / "argocd"
        argocd.start(manifests / "argocd-cm.yaml")
        plane.kubectl("apply", "-f", manifests / "root.yaml")
        argocd.until(SHOP, commit=repository.head)
        yield ArgoSite(plane, argocd, repository)


@pytest.fixture(scope="session")
def argo_shop(argo: ArgoSite, mongodb_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The shop that Argo CD has installed, at work."""
    with nodeless.processes(mongodb_url, argo.plane, tmp_path_factory.mktemp("argo-shop"), "argocd_") as stack:
        yield stack
