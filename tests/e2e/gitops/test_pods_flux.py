"""Real Flux installs the shop on a cluster with nodes: pods decide whether it is ready, and orders complete in them."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import yaml

from dev.release.judges import controllers
from dev.stack.waiting import wait_until
from tests.e2e.gitops import nodes
from tests.e2e.gitops.conftest import DEFINITION, ORDERS, SHOP
from tests.e2e.gitops.flux import NAMESPACE, TEST_SECONDS, Flux, condition
from tests.e2e.gitops.nodes import PATIENCE, Release
from tests.e2e.gitops.repository import Repository
from tests.e2e.test_orders_in_git import manifest
from tests.e2e.workloads import BROKEN
from tests.support.git_server import GitServer

pytestmark = pytest.mark.timeout(TEST_SECONDS)

RELEASE = "manifests/gitops/flux/shop/release.yaml"
NAMED = "manifests/gitops/flux/shop/namespace.yaml"
SECOND, SECOND_FILE = "second-shop", "manifests/gitops/flux/shop/second.yaml"
LIST = "manifests/gitops/flux/shop/kustomization.yaml"


@dataclass(frozen=True, slots=True)
class PodSite:
    """A cluster with nodes and Flux, and the repository that it follows."""

    flux: Flux
    repository: Repository
    release: Release


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PodSite]:
    """The shop that Flux has installed, with its goods, and no order yet."""
    programs = controllers.find(controllers.FLUX)
    folder = tmp_path_factory.mktemp("pods")
    with contextlib.ExitStack() as undo:
        plane = undo.enter_context(nodes.cluster(nodes.SHOP, SECOND, NAMESPACE))
        server = undo.enter_context(GitServer(folder / "git"))
        repository = Repository(folder / "git" / nodes.SHOP, server.url)
        flux = Flux(programs, plane.administrator, folder / "flux")
        undo.callback(flux.stop)
        flux.start()
        undo.callback(nodes.leave, plane.administrator, controllers.FLUX, "kustomizations.kustomize.toolkit.fluxcd.io")
        for name in ("source", "1-definition", "2-shop"):
            flux.apply(repository.folder / "manifests" / "gitops" / "flux" / f"{name}.yaml")
        flux.until_ready(SHOP, flux.fetch(repository.head), PATIENCE)
        release = Release()
        release.seed()
        flux.apply(repository.folder / "manifests" / "gitops" / "flux" / "3-orders.yaml")
        yield PodSite(flux, repository, release)


def test_the_release_is_ready_when_its_pods_are(site: PodSite) -> None:
    site.flux.until_ready(DEFINITION, f"main@sha1:{site.repository.head}")
    pods = site.release.pods()
    assert len(pods) >= 7
    for pod in pods:
        assert condition(pod)["status"] == "True", pod["metadata"]["name"]


def test_the_shipped_orders_complete_in_the_pods(site: PodSite) -> None:
    site.flux.until_ready(ORDERS, f"main@sha1:{site.repository.head}", PATIENCE)
    assert site.release.phases() == {"o-git-mug": "Completed", "o-git-posters": "Completed"}


def test_a_commit_that_replaces_the_operators_pod_loses_no_order_on_its_way(site: PodSite) -> None:
    before = site.release.operator()["spec"]["template"]
    slow = manifest("o-pods-slow", payment={"methodRef": "test-processing"})
    site.flux.fetch(site.repository.commit("A slow order", site.repository.orders(slow)))
    site.release.until("o-pods-slow", "Running")
    text = site.repository.read(RELEASE) + "    operator:\n      podAnnotations: {shop.example.com/note: changed}\n"
    commit = site.repository.commit("Another pod", {RELEASE: text})
    site.flux.until_ready(SHOP, site.flux.fetch(commit), PATIENCE)
    site.flux.until_released(nodes.SHOP, commit, seconds=PATIENCE)
    assert site.release.operator()["spec"]["template"] != before
    site.release.until("o-pods-slow", "Completed")


def test_an_upgrade_whose_image_cannot_be_pulled_is_rolled_back_and_the_shop_works_on(site: PodSite) -> None:
    before = site.release.operator()["spec"]["template"]
    broken = yaml.safe_load(site.repository.read(RELEASE))
    broken["spec"]["timeout"] = "20s"
    broken["spec"]["values"].setdefault("operator", {})["image"] = {"repository": BROKEN}
    commit = site.repository.commit("An image that isn't there", {RELEASE: yaml.safe_dump(broken)})
    site.flux.fetch(commit)
    site.flux.until_released(nodes.SHOP, commit, status="False", seconds=PATIENCE)
    wait_until("the operator is as it was", lambda: site.release.operator()["spec"]["template"] == before, PATIENCE)
    site.release.place("o-pods-meanwhile")
    site.release.until("o-pods-meanwhile", "Completed")
    commit = site.repository.revert()
    site.flux.until_ready(SHOP, site.flux.fetch(commit), PATIENCE)
    site.flux.until_released(nodes.SHOP, commit, seconds=PATIENCE)


def test_a_second_shop_comes_and_goes_beside_the_first(site: PodSite) -> None:
    namespace, release = yaml.safe_load(site.repository.read(NAMED)), yaml.safe_load(site.repository.read(RELEASE))
    namespace["metadata"]["name"] = SECOND
    release["metadata"] |= {"name": SECOND, "namespace": SECOND}
    listed = yaml.safe_load(site.repository.read(LIST))
    before = yaml.safe_dump(listed)
    listed["resources"].append("second.yaml")
    files = {SECOND_FILE: yaml.safe_dump_all([namespace, release]), LIST: yaml.safe_dump(listed)}
    commit = site.repository.commit("A second shop", files)
    site.flux.until_ready(SHOP, site.flux.fetch(commit), PATIENCE)
    site.flux.until_released(SECOND, commit, seconds=PATIENCE)
    uids = {pod["metadata"]["uid"] for pod in site.release.pods()}
    site.flux.fetch(site.repository.commit("No second shop", {SECOND_FILE: None, LIST: before}))

    def gone() -> bool:
        left = ("get", "deployments,helmreleases.helm.toolkit.fluxcd.io", "--namespace", SECOND, "-o", "name")
        return not site.release.kubectl(*left).strip()

    wait_until("the second shop is gone", gone, PATIENCE)
    assert {pod["metadata"]["uid"] for pod in site.release.pods()} == uids
    site.release.place("o-pods-beside")
    site.release.until("o-pods-beside", "Completed")


def test_a_release_that_goes_from_git_waits_for_open_orders_and_leaves_the_finished_ones(site: PodSite) -> None:
    site.release.place("o-pods-open", state="Suspended")
    site.release.until("o-pods-open", "Suspended")
    # Flux looks for the release's health as long as this says, and does nothing else with the Kustomization meanwhile.
    soon = ("--type=merge", "-p", '{"spec":{"timeout":"30s"}}')
    site.release.kubectl("patch", "kustomization", SHOP, "--namespace", NAMESPACE, *soon)
    listed = yaml.safe_load(site.repository.read(LIST))
    listed["resources"].remove("release.yaml")
    site.flux.fetch(site.repository.commit("No shop", {LIST: yaml.safe_dump(listed), RELEASE: None}))
    site.release.until_the_hook_names("o-pods-open")
    assert site.release.operator()
    site.release.cancel("o-pods-open")
    site.release.until("o-pods-open", "Compensated")

    def gone() -> bool:
        return not site.release.kubectl("get", "deployments,helmreleases.helm.toolkit.fluxcd.io", "-o", "name").strip()

    wait_until("the shop is gone", gone, 2 * PATIENCE)
    assert site.release.phases()["o-pods-slow"] == "Completed"
