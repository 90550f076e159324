"""Reasons, conditions and Kubernetes Events: one set of words, and each says what to do."""

import ast
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
from saga_operator.resource.status import intervention_of, requested_by, saga_of
from tests.support.outside import texts
from tests.support.samples import spec
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


def test_who_asked_is_said_where_a_person_reads_it() -> None:
    running = before("payment")
    cancelled = after(running, seen("Cancelled", desired_by="alice"))
    assert conditions_of(cancelled)[0].message.endswith("Cause: alice cancelled the order")
    suspended = after(running, seen("Suspended", desired_by="alice"))
    assert conditions_of(suspended)[0].message.startswith("suspended by alice before step payment;")
    resumed = after(suspended, seen("Active", desired_by="bob"))
    late = after(before("notification"), seen("Cancelled", desired_by="client:shop"))
    deleted = after(running, seen(deleting=True, deletion_reason="a test order"))
    told = [
        [event.message for event in events_between(old, new)]
        for old, new in (
            (running, cancelled),
            (running, suspended),
            (suspended, resumed),
            (before("notification"), late),
            (running, deleted),
        )
    ]
    assert told == [
        ["rolling back from step payment: alice cancelled the order"],
        ["suspended by alice before step payment"],
        ["the saga continues, resumed by bob"],
        ["too late to cancel (client:shop): the order is confirmed"],
        ["rolling back from step payment: the resource was deleted: a test order"],
    ]
    refusal = next(condition for condition in conditions_of(late) if condition.type == "CancelRefused")
    assert refusal.message.startswith("the order was confirmed before the cancel of client:shop arrived")


def test_a_restart_knows_who_asked() -> None:
    metadata = {"name": "o-1", "namespace": "shop", "creationTimestamp": "2026-01-01T00:00:00Z"}
    suspended = Resource({"metadata": metadata, "spec": spec("o-1", state="Suspended", requestedBy="ali\nce")})
    assert saga_of(suspended).desired_by == requested_by(suspended) == "ali ce"
    assert requested_by(Resource({"metadata": metadata, "spec": spec("o-1")})) == ""


def test_who_intervenes_is_who_the_intervention_names_before_the_program_that_wrote_it() -> None:
    request = {"id": "1", "action": "Skip", "step": "payment", "reason": "why", "by": "alice"}
    metadata = {"managedFields": [{"manager": "kubectl-patch", "fieldsV1": {"f:spec": {"f:intervention": {}}}}]}
    intervention = intervention_of(Resource({"metadata": metadata, "spec": {"intervention": request}}))
    assert intervention is not None
    assert intervention.by == "alice"


@given(texts().filter(bool))
def test_what_a_person_gives_as_a_reason_can_be_recorded_and_told(text: str) -> None:
    spec = {"intervention": {"id": "1", "action": "Skip", "step": "payment", "reason": text}}
    metadata = {"managedFields": [{"manager": text, "fieldsV1": {"f:spec": {"f:intervention": {}}}}]}
    intervention = intervention_of(Resource({"metadata": metadata, "spec": spec}))
    assert intervention is not None
    assert intervention.reason.isprintable()
    assert intervention.by.isprintable()
    assert len(intervention.by) <= 512
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


def events_of_the_code() -> set[str]:
    """The reasons of all Events that the operator makes, but for those that depend on what happened."""
    found = set()
    for path in (ROOT / "operator" / "saga_operator").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and len(node.args) == 3 and isinstance(node.func, ast.Name):
                reason = node.args[1]
                if node.func.id not in ("KubernetesEvent", "cls"):
                    continue
                if isinstance(reason, ast.Attribute):
                    found.add(CONSTANTS.get(reason.attr, ""))
                elif isinstance(reason, ast.Constant):
                    found.add(str(reason.value))
    return found - {""}


def test_the_page_of_the_resource_has_every_event() -> None:
    page = (ROOT / "docs" / "ordersaga.md").read_text()
    section = page[page.index("\n## Events\n") : page.index("\n## Reasons\n")]
    rows = [row.split("|")[1] for row in section.splitlines() if row.startswith("| `")]
    told = {reason for row in rows for reason in re.findall(r"`(\w+)`", row)}
    assert told == events_of_the_code() | {reasons.INTERVENED, reasons.INTERVENTION_REFUSED}


def failing(step: str, message: str) -> list[Event]:
    """Its undo is given up, and the service says this much."""
    return [replace(event, message=message) for event in never_undone(step) if isinstance(event, NoUsableAnswer)]


def said(saga: Saga, type_: str = "Ready") -> str:
    return next(condition.message for condition in conditions_of(saga) if condition.type == type_)


def test_what_a_person_has_to_do_is_never_cut_off() -> None:
    stuck = after(
        new_saga(),
        *done("order", "inventory", "payment"),
        refused("shipping", "NotServiceable"),
        *undone("confirmation"),
        *failing("payment", "p" * 1024),
        *failing("inventory", "i" * 1024),
    )
    assert len(said(stuck)) == 1024
    assert said(stuck, "Stalled").endswith(
        "A person has to set spec.intervention: RetryNow or MarkCompensated. `kubectl saga why o-1001` says how"
    )


def test_a_rollback_says_what_keeps_it_and_what_caused_it() -> None:
    rolled_back = after(new_saga(), *done("order", "inventory", "payment"), refused("shipping", "NotServiceable"))
    assert said(rolled_back) == "rolling back: rejecting the order. Cause: no"
    undoing = after(rolled_back, *undone("confirmation"))
    assert said(undoing) == "rolling back: undoing payment. Cause: no"
    failed = replace(lost("payment", undo=True), message="p" * 1024)
    kept = said(after(undoing, failed))
    assert kept.startswith("rolling back: undoing payment, attempt 1: ppp")
    assert kept.endswith("ppp. Cause: no")


def test_a_saga_that_waits_for_a_service_that_is_down_says_so_first() -> None:
    """`kubectl get` has one column for it."""
    (ready, *_) = conditions_of(after(new_saga(), *done("order", "inventory"), paused("payment")))
    assert (ready.type, ready.reason) == ("Ready", "WaitingForDownstream")
