"""A participant that is down, or a gateway in its place: its sagas wait without burning their budgets, and those that
can be served don't wait for those that can't.
"""

import pytest

from tests.operator.conftest import Sagas, wait_until
from tests.operator.scripted import Reply, ScriptedParticipants, refused

pytestmark = pytest.mark.usefixtures("operator")


def test_an_outage_costs_no_budget_and_is_visible(sagas: Sagas, participants: ScriptedParticipants) -> None:
    names = [f"o-outage-{number}" for number in range(12)]
    for name in names:
        participants.say(name, "/api/shipping/schedule", always=Reply(503))
        # 8 attempts take longer than it takes to make all of them.
        sagas.create(name, retry={"maxAttempts": 8, "initialBackoffSeconds": 2, "maxBackoffSeconds": 2})
    for name in names:
        wait_until(lambda n=name: sagas.condition(n, "WaitingForDownstream").get("status") == "True", f"{name} to wait")
    assert sum(path == "/api/shipping/schedule" for name in names for path in participants.paths(name)) < 40
    assert all(sagas.step(name, "shipping").get("attempts", 0) < 8 for name in names)
    for name in names:
        participants.say(name, "/api/shipping/schedule")
    for name in names:
        sagas.wait(name, "Completed", seconds=30)
        assert not sagas.condition(name, "WaitingForDownstream")


def test_a_saga_that_waits_for_a_participant_can_be_cancelled(sagas: Sagas, participants: ScriptedParticipants) -> None:
    names = [f"o-outage-cancel-{number}" for number in range(6)]
    for name in names:
        participants.say(name, "/api/inventory/reserve", always=Reply(0))
        sagas.create(name)
    last = names[-1]
    wait_until(lambda: sagas.condition(last, "WaitingForDownstream").get("status") == "True", "the last one to wait")
    sagas.patch(last, state="Cancelled")
    sagas.wait(last, "Compensated", seconds=30)
    for name in names[:-1]:
        participants.say(name, "/api/inventory/reserve")
    for name in names[:-1]:
        sagas.wait(name, "Completed", seconds=40)


PAGE = Reply(404, raw="<html><body>default backend - 404</body></html>", headers={"Content-Type": "text/html"})


def test_a_gateway_that_answers_for_a_participant_rolls_no_order_back(
    sagas: Sagas, participants: ScriptedParticipants
) -> None:
    names = [f"o-gateway-{number}" for number in range(6)]
    for name in names:
        participants.say(name, "/api/payments/process", always=PAGE)
        # on a slow machine the first is called again before the last is there
        sagas.create(name, retry={"maxAttempts": 6, "initialBackoffSeconds": 10, "maxBackoffSeconds": 10})
    for name in names:
        wait_until(lambda n=name: sagas.condition(n, "WaitingForDownstream").get("status") == "True", f"{name} to wait")
    probes = sum(path == "/api/payments/process" for name in names for path in participants.paths(name))
    wait_until(
        lambda: sum(path == "/api/payments/process" for n in names for path in participants.paths(n)) >= probes + 2,
        "more probes",
        seconds=60,
    )
    assert all(sagas.step(name, "payment").get("attempts", 0) < 6 for name in names)
    for name in names:
        participants.say(name, "/api/payments/process")
    for name in names:
        sagas.wait(name, "Completed", seconds=60)


def test_a_page_is_taken_neither_for_a_do_nor_for_an_undo(sagas: Sagas, participants: ScriptedParticipants) -> None:
    """A captive gateway answers 200 to everything; another order's answer comes out of a cache."""
    name = "o-captive"
    page = Reply(200, raw="<html>Please log in</html>", headers={"Content-Type": "text/html"})
    participants.say(name, "/api/payments/process", page, Reply(200, {}), Reply(200, {"order_id": "o-other"}))
    participants.say(name, "/api/shipping/schedule", refused("not_serviceable"))
    participants.say(name, "/api/payments/refund", page, Reply(200, {"order_id": name}))
    sagas.create(name, retry={"maxAttempts": 5, "initialBackoffSeconds": 1, "maxBackoffSeconds": 1})
    sagas.wait(name, "Compensated", seconds=60)
    paths = participants.paths(name)
    assert paths.count("/api/payments/process") == 4
    assert paths.count("/api/payments/refund") == 3


def test_a_saga_whose_answer_drips_is_looked_after_once_the_time_out_is_over(
    sagas: Sagas, participants: ScriptedParticipants
) -> None:
    name = "o-dripping"
    participants.say(name, "/api/payments/process", always=Reply(200, {"order_id": name, "x": "y" * 1000}, drip=0.25))
    sagas.create(name)
    wait_until(lambda: "/api/payments/process" in participants.paths(name), "the call")
    sagas.delete(name)
    wait_until(lambda: not sagas.exists(name), "the deletion to be looked at", seconds=30)
    assert "/api/orders/reject" in participants.paths(name)


def test_an_order_whose_document_is_damaged_ends_in_front_of_a_person_and_is_undone_once_it_is_mended(
    sagas: Sagas, participants: ScriptedParticipants
) -> None:
    name, reject = "o-unreadable", "/api/orders/reject"
    detail = f"order {name}: its document can't be read: mend it"
    damaged = Reply(500, {"code": "document_unreadable", "detail": detail, "retryable": False})
    participants.say(name, "/api/shipping/schedule", refused("not_serviceable"))
    participants.say(name, reject, always=damaged)
    sagas.create(name)
    sagas.wait(name, "Failed", seconds=60)
    assert sagas.step(name, "confirmation")["compensation"]["reason"] == "DocumentUnreadable"
    stalled = sagas.condition(name, "Stalled")
    assert detail in stalled["message"]
    to_do = (
        "A person has to set spec.intervention: RetryNow, once it is repaired. `kubectl saga why o-unreadable` says how"
    )
    assert stalled["message"].endswith(to_do)
    assert "/api/payments/refund" not in participants.paths(name), "nothing is undone before reject has answered"
    participants.say(name, reject)
    sagas.patch(name, intervention={"id": "1", "action": "RetryNow", "step": "confirmation", "reason": "mended"})
    sagas.wait(name, "Compensated", seconds=60)
    assert "/api/payments/refund" in participants.paths(name)


def test_orders_whose_documents_are_damaged_do_not_keep_a_good_one_waiting(
    sagas: Sagas, participants: ScriptedParticipants
) -> None:
    damaged = [f"o-damaged-{number}" for number in range(5)]
    broken = Reply(500, {"code": "internal", "detail": "the document can't be read", "retryable": True})
    for name in damaged:
        participants.say(name, "/api/orders/reject", always=broken)
        sagas.create(name, state="Cancelled")
    for name in damaged:
        wait_until(lambda n=name: participants.paths(n).count("/api/orders/reject"), f"{name} to fail", seconds=60)
    for number in range(3):
        sagas.create(f"o-good-{number}")
        sagas.wait(f"o-good-{number}", "Completed", seconds=15)
    for name in damaged:
        participants.say(name, "/api/orders/reject")
    for name in damaged:
        sagas.wait(name, "Compensated", seconds=60)
