"""What the customer of an undone order is told, and who isn't told."""

from dataclasses import replace

import pytest

from saga_operator.process import reasons
from saga_operator.process.saga import Failure, Phase, Saga
from saga_operator.process.step_record import Compensation, StepRecord, StepState
from saga_operator.process.steps import BY_NAME, idempotency_key, request_body
from saga_operator.process.undone_orders import notice_of
from services.notification.models import SendRequest
from tests.unit.process.builders import NOW, new_saga

DONE = Compensation(completion=NOW)


def undone(reason: str = "CardDeclined", *, payment: StepState = StepState.REFUSED, order: str = "") -> Saga:
    """A saga that was rolled back; `order`: why the order service itself refused."""
    saga = replace(new_saga(), failure=Failure("payment", reason, "in words"))
    for record in saga.steps:
        state = payment if record.name == "payment" else StepState.SKIPPED
        saga = saga.put(StepRecord(record.name, state, compensation=DONE))
    if order:
        saga = saga.put(StepRecord("order", StepState.REFUSED, reason=order, compensation=DONE))
    assert saga.phase is Phase.COMPENSATED
    return saga


def test_the_message_has_the_reason_the_money_and_what_a_confirmation_has() -> None:
    notice = notice_of(undone())
    assert notice is not None
    body = request_body(notice.step, undo=False, order=notice.order)
    confirmation = request_body(BY_NAME["notification"], undo=False, order=notice.order)
    told = {"notification_type": "order_cancelled", "reason": "card_declined", "payment": "not_charged"}
    assert body == confirmation | told
    assert SendRequest.model_validate(body).payment == "not_charged", "as the service takes it"
    key = idempotency_key(notice.step, undo=False, order=notice.order)
    assert key == f"{notice.order.namespace}/{notice.order.order_id}/notification/do"


@pytest.mark.parametrize(
    ("state", "is_refunded"),
    [(StepState.COMPENSATED, True), (StepState.SKIPPED, False), (StepState.REFUSED, False)],
)
def test_money_that_was_taken_and_given_back_is_refunded_and_none_is_not_charged(
    state: StepState, is_refunded: bool
) -> None:
    notice = notice_of(undone(payment=state))
    assert notice is not None
    assert notice.is_refunded is is_refunded


@pytest.mark.parametrize("reason", [reasons.ORDER_ID_USED, reasons.ORDER_ALREADY_CANCELLED])
def test_nobody_is_told_of_an_order_that_is_another_ones_or_was_undone_before(reason: str) -> None:
    assert notice_of(undone(reason)) is None


def test_nobody_is_told_of_an_order_that_the_order_service_has_refused() -> None:
    assert notice_of(undone("CustomerBlocked", order="CustomerBlocked")) is None


@pytest.mark.parametrize("reason", [reasons.CANCELLED, reasons.DELETED, reasons.DEADLINE_EXCEEDED, reasons.COMPENSATED])
def test_whoever_cancelled_is_told_that_it_is_done(reason: str) -> None:
    assert notice_of(undone(reason)) is not None
    also_by_a_tombstone = undone(reason, order=reasons.COMPENSATED)
    assert notice_of(also_by_a_tombstone) is not None, "a cancel that came before the order did"


def test_nobody_is_told_before_it_is_undone() -> None:
    assert notice_of(new_saga()) is None
    assert notice_of(replace(undone(), failure=None)) is None
    assert notice_of(undone().put(StepRecord("order", StepState.SUCCEEDED))) is None
