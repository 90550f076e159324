"""Real Argo CD installs the shop on a cluster with nodes: pods decide its health, and orders complete in them."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from dev.release.judges import controllers
from dev.stack.waiting import wait_until
from tests.e2e.gitops import nodes
from tests.e2e.gitops.argocd import NAMESPACE, ArgoCD
from tests.e2e.gitops.conftest import DEFINITION, ORDERS, SHOP
from tests.e2e.gitops.flux import TEST_SECONDS, condition
from tests.e2e.gitops.nodes import PATIENCE, Release
from tests.e2e.gitops.repository import Repository
from tests.support.git_server import GitServer

pytestmark = pytest.mark.timeout(TEST_SECONDS)

VALUES = "helm/values.yaml"


@dataclass(frozen=True, slots=True)
class PodSite:
    """A cluster with nodes and Argo CD, and the repository that it follows."""

    argocd: ArgoCD
    repository: Repository
    release: Release


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PodSite]:
    """The shop that Argo CD has installed, with its goods."""
    programs = controllers.find(controllers.ARGOCD)
    folder = tmp_path_factory.mktemp("pods")
    with contextlib.ExitStack() as undo:
        plane = undo.enter_context(nodes.cluster(nodes.SHOP, NAMESPACE))
        server = undo.enter_context(GitServer(folder / "git"))
        repository = Repository(folder / "git" / nodes.SHOP, server.url)
        argocd = ArgoCD(programs, plane.administrator, folder / "argocd")
        undo.callback(argocd.stop)
        manifests = repository.folder / "manifests" / "gitops" / "argocd"
        argocd.start(manifests / "argocd-cm.yaml")
        undo.callback(nodes.leave, plane.administrator, controllers.ARGOCD, "applications.argoproj.io")
        for name in ("1-definition", "2-shop"):
            plane.kubectl("apply", "-f", manifests / "apps" / f"{name}.yaml")
        argocd.until(SHOP, commit=repository.head)
        release = Release()
        release.seed()
        plane.kubectl("apply", "-f", manifests / "root.yaml")
        yield PodSite(argocd, repository, release)


def test_the_shop_is_healthy_when_its_pods_are_and_its_orders_complete_in_them(site: PodSite) -> None:
    for name in (DEFINITION, SHOP, ORDERS, "ordersaga"):
        site.argocd.until(name, commit=site.repository.head)
    pods = site.release.pods()
    assert len(pods) >= 7
    for pod in pods:
        assert condition(pod)["status"] == "True", pod["metadata"]["name"]
    assert site.release.phases() == {"o-git-mug": "Completed", "o-git-posters": "Completed"}


def test_the_shop_that_is_synced_again_replaces_no_pod(site: PodSite) -> None:
    before = {pod["metadata"]["uid"] for pod in site.release.pods()}
    site.argocd.until(SHOP, commit=site.repository.commit("A note", {"manifests/gitops/note.txt": "Nothing"}))
    site.argocd.argocd("app", "sync", SHOP)
    site.argocd.until(SHOP, commit=site.repository.head)
    assert {pod["metadata"]["uid"] for pod in site.release.pods()} == before


def test_the_applications_of_a_shop_go_once_no_order_is_open_and_leave_the_shop(site: PodSite) -> None:
    site.release.place("o-pods-open", state="Suspended")
    site.release.until("o-pods-open", "Suspended")
    delete = ("delete", "application.argoproj.io", "--namespace", NAMESPACE, "--wait=false")
    for name in ("ordersaga", ORDERS, SHOP):
        site.release.kubectl(*delete, name)
    site.release.until_the_hook_names("o-pods-open")
    assert site.argocd.get(SHOP)
    site.release.cancel("o-pods-open")
    wait_until("the Application is gone", lambda: not site.argocd.get(SHOP), PATIENCE)
    site.release.place("o-pods-afterwards")
    site.release.until("o-pods-afterwards", "Completed")
    assert json.loads(site.release.kubectl("get", "jobs", "-o", "json"))["items"] == []
