"""Reasons, conditions and Kubernetes Events: one set of words, and each says what to do."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saga_operator.process import reasons
from saga_operator.process.events import AlreadyConfirmed, DoRefused, Event, NoUsableAnswer, Outcome, Succeeded
from saga_operator.process.saga import Saga
from saga_operator.resource.body import Resource
from saga_operator.resource.conditions import conditions_of
from saga_operator.resource.kube_events import events_between
from saga_operator.resource.status import intervention_of
from tests.support.outside import texts
from tests.unit.process.builders import (
    BEFORE_PIVOT,
    NOW,
    STEPS,
    UP_TO_PIVOT,
    after,
    asked,
    before,
    done,
    in_progress,
    lost,
    never_undone,
    new_saga,
    paused,
    refused,
    seen,
    undone,
)

ROOT = Path(__file__).resolve().parents[3]
REASON = re.compile(r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")
"""As crds/ordersaga.yaml and metav1.Condition have it."""
CAMEL = re.compile(r"^[A-Z][A-Za-z0-9]*$")
CONSTANTS = {name: value for name, value in vars(reasons).items() if name[0].isupper() and isinstance(value, str)}
BUSINESS = [
    "out_of_stock", "product_unknown", "price_changed", "card_declined", "method_unknown", "address_unknown",
    "not_serviceable", "contact_unknown", "compensated", "already_confirmed",
]  # fmt: skip


@pytest.mark.parametrize("constant", CONSTANTS.values())
def test_a_reason_is_one_camel_case_word(constant: str) -> None:
    assert CAMEL.match(constant)


def test_no_two_constants_say_the_same() -> None:
    assert len(set(CONSTANTS.values())) == len(CONSTANTS)


def test_every_constant_is_explained_to_people() -> None:
    assert set(reasons.MEANINGS) == set(CONSTANTS.values())
    for meaning in reasons.MEANINGS.values():
        assert meaning.says.endswith(".")
        assert meaning.to_do.endswith((".", "`"))


def test_the_page_of_the_resource_has_each_reason_as_the_code_explains_it() -> None:
    page = " ".join((ROOT / "docs" / "ordersaga.md").read_text().split())
    entries = [f"- `{reason}`: {meaning.says} To do: {meaning.to_do}" for reason, meaning in reasons.MEANINGS.items()]
    assert [entry for entry in entries if entry not in page] == []


@pytest.mark.parametrize("code", BUSINESS)
def test_a_participants_code_comes_and_goes_unchanged(code: str) -> None:
    assert CAMEL.match(reasons.pascal(code))
    assert reasons.snake(reasons.pascal(code)) == code


@given(texts())
def test_any_code_becomes_a_reason_that_a_condition_can_have_and_a_cancel_can_name(code: str) -> None:
    reason = reasons.pascal(code)
    assert REASON.match(reason)
    assert reason.isascii()
    assert len(reason) <= 128
    assert len(reasons.snake(reason)) <= 128


def test_the_reason_of_a_cancel_is_no_longer_than_the_order_service_takes_it() -> None:
    assert len(reasons.snake(reasons.pascal("aB" * 64))) == 128


@pytest.mark.parametrize(
    "code", ["unavailable", "no_answer", "waiting_for_downstream", "participant_error", "cancelled"]
)
def test_a_code_cannot_pass_for_a_reason_of_the_operator(code: str) -> None:
    assert reasons.pascal(code) not in reasons.MEANINGS
    assert reasons.pascal(code).startswith("Code")


def test_a_tombstone_is_told_by_its_reason() -> None:
    assert reasons.pascal("compensated") == reasons.COMPENSATED


@given(code=st.text(max_size=300))
def test_whatever_a_participant_calls_it_the_schema_accepts_the_reason(code: str) -> None:
    reason = reasons.pascal(code)
    assert REASON.match(reason)
    assert len(reason) <= 128


def test_an_outcome_keeps_its_name_in_status_metrics_and_logs() -> None:
    assert {outcome.shown_as for outcome in get_args(Outcome)} == {
        "Succeeded", "Refused", "Undone", "Unavailable", "InProgress", "AlreadyConfirmed", "OrderIDUsed",
        "EpochRefused",
    }  # fmt: skip
    assert (DoRefused.shown_as, NoUsableAnswer.shown_as) == ("Refused", "Unavailable")


def stuck() -> Saga:
    saga = after(new_saga(), *done(*BEFORE_PIVOT), seen("Cancelled"), *undone("confirmation", "payment", "inventory"))
    return after(saga, *never_undone("shipping"))


SITUATIONS = {
    # the saga; Ready, Reconciling, Stalled, Succeeded; the reason of Ready
    "pending": (new_saga(), ("Unknown", "True", "False", "Unknown"), "StepInProgress"),
    "running": (after(new_saga(), *done("order")), ("Unknown", "True", "False", "Unknown"), "StepInProgress"),
    "retrying": (
        after(new_saga(), *done("order"), lost("inventory")),
        ("Unknown", "True", "False", "Unknown"),
        "RetryScheduled",
    ),
    "compensating": (
        after(new_saga(), *done("order"), refused("inventory")),
        ("False", "True", "False", "Unknown"),
        "OutOfStock",
    ),
    "completed": (after(new_saga(), *done(*STEPS)), ("True", "False", "False", "True"), "Completed"),
    "compensated": (
        after(
            new_saga(), *done("order"), refused("inventory"), *undone("confirmation", "shipping", "payment", "order")
        ),
        ("False", "False", "True", "False"),
        "OutOfStock",
    ),
    "failed": (stuck(), ("False", "False", "True", "False"), "CompensationFailed"),
    "suspended": (after(new_saga(), seen("Suspended")), ("Unknown", "False", "False", "Unknown"), "Suspended"),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_conditions_follow_the_designs_table(situation: str) -> None:
    saga, statuses, reason = SITUATIONS[situation]
    found = {condition.type: condition for condition in conditions_of(saga)}
    assert tuple(found[type_].status for type_ in ("Ready", "Reconciling", "Stalled", "Succeeded")) == statuses
    assert found["Ready"].reason == reason


def test_a_stuck_saga_says_what_a_person_can_do() -> None:
    ready = conditions_of(stuck())[0]
    assert "shipping (lost)" in ready.message
    assert "RetryNow or MarkCompensated" in ready.message


def test_a_participant_that_is_down_is_named() -> None:
    saga = after(new_saga(), *done("order"), paused("inventory"))
    waiting = next(condition for condition in conditions_of(saga) if condition.type == "WaitingForDownstream")
    assert waiting.message.startswith("inventory")
    assert "WaitingForDownstream" not in {
        condition.type for condition in conditions_of(after(saga, *done("inventory")))
    }


def test_an_answer_that_should_never_come_is_a_condition_of_its_own() -> None:
    odd = lost("inventory")
    saga = after(new_saga(), *done("order"), type(odd)(
        step="inventory", started=NOW, at=NOW, undo=False, reason=reasons.PARTICIPANT_ERROR, message="422 invalid"
    ))  # fmt: skip
    trouble = next(condition for condition in conditions_of(saga) if condition.type == "ParticipantError")
    assert trouble.message == "inventory: 422 invalid"


@pytest.mark.parametrize(
    ("before", "event", "said"),
    [
        (new_saga(), done("order")[0], []),
        (after(new_saga(), *done("order")), refused("inventory"), [("Warning", "OutOfStock")]),
        (after(new_saga(), *done("order")), seen("Cancelled"), [("Warning", "Cancelled")]),
        (
            after(new_saga(), *done("order"), seen("Cancelled")),
            AlreadyConfirmed(step="confirmation", started=NOW, at=NOW),
            [("Normal", "AlreadyConfirmed"), ("Warning", "AlreadyConfirmed")],
        ),
        (after(new_saga(), *done(*UP_TO_PIVOT)), seen("Cancelled"), [("Warning", "AlreadyConfirmed")]),
        (
            after(new_saga(), *done(*UP_TO_PIVOT)),
            refused("notification", "ContactUnknown"),
            [("Warning", "CompletedWithWarning")],
        ),
        (new_saga(), seen("Suspended"), [("Normal", "Suspended")]),
        (after(new_saga(), seen("Suspended")), seen(), [("Normal", "Resumed")]),
        (stuck(), asked("MarkCompensated", "shipping"), [("Normal", "Intervened")]),
        (new_saga(), asked("Skip", "notification"), [("Warning", "InterventionRefused")]),
        (
            after(stuck(), asked("MarkCompensated", "shipping")),
            undone("order")[0],
            [("Normal", "Compensated")],
        ),
        (
            after(new_saga(), *done(*BEFORE_PIVOT), seen("Cancelled"), *undone("confirmation")),
            None,
            [("Warning", "CompensationFailed")],
        ),
    ],
)
def test_what_people_should_know_becomes_an_event(
    before: Saga, event: Event | None, said: list[tuple[str, str]]
) -> None:
    now = after(before, *(never_undone("payment") if event is None else [event]))
    assert [(event.type, event.reason) for event in events_between(before, now)] == said


def test_no_event_is_made_twice() -> None:
    saga = stuck()
    assert list(events_between(saga, saga)) == []
    assert list(events_between(saga, after(saga, seen("Cancelled")))) == []


def test_an_accepted_call_is_no_retry() -> None:
    accepted = replace(in_progress("payment"), message="payment has accepted the call and is still working on it")
    ready = conditions_of(after(before("payment"), accepted))[0]
    assert ready.reason == "StepInProgress"
    assert ready.message == "payment: payment has accepted the call and is still working on it"


def test_a_call_that_never_counted_has_no_number() -> None:
    assert conditions_of(after(before("payment"), paused("payment")))[0].message == "payment: down"
    assert conditions_of(after(before("payment"), lost("payment", wait=99.0)))[0].message == "payment: lost"
    assert conditions_of(after(before("payment"), lost("payment")))[0].message == "payment, attempt 1: lost"


def test_a_suspension_says_whether_its_step_was_called() -> None:
    between = conditions_of(after(before("payment"), seen("Suspended")))[0].message
    assert between.startswith("suspended on request before step payment;")
    accepted = after(before("payment"), replace(in_progress("payment"), message="accepted"), seen("Suspended"))
    assert "at step payment, which was called but isn't done yet (accepted)" in conditions_of(accepted)[0].message


@given(texts().filter(bool))
def test_what_a_person_gives_as_a_reason_can_be_recorded_and_told(text: str) -> None:
    spec = {"intervention": {"id": "1", "action": "Skip", "step": "payment", "reason": text}}
    metadata = {"managedFields": [{"manager": text, "fieldsV1": {"f:spec": {"f:intervention": {}}}}]}
    intervention = intervention_of(Resource({"metadata": metadata, "spec": spec}))
    assert intervention is not None
    assert intervention.reason.isprintable()
    assert intervention.by.isprintable()
    assert len(intervention.by) <= 256
    before = new_saga()
    for event in events_between(before, after(before, seen(intervention=intervention))):
        assert event.message.isprintable()


@given(texts(), texts())
def test_whatever_text_an_outcome_was_made_of_it_is_recorded_in_printable_words(reason: str, message: str) -> None:
    call: dict[str, Any] = {"started": NOW, "at": NOW, "message": message}
    outcomes: tuple[Outcome, ...] = (
        NoUsableAnswer(step="order", undo=False, reason=reason or "Odd", **call),
        DoRefused(step="order", reason=reason or "Odd", **call),
        Succeeded(step="order", started=NOW, at=NOW, external_id=message),
    )
    for outcome in outcomes:
        record = after(new_saga(), outcome)["order"]
        for text in (record.message, record.reason, record.external_id):
            assert text.isprintable()
            text.encode()
        assert len(record.external_id) <= 128
        assert not record.reason or REASON.match(record.reason)
