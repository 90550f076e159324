"""Real Argo CD installs the shop from what is shipped, and does to orders what docs/gitops.md says."""

import itertools
from collections.abc import Iterator

import pytest

from common.wire import Json
from dev.stack.waiting import wait_until
from tests.e2e.gitops.argocd import PATIENCE, short
from tests.e2e.gitops.conftest import DEFINITION, ORDERS, SHOP, ArgoSite
from tests.e2e.gitops.flux import TEST_SECONDS
from tests.e2e.system import Stack
from tests.e2e.test_orders_in_git import manifest

pytestmark = pytest.mark.timeout(TEST_SECONDS)
STAYS = "o-argo-stays"


def commit(site: ArgoSite, message: str, *orders: Json) -> str:
    """Commit that there are these orders beside the one that stays; the commit's id."""
    revision = site.repository.commit(message, site.repository.orders(manifest(STAYS), *orders))
    site.argocd.refresh(ORDERS)
    return revision


def hanging(stack: Stack, name: str) -> Json:
    """An order that waits for the shipping service, which is stopped, for as long as a test takes."""
    stack.services["shipping"].stop()
    return manifest(stack.new_id(name), retry={"maxAttempts": 100, "maxBackoffSeconds": 2})


def wait(stack: Stack, order_id: str, condition: str) -> None:
    def seen() -> bool:
        return stack.kubectl("get", "ordersaga", order_id, check=False).returncode == 0

    wait_until(f"{order_id} is there", seen, PATIENCE)
    stack.kubectl("wait", f"--for=jsonpath={condition}", f"--timeout={PATIENCE:.0f}s", f"ordersaga/{order_id}")


def health_of(application: Json, order_id: str) -> Json:
    """What Argo CD says of this one resource."""
    resources = application.get("status", {}).get("resources") or []
    return next((each.get("health") or {} for each in resources if each["name"] == order_id), {})


def until_health(site: ArgoSite, order_id: str, status: str) -> None:
    last: Json = {}

    def said() -> bool:
        nonlocal last
        last = site.argocd.get(ORDERS)
        return health_of(last, order_id).get("status") == status

    wait_until(lambda: f"{order_id} is {status}: {short(last.get('status', {}))}", said, PATIENCE)


def asks(site: ArgoSite, revision: str) -> bool:
    """Whether the synchronisation of this commit waits for a person."""
    operation = site.argocd.get(ORDERS)["status"].get("operationState") or {}
    waits = operation.get("phase") == "Running" and "confirm" in operation.get("message", "")
    return waits and operation["syncResult"]["revision"] == revision


def succeeded(site: ArgoSite, revision: str) -> bool:
    """Whether the last synchronisation was of this commit, and has succeeded."""
    operation = site.argocd.get(ORDERS)["status"]["operationState"]
    return operation["phase"] == "Succeeded" and operation["syncResult"]["revision"] == revision


def is_at(site: ArgoSite, revision: str) -> bool:
    """Whether the orders are those of this commit."""
    state = site.argocd.get(ORDERS)["status"]["sync"]
    return bool(state["status"] == "Synced" and state["revision"] == revision)


def follow(site: ArgoSite, revision: str) -> None:
    """Wait until the orders are those of this commit; a person confirms what has to go."""
    wait_until("the synchronisation is done, or waits", lambda: asks(site, revision) or is_at(site, revision), PATIENCE)
    if asks(site, revision):
        site.argocd.argocd("app", "confirm-deletion", ORDERS)
    site.argocd.until(ORDERS, commit=revision)


@pytest.fixture
def stack(argo_shop: Stack, argo: ArgoSite) -> Iterator[Stack]:
    """The shop, whole; afterwards neither Git nor the cluster has any order but the one that stays."""
    argo_shop.start()
    yield argo_shop
    argo_shop.start()
    follow(argo, commit(argo, "No other orders"))


def test_the_app_of_apps_syncs_and_each_wave_waits_until_the_one_before_is_healthy(
    argo: ArgoSite, stack: Stack
) -> None:
    root = argo.argocd.until("ordersaga", commit=argo.repository.head)
    found = [argo.argocd.until(name, commit=argo.repository.head) for name in (DEFINITION, SHOP, ORDERS)]
    assert root["status"]["operationState"]["phase"] == "Succeeded"
    for before, after in itertools.pairwise(found):
        assert before["status"]["history"][0]["deployedAt"] <= after["metadata"]["creationTimestamp"]
    for name in ("o-git-mug", "o-git-posters"):
        assert stack.resource(name)["status"]["phase"] == "Completed"
    stack.assert_books({"o-git-mug": "Completed", "o-git-posters": "Completed"})


def test_an_order_that_is_committed_completes_and_a_declined_one_is_degraded(argo: ArgoSite, stack: Stack) -> None:
    order_id, declined = stack.new_id("argo-new"), stack.new_id("argo-declined")
    orders = [manifest(order_id), manifest(declined, payment={"methodRef": "test-declined"})]
    revision = commit(argo, "Two orders", *orders)
    found = argo.argocd.until(ORDERS, commit=revision, health="Degraded")
    assert health_of(found, order_id)["status"] == "Healthy"
    assert health_of(found, declined)["message"].startswith("CardDeclined: ")
    stack.assert_books({order_id: "Completed", declined: "Compensated"})


def test_the_buttons_suspend_and_resume_and_git_does_not_take_it_back(argo: ArgoSite, stack: Stack) -> None:
    order, other = hanging(stack, "argo-suspend"), hanging(stack, "argo-next")
    order_id, other_id = order["metadata"]["name"], other["metadata"]["name"]
    commit(argo, "An order", order)
    wait(stack, order_id, "{.status.currentStep}=shipping")
    argo.argocd.press("suspend", order_id, ORDERS)
    assert stack.resource(order_id)["spec"]["state"] == "Suspended"
    until_health(argo, order_id, "Suspended")
    revision = commit(argo, "Another one", order, other)
    wait(stack, other_id, "{.spec.state}=Active")
    argo.argocd.until(ORDERS, commit=revision, health="Progressing")
    assert stack.resource(order_id)["spec"]["state"] == "Suspended"
    argo.argocd.press("resume", order_id, ORDERS)
    stack.start()
    wait(stack, order_id, "{.status.phase}=Completed")
    wait(stack, other_id, "{.status.phase}=Completed")
    stack.assert_books({order_id: "Completed", other_id: "Completed"})


def test_the_button_cancels_an_order_for_good(argo: ArgoSite, stack: Stack) -> None:
    order = hanging(stack, "argo-cancel")
    order_id = order["metadata"]["name"]
    commit(argo, "An order", order)
    wait(stack, order_id, "{.status.currentStep}=shipping")
    argo.argocd.press("cancel", order_id, ORDERS)
    stack.start()
    wait(stack, order_id, "{.status.phase}=Compensated")
    until_health(argo, order_id, "Degraded")
    revision = commit(argo, "Nothing of it", order)
    argo.argocd.until(ORDERS, commit=revision, health="Degraded")
    assert stack.resource(order_id)["spec"]["state"] == "Cancelled"
    stack.assert_books({order_id: "Compensated"})


def test_the_button_retries_a_compensation_that_is_stuck(argo: ArgoSite, stack: Stack) -> None:
    order_id = stack.new_id("argo-stuck")
    stuck = manifest(order_id, payment={"methodRef": "test-refund-stuck"}, shipTo={"addressRef": "a-nowhere"})
    commit(argo, "An order", stuck)
    wait(stack, order_id, "{.status.phase}=Failed")
    until_health(argo, order_id, "Degraded")
    stack.shop.request("POST", "payment", "/api/payments/test/repair", json={"order_id": order_id})
    argo.argocd.press("retry", order_id, ORDERS)
    wait(stack, order_id, "{.status.phase}=Compensated")
    stack.assert_books({order_id: "Compensated"})


def test_a_cancel_in_git_does_nothing(argo: ArgoSite, stack: Stack) -> None:
    order, other = hanging(stack, "argo-git-cancel"), hanging(stack, "argo-beside")
    order_id = order["metadata"]["name"]
    commit(argo, "An order", order)
    wait(stack, order_id, "{.status.currentStep}=shipping")
    cancelled = {**order, "spec": {**order["spec"], "state": "Cancelled"}}
    revision = commit(argo, "Cancelled in Git", cancelled, other)
    wait(stack, other["metadata"]["name"], "{.spec.state}=Active")
    argo.argocd.until(ORDERS, commit=revision, health="Progressing")
    assert stack.resource(order_id)["spec"]["state"] == "Active"


def test_an_order_whose_manifest_goes_waits_for_a_person_who_confirms_it(argo: ArgoSite, stack: Stack) -> None:
    order = manifest(stack.new_id("argo-pruned"))
    order_id = order["metadata"]["name"]
    argo.argocd.until(ORDERS, commit=commit(argo, "An order", order))
    revision = commit(argo, "Removed")
    wait_until("the synchronisation waits for a person", lambda: asks(argo, revision), PATIENCE)
    assert "deletionTimestamp" not in stack.resource(order_id)["metadata"]
    argo.argocd.argocd("app", "confirm-deletion", ORDERS)
    argo.argocd.until(ORDERS, commit=revision)
    assert stack.kubectl("get", "ordersaga", order_id, check=False).returncode != 0


def test_an_open_order_whose_manifest_goes_is_undone_once_that_is_confirmed(argo: ArgoSite, stack: Stack) -> None:
    order = hanging(stack, "argo-open")
    order_id = order["metadata"]["name"]
    commit(argo, "An order", order)
    wait(stack, order_id, "{.status.currentStep}=shipping")
    revision = commit(argo, "Removed")
    wait_until("the synchronisation waits for a person", lambda: asks(argo, revision), PATIENCE)
    argo.argocd.argocd("app", "confirm-deletion", ORDERS)
    wait(stack, order_id, "{.metadata.deletionTimestamp}")
    stack.start()
    argo.argocd.until(ORDERS, commit=revision)
    assert stack.kubectl("get", "ordersaga", order_id, check=False).returncode != 0
    stack.assert_books({order_id: "Compensated"})


def test_an_order_that_is_changed_is_refused_and_the_others_go_on_until_it_is_taken_back(
    argo: ArgoSite, stack: Stack
) -> None:
    order, other_id = manifest(stack.new_id("argo-changed")), stack.new_id("argo-beside")
    argo.argocd.until(ORDERS, commit=commit(argo, "An order", order))
    changed = {**order, "spec": {**order["spec"], "customerID": "c-18"}}
    commit(argo, "Another customer, and another order", changed, manifest(other_id))
    wait(stack, other_id, "{.status.phase}=Completed")
    revision = commit(argo, "As it was", order, manifest(other_id))
    wait_until("the next attempt has this commit", lambda: succeeded(argo, revision), PATIENCE)
    argo.argocd.until(ORDERS, commit=revision)
    stack.assert_books({order["metadata"]["name"]: "Completed", other_id: "Completed"})


def test_a_commit_without_any_order_is_not_followed(argo: ArgoSite, stack: Stack) -> None:
    order_id = stack.new_id("argo-last")
    argo.argocd.until(ORDERS, commit=commit(argo, "An order", manifest(order_id)))
    argo.repository.commit("No order at all", argo.repository.orders())
    argo.argocd.refresh(ORDERS)

    def refuses() -> bool:
        conditions = argo.argocd.get(ORDERS)["status"].get("conditions") or []
        return any("auto-sync will wipe out all resources" in each["message"] for each in conditions)

    wait_until("Argo CD refuses to remove everything", refuses, PATIENCE)
    assert "deletionTimestamp" not in stack.resource(order_id)["metadata"]
