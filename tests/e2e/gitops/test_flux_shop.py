"""What commits do to the shop itself, by real Flux: upgrades, rollbacks, drift."""

import json
from collections.abc import Iterator

import pytest

from common.wire import Json
from dev.stack.waiting import wait_until
from tests.e2e.gitops.conftest import SHOP, Site
from tests.e2e.gitops.flux import PATIENCE, TEST_SECONDS, condition
from tests.e2e.nodeless import NAMESPACE
from tests.e2e.workloads import BROKEN

pytestmark = pytest.mark.timeout(TEST_SECONDS)

RELEASE = "manifests/gitops/flux/shop/release.yaml"
KUSTOMIZATION = "manifests/gitops/flux/2-shop.yaml"
CHART, VALUES = "helm/Chart.yaml", "helm/values.yaml"


def release(site: Site) -> Json:
    return site.flux.get("helmrelease", NAMESPACE, NAMESPACE)


def deployment(site: Site, name: str = "ordersaga-operator") -> Json:
    found: Json = json.loads(site.kubectl("get", "deployment", name, "-o", "json"))
    return found


def with_values(site: Site, values: str) -> str:
    """The release's manifest with these values more; `timeout`: what waits is told of trouble after ten seconds."""
    text = site.repository.read(RELEASE)
    assert "timeout: 5m" in text
    return text.replace("timeout: 5m", "timeout: 10s") + values


@pytest.fixture
def again(installed: Site) -> Iterator[Site]:
    """The site; afterwards Git has what is shipped, and the cluster too."""
    files = {name: installed.repository.read(name) for name in (RELEASE, CHART, VALUES)}
    yield installed
    commit = installed.repository.commit("As it is shipped", files)
    installed.flux.until_ready(SHOP, installed.flux.fetch(commit))
    installed.flux.until_released(NAMESPACE, commit)


def test_a_commit_to_the_chart_upgrades_the_release(again: Site) -> None:
    before = release(again)["status"]["history"][0]["version"]
    chart = again.repository.read(CHART)
    commit = again.repository.commit(
        "Another version", {CHART: chart.replace("\nappVersion: 0.1.0", "\nappVersion: 0.1.1")}
    )
    again.flux.fetch(commit)
    history = again.flux.until_released(NAMESPACE, commit)["status"]["history"]
    assert history[0]["status"] == "deployed"
    assert history[0]["version"] > before
    assert deployment(again)["metadata"]["labels"]["app.kubernetes.io/version"] == "0.1.1"


def test_a_commit_that_changes_nothing_of_the_shop_replaces_no_pod(again: Site) -> None:
    before = deployment(again)["spec"]["template"]
    commit = again.repository.commit("A note", {"manifests/gitops/note.txt": "Nothing of the shop"})
    again.flux.fetch(commit)
    again.flux.until_released(NAMESPACE, commit)
    assert deployment(again)["spec"]["template"] == before


def test_an_upgrade_whose_pods_do_not_become_ready_is_rolled_back(again: Site) -> None:
    before = deployment(again)["spec"]["template"]
    broken = f"    operator:\n      image: {{repository: {BROKEN}}}\n"
    commit = again.repository.commit("An image that isn't there", {RELEASE: with_values(again, broken)})
    again.flux.fetch(commit)
    found = again.flux.until_released(NAMESPACE, commit, status="False", seconds=3 * PATIENCE)

    def rolled_back() -> bool:
        return condition(release(again)).get("reason") in ("RollbackSucceeded", "UpgradeFailed") and (
            deployment(again)["spec"]["template"] == before
        )

    wait_until("the operator is as it was", rolled_back, 3 * PATIENCE)
    assert found["status"]["history"]


@pytest.fixture
def impatient(again: Site) -> Iterator[None]:
    """The Kustomization of the shop waits for half a minute, which is Flux' least, and not for three."""
    before = again.repository.read(KUSTOMIZATION)
    shorter = before.replace("timeout: 3m", "timeout: 30s").replace("retryInterval: 1m", "retryInterval: 5s")
    assert shorter.count("30s") == shorter.count("5s") == 1
    _apply(again, shorter)
    yield
    _apply(again, before)


def _apply(site: Site, kustomization: str) -> None:
    site.repository.commit("How long Flux waits for the shop", {KUSTOMIZATION: kustomization})
    site.flux.apply(site.repository.folder / KUSTOMIZATION)


@pytest.mark.usefixtures("impatient")
def test_a_value_that_the_chart_refuses_is_mended_by_the_next_commit_also_as_flux_comes(again: Site) -> None:
    before = again.repository.read(RELEASE)
    with again.flux.as_it_comes():
        misspelt = with_values(again, "    operatr: {replicas: 2}\n")
        again.flux.fetch(again.repository.commit("A misspelt value", {RELEASE: misspelt}))
        failed = lambda: condition(release(again)).get("reason") == "UpgradeFailed"  # noqa: E731
        wait_until("the release has failed", failed, PATIENCE)
        commit = again.repository.commit("As it was", {RELEASE: before})
        again.flux.until_ready(SHOP, again.flux.fetch(commit))
        again.flux.until_released(NAMESPACE, commit)


def test_a_revert_is_a_rollback(again: Site) -> None:
    before = deployment(again)["spec"]["template"]
    more = "    operator:\n      podAnnotations: {shop.example.com/note: changed}\n"
    commit = again.repository.commit("Another setting", {RELEASE: with_values(again, more)})
    again.flux.until_ready(SHOP, again.flux.fetch(commit))
    again.flux.until_released(NAMESPACE, commit)
    assert deployment(again)["spec"]["template"] != before
    commit = again.repository.revert()
    again.flux.until_ready(SHOP, again.flux.fetch(commit))
    again.flux.until_released(NAMESPACE, commit)
    assert deployment(again)["spec"]["template"] == before


def test_what_is_changed_by_hand_is_changed_back(installed: Site) -> None:
    before = deployment(installed)["spec"]["replicas"]
    installed.kubectl("scale", "deployment", "ordersaga-operator", "--replicas=0")
    installed.kubectl("delete", "networkpolicy", "ordersaga-operator")
    installed.flux.reconcile("helmrelease", NAMESPACE, NAMESPACE)

    def mended() -> bool:
        policies = installed.kubectl("get", "networkpolicy", "-o", "name")
        return deployment(installed)["spec"]["replicas"] == before and "/ordersaga-operator\n" in policies

    wait_until("both are as they were", mended, PATIENCE)
