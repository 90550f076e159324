"""Sagas that were started by the release before finish under this one, whatever became of the process meanwhile."""

from collections.abc import Callable, Iterator

import pytest

from tests.operator.conftest import OperatorProcess, Sagas, wait_until
from tests.operator.scripted import Reply, ScriptedParticipants, refused


@pytest.fixture
def upgrade(operator: OperatorProcess) -> Iterator[Callable[[str], None]]:
    """`upgrade(new)`: the operator is killed and starts as another release; "" is the one of this tree."""

    def change(new: str) -> None:
        operator.kill()
        operator.start(release=new)

    yield change
    change("")


def waits(participants: ScriptedParticipants, sagas: Sagas, name: str, path: str) -> None:
    participants.say(name, path, always=refused("running", "wait"))
    sagas.create(name)
    wait_until(lambda: path in participants.paths(name), f"a call of {path}")
    wait_until(lambda: sagas.status(name).get("definitionHash"), "the first record")


def test_a_step_that_was_added_is_done_by_sagas_on_their_way(
    upgrade: Callable[[str], None], sagas: Sagas, participants: ScriptedParticipants
) -> None:
    upgrade("without-shipping")
    waits(participants, sagas, "o-up-added", "/api/orders/confirm")
    old = sagas.status("o-up-added")["definitionHash"]
    assert "/api/shipping/schedule" not in participants.paths("o-up-added")
    upgrade("")
    participants.say("o-up-added", "/api/orders/confirm")
    status = sagas.wait("o-up-added", "Completed")["status"]
    assert "/api/shipping/schedule" in participants.paths("o-up-added")
    assert status["definitionHash"] == old  # the process that it was started under


def test_a_step_that_was_added_is_left_out_of_confirmed_orders(
    upgrade: Callable[[str], None], sagas: Sagas, participants: ScriptedParticipants
) -> None:
    upgrade("without-shipping")
    participants.say("o-up-late", "/api/notifications/send", always=Reply(503))
    sagas.create("o-up-late")
    wait_until(lambda: sagas.step("o-up-late", "confirmation").get("state") == "Succeeded", "confirmation")
    upgrade("")
    participants.say("o-up-late", "/api/notifications/send")
    sagas.wait("o-up-late", "Completed")
    assert sagas.step("o-up-late", "shipping")["reason"] == "AddedLater"
    assert "/api/shipping/schedule" not in participants.paths("o-up-late")


def test_a_step_that_was_retired_is_still_undone(
    upgrade: Callable[[str], None], sagas: Sagas, participants: ScriptedParticipants
) -> None:
    upgrade("")
    waits(participants, sagas, "o-up-undone", "/api/orders/confirm")
    upgrade("shipping-retired")
    sagas.patch("o-up-undone", state="Cancelled")
    sagas.wait("o-up-undone", "Compensated")
    assert "/api/shipping/cancel" in participants.paths("o-up-undone")
    assert sagas.step("o-up-undone", "shipping")["state"] == "Compensated"


def test_a_step_that_was_retired_is_not_done_any_more(
    upgrade: Callable[[str], None], sagas: Sagas, participants: ScriptedParticipants
) -> None:
    upgrade("")
    waits(participants, sagas, "o-up-retired", "/api/payments/process")
    upgrade("shipping-retired")
    participants.say("o-up-retired", "/api/payments/process")
    status = sagas.wait("o-up-retired", "Completed")["status"]
    assert "/api/shipping/schedule" not in participants.paths("o-up-retired")
    assert status["stepsSummary"] == "5/5"
