"""Text that participants and people wrote, on its way into headers, the status and Events."""

import pytest

from tests.operator.conftest import OperatorProcess, Sagas, wait_until
from tests.operator.scripted import Reply, ScriptedParticipants, refused

pytestmark = pytest.mark.usefixtures("operator")

CORRELATION_ID = "ordersaga.io/correlation-id"
HALF_AN_EMOJI = '{"code": "%s", "detail": "mailbox \\ud83d is\\nfull \\u202e\\u001b[2J", "retryable": false}'
PROBLEM = {"Content-Type": "application/problem+json"}
SHOWN = "mailbox \ufffd is full [2J"


@pytest.mark.parametrize("annotation", ["Auftrag-Müller", "a\nb", "x" * 200_000])
def test_an_order_whose_correlation_id_is_no_header_is_carried_out(
    sagas: Sagas, participants: ScriptedParticipants, annotation: str
) -> None:
    name = f"o-annotated-{len(annotation)}"
    participants.say(name, "/api/orders/create", Reply(503))  # a second or two in which the annotation is read
    sagas.create(name)
    sagas.patch_metadata(name, annotations={CORRELATION_ID: annotation})
    resource = sagas.wait(name, "Completed")
    assert participants.of(name)[-1].correlation_id == resource["metadata"]["uid"]


def test_a_correlation_id_that_is_mended_is_seen_without_a_restart(
    sagas: Sagas, participants: ScriptedParticipants
) -> None:
    participants.say("o-mended", "/api/notifications/send", always=Reply(503))
    sagas.create("o-mended")
    wait_until(lambda: "/api/notifications/send" in participants.paths("o-mended"), "the call of the last step")
    sagas.patch_metadata("o-mended", annotations={CORRELATION_ID: "mended-17"})
    wait_until(lambda: participants.of("o-mended")[-1].correlation_id == "mended-17", "a call with the new id")
    participants.say("o-mended", "/api/notifications/send")
    sagas.wait("o-mended", "Completed")


def test_half_an_emoji_in_a_refusal_stops_neither_the_rollback_nor_anybodys_events(
    sagas: Sagas, participants: ScriptedParticipants
) -> None:
    participants.say(
        "o-half", "/api/payments/process", Reply(409, raw=HALF_AN_EMOJI % "card_declined", headers=PROBLEM)
    )
    sagas.create("o-half")
    status = sagas.wait("o-half", "Compensated")["status"]
    assert status["failure"] == {"step": "payment", "reason": "CardDeclined", "message": SHOWN}

    participants.say("o-after", "/api/payments/process", refused("card_declined"))
    sagas.create("o-after")
    sagas.wait("o-after", "Compensated")
    wait_until(lambda: ("Warning", "CardDeclined") in sagas.events("o-after"), "the Event of a later saga")


def test_half_an_emoji_after_the_confirmation_is_a_warning(sagas: Sagas, participants: ScriptedParticipants) -> None:
    participants.say("o-bounced", "/api/notifications/send", Reply(409, raw=HALF_AN_EMOJI % "bounced", headers=PROBLEM))
    sagas.create("o-bounced")
    sagas.wait("o-bounced", "Completed")
    assert sagas.condition("o-bounced", "CompletedWithWarning")["message"] == f"notification: {SHOWN}"


@pytest.mark.parametrize(
    "odd",
    [
        Reply(409, raw='{"code": "\\ud83d", "detail": "x"}', headers=PROBLEM),
        Reply(503, raw="[" * 10_000 + "]" * 10_000, headers=PROBLEM),
        Reply(202, headers={"Location": "/" + "a" * 7_000, "Retry-After": "nan"}),
        Reply(429, headers={"Retry-After": "-1"}),
    ],
    ids=["code", "nesting", "location", "retry-after"],
)
def test_an_odd_answer_of_the_last_step_holds_nothing_up(
    sagas: Sagas, participants: ScriptedParticipants, odd: Reply, request: pytest.FixtureRequest
) -> None:
    name = f"o-odd-{request.node.callspec.id}"
    participants.say(name, "/api/notifications/send", odd)
    sagas.create(name)
    sagas.wait(name, "Completed")


def test_the_operator_has_not_been_restarted_meanwhile(operator: OperatorProcess) -> None:
    assert operator.process is not None
    assert operator.process.poll() is None
