"""The saga on the resource: what is written is what a restart reads, within the bounds of the schema."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saga_operator.process.decide import decide
from saga_operator.process.events import (
    AlreadyConfirmed,
    CallOutcome,
    DoRefused,
    Event,
    NoUsableAnswer,
    OrderIDUsed,
    Succeeded,
    Undone,
)
from saga_operator.process.saga import FINISHED, Phase, Saga
from saga_operator.process.step_record import StepState
from saga_operator.process.steps import ORDER_SAGA
from saga_operator.resource.attempts import History, noted
from saga_operator.resource.body import Resource
from saga_operator.resource.conditions import conditions_of
from saga_operator.resource.status import saga_of, status_of
from saga_operator.resource.times import to_wire
from tests.support import yamls
from tests.support.samples import spec
from tests.unit.process.builders import (
    CREATED,
    NOW,
    STEPS,
    after,
    asked,
    done,
    in_progress,
    lost,
    new_saga,
    paused,
    refused,
    seen,
    undone,
)

SPEC = spec("o-1001")
SCHEMA = yamls.load((Path(__file__).parents[3] / "crds" / "ordersaga.yaml").read_text())["spec"]["versions"][0][
    "schema"
]["openAPIV3Schema"]["properties"]["status"]


def resource(status: dict[str, Any]) -> Resource:
    metadata = {"namespace": "shop", "name": "o-1001", "creationTimestamp": to_wire(CREATED)}
    return Resource({"metadata": metadata, "spec": SPEC, "status": status})


def written(saga: Saga, previous: dict[str, Any] | None = None) -> dict[str, Any]:
    return status_of(saga, now=NOW, generation=1, previous=previous or {})


def recordable(saga: Saga) -> Saga:
    """What a restart may rely on: without what lives in memory, times in whole seconds."""
    finished = saga.phase is Phase.COMPENSATED
    return replace(
        saga,
        steps=tuple(
            replace(
                record,
                retry_at=0.0,
                location="",
                in_progress_since=None,
                state=StepState.SKIPPED if finished and record.state is StepState.PENDING else record.state,
            )
            for record in saga.steps
        ),
        requested=None,
        intervention=saga.intervention and replace(saga.intervention, reason=""),
    )


texts = st.text(max_size=700)
steps = st.sampled_from(STEPS)
answers = st.one_of(
    steps.map(lambda step: done(step)[0]),
    st.builds(
        lambda step, reason, text: DoRefused(step=step, started=NOW, at=NOW, reason=reason, message=text),
        steps,
        st.sampled_from(["OutOfStock", "Compensated", "CardDeclined"]),
        texts,
    ),
    st.builds(
        lambda step, undo, reason, text: NoUsableAnswer(
            step=step, started=NOW, at=NOW, undo=undo, reason=reason, message=text
        ),
        steps,
        st.booleans(),
        st.sampled_from(["NoAnswer", "Unavailable", "ParticipantError"]),
        texts,
    ),
    st.builds(lambda step, undo: in_progress(step, undo=undo), steps, st.booleans()),
    st.builds(lambda step, undo: paused(step, undo=undo), steps, st.booleans()),
    st.builds(
        lambda step, effect: Undone(step=step, started=NOW, at=NOW, effect=effect),
        steps,
        st.sampled_from(["undone", "none"]),
    ),
    st.just(Undone(step="confirmation", started=NOW, at=NOW, closed=True)),
    st.just(AlreadyConfirmed(step="confirmation", started=NOW, at=NOW)),
    st.sampled_from(["order", "confirmation"]).map(
        lambda step: OrderIDUsed(step=step, started=NOW, at=NOW, message="x")
    ),
)
looks = st.one_of(
    st.builds(
        lambda state, at: seen(state, at=CREATED + at),
        st.sampled_from(["Active", "Suspended", "Cancelled"]),
        st.integers(0, 9000),
    ),
    st.builds(asked, st.sampled_from(["RetryNow", "MarkCompensated", "Skip"]), steps, st.sampled_from(["one", "two"])),
    st.just(seen(deleting=True)),
)
events = st.lists(st.one_of(answers, looks), max_size=25)
"""Not what can happen, but anything at all: the core may not trip over an answer that makes no sense."""


@given(events=events)
def test_what_is_written_is_what_a_restart_reads(events: list[Event]) -> None:
    saga = after(new_saga(), *events)
    assert saga_of(resource(written(saga))) == replace(recordable(saga), desired="Active", deleting=False)


@given(events=events)
def test_a_restart_decides_from_the_record_as_from_memory(events: list[Event]) -> None:
    saga = after(new_saga(), *events)
    restarted = saga_of(resource(written(saga)))
    later = NOW + 1e6  # whatever had to wait may go on
    assert decide(restarted, later) == decide(saga, later)
    assert restarted.phase == saga.phase


@given(events=events)
def test_an_event_that_is_folded_twice_does_no_harm(events: list[Event]) -> None:
    """After a lost race, what is not recorded yet is folded into the winner's record, which may have it already."""
    saga = after(new_saga(), *events)
    if events and not is_failed_attempt(saga, events[-1]):  # those count: the budget is spent sooner, nothing else
        assert after(saga, events[-1]) == saga


def is_failed_attempt(saga: Saga, event: Event) -> bool:
    if isinstance(event, DoRefused | OrderIDUsed):  # where such an answer makes no sense, it is taken for none
        record = saga[event.step]
        return "ParticipantError" in (record.reason, record.compensation.reason)
    if isinstance(event, Undone):  # one that found nothing of what is recorded as done
        return saga[event.step].compensation.reason == "ParticipantError"
    return isinstance(event, NoUsableAnswer)


@given(events=events)
def test_the_status_stays_within_the_schema(events: list[Event]) -> None:
    status = written(after(new_saga(), *events))
    for place, value, schema in values(status, SCHEMA, "status"):
        if isinstance(value, str):
            assert len(value) <= schema.get("maxLength", 10**6), place
            assert value in schema.get("enum", [value]), place
            if schema.get("format") == "date-time":
                assert value.endswith("Z"), place
    for condition in status["conditions"]:
        assert condition["reason"], condition
        assert len(condition["message"]) <= 1024, condition


def values(value: Any, schema: dict[str, Any], place: str) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Every value of a status with its schema; one that the schema doesn't know fails, since it would be pruned."""
    if isinstance(value, dict):
        for key, inner in value.items():
            assert key in schema["properties"], f"{place}.{key} is not in the schema"
            yield from values(inner, schema["properties"][key], f"{place}.{key}")
    elif isinstance(value, list):
        assert len(value) <= schema["maxItems"], place
        for inner in value:
            yield from values(inner, schema["items"], f"{place}[]")
    else:
        yield place, value, schema


@given(events=events)
def test_conditions_never_contradict_each_other(events: list[Event]) -> None:
    saga = after(new_saga(), *events)
    found = {condition.type: condition.status for condition in conditions_of(saga)}
    assert not (found["Reconciling"] == "True" and found["Stalled"] == "True")
    assert len(found) == len(conditions_of(saga))


def test_times_of_the_record_do_not_move() -> None:
    first = written(after(new_saga(), *done(*STEPS)))
    later = status_of(after(new_saga(), *done(*STEPS)), now=NOW + 999, generation=2, previous=first)
    assert later["startTime"] == first["startTime"]
    assert later["completionTime"] == first["completionTime"]
    assert [c["lastTransitionTime"] for c in later["conditions"]] == [
        c["lastTransitionTime"] for c in first["conditions"]
    ]


def test_the_calls_of_a_step_are_recorded_to_the_millisecond() -> None:
    status = written(after(new_saga(), *done("order")))
    times = [status["steps"][0][name] for name in ("startTime", "completionTime")]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time) for time in times)
    assert re.fullmatch(r"[^.]*Z", status["startTime"])


def test_a_condition_that_changes_has_a_new_time() -> None:
    first = written(new_saga())
    later = status_of(after(new_saga(), *done(*STEPS)), now=NOW + 999, generation=1, previous=first)
    ready = next(condition for condition in later["conditions"] if condition["type"] == "Ready")
    assert ready["lastTransitionTime"] == to_wire(NOW + 999)


def test_a_condition_says_no_more_than_it_has_to_and_an_older_one_keeps_its_time() -> None:
    """The generation that all conditions describe is the status's own. The release before said it in each."""
    status = written(new_saga())
    required = {"type", "status", "lastTransitionTime", "reason", "message"}
    assert all(set(condition) == required for condition in status["conditions"])
    older = [{**each, "observedGeneration": 1, "lastTransitionTime": to_wire(NOW - 9)} for each in status["conditions"]]
    again = written(new_saga(), {**status, "conditions": older})
    assert [each["lastTransitionTime"] for each in again["conditions"]] == [to_wire(NOW - 9)] * 4


def test_only_an_end_has_a_completion_time() -> None:
    assert "completionTime" not in written(after(new_saga(), *done("order")))
    assert written(after(new_saga(), *done(*STEPS)))["completionTime"] == to_wire(NOW)


def test_nothing_waits_in_a_saga_that_rests() -> None:
    waiting = after(new_saga(), *done("order"), lost("inventory", jitter=1.0))
    assert written(waiting)["nextAttemptTime"] == to_wire(NOW + 1)
    assert "nextAttemptTime" not in written(after(waiting, seen("Suspended")))


def test_a_saga_that_goes_on_waiting_for_a_participant_has_nothing_new_to_write() -> None:
    waiting = after(new_saga(), *done("order"), paused("inventory"))
    status = written(waiting)
    assert "nextAttemptTime" not in status
    still = after(waiting, replace(paused("inventory"), at=NOW + 600, until=NOW + 1200))
    assert written(still, status) == status


@pytest.mark.parametrize("undo", [False, True])
def test_polling_an_operation_in_progress_has_nothing_new_to_write(undo: bool) -> None:
    step = "confirmation" if undo else "inventory"
    waiting = after(new_saga(), *done("order"), *([seen("Cancelled")] if undo else []), in_progress(step, undo=undo))
    status = written(waiting)
    assert "nextAttemptTime" not in status
    for later in (5, 60, 600):
        again = replace(in_progress(step, undo=undo, at=NOW + later), message=f"for {later} s now")
        waiting = after(waiting, again)
        assert written(waiting, status) == status


def test_a_rollback_shows_when_it_goes_on_whatever_its_step_waited_for_before() -> None:
    rolling_back = after(new_saga(), *done("order"), paused("inventory"), seen("Cancelled"))
    trying = after(rolling_back, lost("confirmation", undo=True, jitter=1.0))
    assert written(trying)["nextAttemptTime"] > to_wire(NOW)


def test_for_people_there_is_a_sum_and_how_far_it_is() -> None:
    status = written(after(new_saga(), *done("order", "inventory")))
    assert (status["total"], status["stepsSummary"], status["currentStep"]) == ("25.00 EUR", "2/6", "payment")


@pytest.mark.parametrize(("currency", "total"), [("JPY", "2500 JPY"), ("KWD", "2.500 KWD")])
def test_the_sum_has_the_decimals_of_its_currency(currency: str, total: str) -> None:
    saga = new_saga()
    assert written(replace(saga, order=replace(saga.order, currency=currency)))["total"] == total


def test_steps_that_were_never_called_are_skipped_in_the_end() -> None:
    saga = after(
        new_saga(), *done("order"), refused("inventory"), *undone("confirmation", "shipping", "payment", "order")
    )
    assert saga.phase in FINISHED
    states = {entry["name"]: entry["state"] for entry in written(saga)["steps"]}
    assert states["notification"] == "Skipped"
    assert "Pending" not in states.values()


def test_a_step_that_the_record_does_not_know_is_pending() -> None:
    saga = saga_of(resource({"steps": [{"name": "order", "state": "Succeeded"}]}))
    assert [record.name for record in saga.steps] == [step.name for step in ORDER_SAGA]
    assert saga["payment"].state is StepState.PENDING


def test_a_record_that_says_the_same_is_not_written() -> None:
    saga = after(new_saga(), *done("order"))
    old = written(saga)
    assert status_of(saga, now=NOW + 60, generation=1, previous=old) == old


@pytest.mark.parametrize("phase", list(Phase))
def test_the_schema_knows_every_phase(phase: Phase) -> None:
    assert phase in SCHEMA["properties"]["phase"]["enum"]


@pytest.mark.parametrize("state", list(StepState))
def test_the_schema_knows_every_state(state: StepState) -> None:
    assert state in SCHEMA["properties"]["steps"]["items"]["properties"]["state"]["enum"]


def test_a_single_call_that_succeeded_leaves_no_history() -> None:
    def shown(*outcomes: CallOutcome) -> list[str]:
        history: History = {}
        for outcome in outcomes:
            history = noted(history, outcome, undo=isinstance(outcome, Undone))
        saga = after(new_saga(), *done("order"))
        steps = status_of(saga, now=NOW, generation=1, previous={}, history=history)["steps"]
        return [entry["outcome"] for entry in steps[0].get("history", ())]

    did, undid = Succeeded(step="order", started=NOW, at=NOW), Undone(step="order", started=NOW, at=NOW)
    assert shown(did) == shown(did, undid) == []
    assert shown(lost("order"), did) == ["Unavailable", "Succeeded"]
    assert shown(did, did, undid) == ["Succeeded", "Succeeded", "Undone"]
