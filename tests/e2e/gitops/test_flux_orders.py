"""What commits do to orders, by real Flux: docs/gitops.md, "Orders in Git".

Each test commits orders of its own in the place of those before, which Flux prunes. One order stays throughout.
"""

import json
import time
from collections.abc import Iterator

import pytest

from common.wire import Json
from dev.stack.waiting import wait_until
from tests.e2e.gitops.conftest import ORDERS, Site
from tests.e2e.gitops.flux import PATIENCE, TEST_SECONDS
from tests.e2e.system import Stack
from tests.e2e.test_orders_in_git import ledgers, manifest

pytestmark = pytest.mark.timeout(TEST_SECONDS)

FILE = "manifests/gitops/flux/3-orders.yaml"
# Far below the 5 minutes that the Kustomization waits for orders: a verdict by then isn't the time-out's.
SOON = 60.0


STAYS = "o-flux-stays"


def commit(site: Site, message: str, *orders: Json) -> str:
    """Commit that there are these orders beside the one that stays, and have Flux fetch it; the revision."""
    files = site.repository.orders(manifest(STAYS), *orders)
    return site.flux.fetch(site.repository.commit(message, files))


def hanging(stack: Stack, name: str) -> Json:
    """An order that waits for the shipping service, which is stopped, for as long as a test takes."""
    stack.services["shipping"].stop()
    return manifest(stack.new_id(name), retry={"maxAttempts": 100, "maxBackoffSeconds": 2})


def changed(order: Json, **spec: object) -> Json:
    return {**order, "spec": {**order["spec"], **spec}}


def wait(stack: Stack, order_id: str, condition: str) -> None:
    def seen() -> bool:
        return stack.kubectl("get", "ordersaga", order_id, check=False).returncode == 0

    wait_until(f"{order_id} is there", seen, PATIENCE)
    stack.kubectl("wait", f"--for=jsonpath={condition}", f"--timeout={PATIENCE:.0f}s", f"ordersaga/{order_id}")


@pytest.fixture(scope="module")
def stays(shop: Stack, installed: Site) -> Iterator[None]:
    """The order that stays is Completed, and still is at the end, when there is no other."""

    def only_that_one() -> None:
        shop.start()
        installed.flux.until_ready(ORDERS, commit(installed, "No other orders"), 2 * PATIENCE)
        assert shop.resource(STAYS)["status"]["phase"] == "Completed"

    only_that_one()
    yield
    only_that_one()


@pytest.fixture
def stack(shop: Stack, stays: None) -> Stack:
    """The shop, whole. The orders of the test before go with this one's first commit."""
    shop.start()
    return shop


@pytest.fixture
def impatient(installed: Site) -> Iterator[None]:
    """The Kustomization of orders waits for half a minute, which is Flux' least, and not for five."""
    before = installed.repository.read(FILE)
    assert "timeout: 5m" in before
    _follow(installed, before.replace("timeout: 5m", "timeout: 30s"))
    yield
    _follow(installed, before)


def _follow(site: Site, kustomization: str) -> None:
    site.repository.commit("How long Flux waits for orders", {FILE: kustomization})
    site.flux.apply(site.repository.folder / FILE)


def until_gone(stack: Stack, order_id: str) -> None:
    """Flux is content when it has asked for a deletion; what undoes the order comes then."""
    gone = lambda: stack.kubectl("get", "ordersaga", order_id, check=False).returncode != 0  # noqa: E731
    wait_until(f"{order_id} is gone", gone, PATIENCE)


def test_an_order_that_is_committed_completes(installed: Site, stack: Stack) -> None:
    order_id = stack.new_id("flux-new")
    revision = commit(installed, "An order", manifest(order_id))
    installed.flux.until_ready(ORDERS, revision)
    assert stack.resource(order_id)["status"]["phase"] == "Completed"
    stack.assert_books({order_id: "Completed"})


def test_a_declined_order_makes_the_kustomization_not_ready_at_once(installed: Site, stack: Stack) -> None:
    order_id = stack.new_id("flux-declined")
    revision = commit(installed, "One declined", manifest(order_id, payment={"methodRef": "test-declined"}))
    verdict = installed.flux.until_judged(ORDERS, revision, SOON)
    assert (verdict["status"], verdict["reason"]) == ("False", "HealthCheckFailed"), verdict
    assert f"OrderSaga/e-commerce-saga/{order_id} status: 'Failed'" in verdict["message"]
    assert stack.resource(order_id)["status"]["phase"] == "Compensated"
    installed.flux.until_ready(ORDERS, commit(installed, "None declined"))


def test_an_order_that_is_taken_out_of_git_and_put_back_is_charged_once(installed: Site, stack: Stack) -> None:
    order_id = stack.new_id("flux-again")
    installed.flux.until_ready(ORDERS, commit(installed, "An order", manifest(order_id)))
    uid = stack.resource(order_id)["metadata"]["uid"]
    installed.flux.until_ready(ORDERS, commit(installed, "Gone"))
    until_gone(stack, order_id)
    installed.flux.until_ready(ORDERS, installed.flux.fetch(installed.repository.revert()))
    assert stack.resource(order_id)["metadata"]["uid"] != uid
    assert ledgers(stack, order_id)["payment"] == {"charge": 1}
    stack.assert_books({order_id: "Completed"})


def test_a_commit_cancels_an_order_that_flux_still_waits_for(installed: Site, stack: Stack) -> None:
    order = hanging(stack, "flux-cancel")
    order_id = order["metadata"]["name"]
    commit(installed, "An order", order)
    wait(stack, order_id, "{.status.currentStep}=shipping")
    revision = commit(installed, "Cancelled", changed(order, state="Cancelled"))
    wait(stack, order_id, "{.spec.state}=Cancelled")
    stack.start()
    wait(stack, order_id, "{.status.phase}=Compensated")
    verdict = installed.flux.until_judged(ORDERS, revision)
    assert verdict["reason"] == "HealthCheckFailed", verdict
    assert ledgers(stack, order_id)["payment"] == {"charge": 1, "refund": 1}
    stack.assert_books({order_id: "Compensated"})


@pytest.mark.usefixtures("impatient")
def test_as_flux_comes_a_newer_commit_waits_until_the_time_is_over(installed: Site, stack: Stack) -> None:
    order = hanging(stack, "flux-waits")
    order_id = order["metadata"]["name"]
    with installed.flux.as_it_comes():
        commit(installed, "An order", order)
        wait(stack, order_id, "{.status.currentStep}=shipping")
        commit(installed, "Removed")
        wait(stack, order_id, "{.metadata.deletionTimestamp}")
        said = f"timeout waiting for: [OrderSaga/e-commerce-saga/{order_id} status: 'InProgress']"
        assert any(said in each for each in installed.flux.events(ORDERS))
        stack.start()
        until_gone(stack, order_id)


def test_a_commit_that_removes_an_order_undoes_it(installed: Site, stack: Stack) -> None:
    order = hanging(stack, "flux-pruned")
    order_id = order["metadata"]["name"]
    commit(installed, "An order", order)
    wait(stack, order_id, "{.status.currentStep}=shipping")
    revision = commit(installed, "Removed")
    wait(stack, order_id, "{.metadata.deletionTimestamp}")
    stack.start()
    until_gone(stack, order_id)
    installed.flux.until_ready(ORDERS, revision)
    assert ledgers(stack, order_id)["payment"] == {"charge": 1, "refund": 1}
    stack.assert_books({order_id: "Compensated"})


def test_a_commit_that_removes_all_orders_undoes_those_that_are_open(installed: Site, stack: Stack) -> None:
    order = hanging(stack, "flux-all-pruned")
    order_id = order["metadata"]["name"]
    commit(installed, "An order", order)
    wait(stack, order_id, "{.status.currentStep}=shipping")
    repository = installed.repository
    revision = installed.flux.fetch(repository.commit("No order at all", repository.orders()))
    wait(stack, order_id, "{.metadata.deletionTimestamp}")
    stack.start()
    until_gone(stack, order_id)
    until_gone(stack, STAYS)
    installed.flux.until_ready(ORDERS, revision)
    stack.assert_books({order_id: "Compensated"})


def test_a_commit_that_changes_an_order_is_refused_and_holds_up_the_others_until_it_is_taken_back(
    installed: Site, stack: Stack
) -> None:
    first, other = manifest(stack.new_id("flux-changed")), manifest(stack.new_id("flux-held-up"))
    installed.flux.until_ready(ORDERS, commit(installed, "An order", first))
    more = [{**first["spec"]["items"][0], "quantity": 7}]
    revision = commit(installed, "Changed, and another one", changed(first, items=more), other)
    verdict = installed.flux.until_judged(ORDERS, revision, SOON)
    assert verdict["status"] == "False", verdict
    assert first["metadata"]["name"] in verdict["message"]
    assert "too late to cancel or change it" in verdict["message"]
    assert stack.kubectl("get", "ordersaga", other["metadata"]["name"], check=False).returncode != 0
    installed.flux.until_ready(ORDERS, commit(installed, "As it was", first, other))
    assert stack.resource(first["metadata"]["name"])["spec"]["items"] == first["spec"]["items"]
    stack.assert_books({each["metadata"]["name"]: "Completed" for each in (first, other)})


@pytest.mark.parametrize("state", ["Suspended", "Cancelled"])
def test_what_a_person_has_set_stays_when_flux_applies_again(installed: Site, stack: Stack, state: str) -> None:
    order, other = hanging(stack, "flux-person"), manifest(stack.new_id("flux-next"))
    order_id = order["metadata"]["name"]
    commit(installed, "An order", order)
    wait(stack, order_id, "{.status.currentStep}=shipping")
    stack.kubectl("patch", "ordersaga", order_id, "--type=merge", "-p", json.dumps({"spec": {"state": state}}))
    revision = commit(installed, "Another one", order, other)
    installed.flux.until_applied(ORDERS, revision)
    assert stack.resource(other["metadata"]["name"])["spec"]["state"] == "Active"
    assert stack.resource(order_id)["spec"]["state"] == state


def test_orders_stay_when_their_kustomization_is_deleted(installed: Site, stack: Stack) -> None:
    order_id = stack.new_id("flux-orphan")
    installed.flux.until_ready(ORDERS, commit(installed, "An order", manifest(order_id)))
    uid = stack.resource(order_id)["metadata"]["uid"]
    installed.plane.kubectl("delete", "kustomization", ORDERS, "--namespace=flux-system", "--timeout=60s")
    time.sleep(1)
    resource = stack.resource(order_id)
    assert resource["metadata"]["uid"] == uid
    assert "deletionTimestamp" not in resource["metadata"]
    installed.flux.apply(installed.repository.folder / FILE)
    installed.flux.until_ready(ORDERS, f"main@sha1:{installed.repository.head}")
