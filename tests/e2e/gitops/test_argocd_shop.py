"""What commits do to the shop itself, by real Argo CD: the definition, the smoke order, the participants."""

import json
from collections.abc import Iterator

import pytest
import yaml

from common.wire import Json
from dev.stack.waiting import wait_until
from tests.e2e.gitops import participants
from tests.e2e.gitops.argocd import NAMESPACE, PATIENCE, short
from tests.e2e.gitops.conftest import DEFINITION, ORDERS, SHOP, ArgoSite
from tests.e2e.gitops.flux import TEST_SECONDS
from tests.e2e.gitops.repository import ORDERS as FOLDER
from tests.e2e.gitops.test_argocd import follow
from tests.e2e.system import Stack
from tests.e2e.test_orders_in_git import ledgers, manifest
from tests.e2e.workloads import BROKEN

pytestmark = pytest.mark.timeout(TEST_SECONDS)

ROOT = "ordersaga"
APPS = "manifests/gitops/argocd/apps"
CHART = "helm/Chart.yaml"
SHOP_FILE, SMOKE = f"{APPS}/2-shop.yaml", "manifests/gitops/smoke"
PARTICIPANTS = "ordersaga-participants"


@pytest.fixture
def again(argo: ArgoSite, argo_shop: Stack) -> Iterator[ArgoSite]:
    """The site with its shop at work; afterwards Git has what is shipped, and the cluster too."""
    argo_shop.start()
    before = argo.repository.head
    yield argo
    argo_shop.start()
    argo.repository.back_to(before)
    for name in (ROOT, DEFINITION, SHOP):
        argo.argocd.until(name, commit=argo.repository.head)
    argo.argocd.refresh(ORDERS)
    follow(argo, argo.repository.head)


def uids(site: ArgoSite, *words: str) -> list[str]:
    """Of these objects, as far as they are there."""
    found = site.plane.kubectl("get", *words, "--ignore-not-found", "-o", "json").stdout
    loaded: Json = json.loads(found or '{"items": []}')
    return [each["metadata"]["uid"] for each in loaded.get("items", [loaded])]


def test_definition_and_orders_outlive_a_sync_that_prunes_and_the_deletion_of_their_application(
    again: ArgoSite,
) -> None:
    definitions = ("crd", "ordersagas.ordersaga.io", "participants.ordersaga.io")
    there = uids(again, *definitions), uids(again, "ordersagas", "--all-namespaces")
    assert all(there)
    files = {f"crds/{name}.yaml": None for name in ("ordersaga", "participant")}
    revision = again.repository.commit("No definition", {**files, "crds/README.md": "Nothing\n"})
    again.argocd.until(DEFINITION, commit=revision)
    again.argocd.argocd("app", "sync", DEFINITION, "--prune")
    assert there == (uids(again, *definitions), uids(again, "ordersagas", "--all-namespaces"))

    application = ("application.argoproj.io", DEFINITION, "--namespace", NAMESPACE)
    (before,) = uids(again, *application)
    again.argocd.argocd("app", "delete", DEFINITION, "--cascade", "--yes")
    again.argocd.refresh(ROOT)
    made_anew = lambda: uids(again, *application) not in ([], [before])  # noqa: E731
    wait_until("Argo CD has made the Application anew", made_anew, PATIENCE)
    assert there == (uids(again, *definitions), uids(again, "ordersagas", "--all-namespaces"))


def operator(site: ArgoSite) -> Json:
    """The operator's Deployment."""
    words = ("get", "deployment", "ordersaga-operator", "--namespace", "e-commerce-saga", "-o", "json")
    found: Json = json.loads(site.plane.kubectl(*words).stdout)
    return found


def with_order(site: ArgoSite, order: Json) -> dict[str, str | None]:
    """The files of a commit that adds this order to those that are shipped."""
    name, kustomization = f"{order['metadata']['name']}.yaml", f"{FOLDER}/kustomization.yaml"
    listed: Json = yaml.safe_load(site.repository.read(kustomization))
    listed["resources"].append(name)
    return {f"{FOLDER}/{name}": yaml.safe_dump(order), kustomization: yaml.safe_dump(listed)}


def test_a_commit_to_the_chart_upgrades_the_shop_and_one_that_breaks_it_holds_up_no_order(
    again: ArgoSite, argo_shop: Stack
) -> None:
    repository, argocd = again.repository, again.argocd
    chart, version = repository.read(CHART), "\nappVersion: 0.1.0"
    assert version in chart
    argocd.until(SHOP, commit=repository.commit("A release", {CHART: chart.replace(version, "\nappVersion: 0.1.1")}))
    released = operator(again)
    assert released["metadata"]["labels"]["app.kubernetes.io/version"] == "0.1.1"

    before = repository.read(SHOP_FILE)
    shop: Json = yaml.safe_load(before)
    shop["spec"]["source"]["helm"]["valuesObject"]["operator"] = {"image": {"repository": BROKEN}}
    revision = repository.commit("An image that isn't there", {SHOP_FILE: yaml.safe_dump(shop)})
    argocd.refresh(ROOT)
    argocd.until(SHOP, commit=revision, health="Progressing")
    order_id = argo_shop.new_id("argo-beside")
    argocd.until(ORDERS, commit=repository.commit("An order", with_order(again, manifest(order_id))))
    argo_shop.assert_books({order_id: "Completed"})

    revision = repository.commit("As it was", {SHOP_FILE: before})
    argocd.refresh(ROOT)
    waits = argocd.get(ROOT)["status"]["operationState"]
    assert (waits["phase"], "waiting for healthy state" in waits["message"]) == ("Running", True)
    argocd.argocd("app", "terminate-op", ROOT)
    argocd.until(SHOP, commit=revision)
    assert operator(again)["spec"]["template"] == released["spec"]["template"]


def retries(site: ArgoSite, application: str) -> bool:
    """Whether its synchronisation has failed, and is tried again or has been given up."""
    operation = site.argocd.get(application)["status"].get("operationState") or {}
    return operation.get("phase") == "Failed" or "Retrying" in operation.get("message", "")


def test_a_value_that_the_chart_refuses_is_mended_by_the_next_commit(again: ArgoSite) -> None:
    repository, argocd = again.repository, again.argocd
    before = repository.read(SHOP_FILE)
    shop: Json = yaml.safe_load(before)
    shop["spec"]["source"]["helm"]["valuesObject"]["operatr"] = {"replicas": 2}
    repository.commit("A misspelt value", {SHOP_FILE: yaml.safe_dump(shop)})
    argocd.refresh(ROOT)
    wait_until("the app of apps says that it has failed", lambda: retries(again, ROOT), PATIENCE)
    revision = repository.commit("As it was", {SHOP_FILE: before})
    argocd.until(ROOT, commit=revision)
    argocd.until(SHOP, commit=revision)


def with_smoke_order(site: ArgoSite) -> str:
    """The shop's Application with the smoke order as its second source, as manifests/gitops/smoke says."""
    shop: Json = yaml.safe_load(site.repository.read(SHOP_FILE))
    source: Json = shop["spec"].pop("source")
    smoke = {"path": SMOKE, **{key: source[key] for key in ("repoURL", "targetRevision")}}
    shop["spec"]["sources"] = [source, smoke]
    return yaml.safe_dump(shop)


def until_followed(site: ArgoSite, revision: str) -> None:
    """Wait until the shop is compared with this commit. A hook alone is no difference that would be synchronised."""
    last: Json = {}

    def compared() -> bool:
        nonlocal last
        last = site.argocd.get(SHOP)["status"]
        return revision in (last["sync"].get("revisions") or [])

    site.argocd.refresh(ROOT)
    site.argocd.refresh(SHOP)
    wait_until(lambda: f"{SHOP} is compared with {revision}: {short(last)}", compared, PATIENCE)


def test_a_smoke_order_is_placed_again_after_each_synchronisation_and_fails_one_that_it_fails_in(
    again: ArgoSite, argo_shop: Stack
) -> None:
    repository = again.repository
    until_followed(again, repository.commit("A smoke order", {SHOP_FILE: with_smoke_order(again)}))
    uids_seen = set()
    for _ in range(2):
        again.argocd.argocd("app", "sync", SHOP)
        order = argo_shop.resource("o-smoke")
        uids_seen.add(order["metadata"]["uid"])
        assert order["status"]["phase"] == "Completed"
    assert len(uids_seen) == 2
    assert ledgers(argo_shop, "o-smoke")["payment"] == {"charge": 1}

    file = f"{SMOKE}/o-smoke.yaml"
    declined = repository.read(file).replace("o-smoke", "o-smoke-declined").replace("test-ok", "test-declined")
    until_followed(again, repository.commit("One that is declined", {file: declined}))
    again.argocd.argocd("app", "sync", SHOP, "--async")
    wait_until("the synchronisation fails", lambda: retries(again, SHOP), PATIENCE)
    again.argocd.argocd("app", "terminate-op", SHOP)
    argo_shop.assert_books({"o-smoke": "Completed", "o-smoke-declined": "Compensated"})


def test_a_commit_pauses_a_participant_and_another_one_lets_the_orders_go_on(again: ArgoSite, argo_shop: Stack) -> None:
    repository, argocd = again.repository, again.argocd
    before = participants.spec(argo_shop)
    found: Json = yaml.safe_load(repository.read(f"{APPS}/3-orders.yaml"))
    found["metadata"] = {"name": PARTICIPANTS, "namespace": NAMESPACE}
    found["spec"]["source"]["path"] = participants.FOLDER
    del found["spec"]["ignoreDifferences"]
    repository.commit("Participants", {f"{APPS}/4-participants.yaml": yaml.safe_dump(found)})
    argocd.refresh(ROOT)
    argocd.until(PARTICIPANTS, commit=repository.head)
    assert participants.spec(argo_shop) == {**before, **participants.IN_GIT}

    argocd.until(PARTICIPANTS, commit=repository.commit("Maintenance", participants.paused(repository)))
    order_id = argo_shop.new_id("argo-paused")
    argo_shop.kubectl("apply", "-f", "-", manifest=manifest(order_id))
    participants.until_held_up(argo_shop, order_id, PATIENCE)
    argocd.until(PARTICIPANTS, commit=repository.revert())
    argo_shop.until_finished(order_id)
    argo_shop.assert_books({order_id: "Completed"})

    revision = repository.commit("No participant", participants.removed(repository))
    argocd.until(PARTICIPANTS, commit=revision, sync="OutOfSync")
    argocd.argocd("app", "sync", PARTICIPANTS, "--prune")
    participants.until_back(argo_shop, before, PATIENCE)
