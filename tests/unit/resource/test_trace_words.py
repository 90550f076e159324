"""What the spans of a saga say: names, times, statuses, links and attributes; and the ids of all of them."""

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from common.tracing.context import TraceContext
from common.tracing.span import Span
from saga_operator.process.events import Succeeded
from saga_operator.process.order import RetryPolicy
from saga_operator.process.saga import Desired, Saga
from saga_operator.process.steps import BY_NAME
from saga_operator.resource.attempts import History, noted
from saga_operator.resource.status import status_of
from saga_operator.resource.trace.place import MOST_ATTEMPTS, Place
from saga_operator.resource.trace.spans import LATEST, Story, asked_between, intervention_of, spans_of
from tests.unit.process.builders import (
    BEFORE_PIVOT,
    CREATED,
    NOW,
    STEPS,
    after,
    asked,
    done,
    lost,
    never_undone,
    new_saga,
    paused,
    refused,
    rolled_back,
    seen,
    undone,
)
from tests.unit.resource.runs import UID, resource_of

ALL = Place.of(UID, "", lambda *_: True)
PARENT = TraceContext(0xABC, 0xDEF, sampled=True)


def story(saga: Saga, history: History | None = None) -> Story:
    return Story(saga, history or {})


def recorded(saga: Saga, history: History | None = None) -> Story:
    return Story.recorded(resource_of(status_of(saga, now=NOW, generation=1, previous={}, history=history)))


def named(spans: list[Span]) -> dict[str, Span]:
    return {span.name: span for span in spans}


def first(text: str, octets: int) -> int:
    return int.from_bytes(sha256(text.encode()).digest()[:octets])


def test_every_id_follows_from_the_uid() -> None:
    assert ALL.saga == TraceContext(first(UID, 16), first(f"{UID}|saga", 8), sampled=True)
    assert ALL.step("payment", undo=False).span_id == first(f"{UID}|payment|do", 8)
    assert ALL.attempt("payment", 3, undo=True).span_id == first(f"{UID}|payment|undo|3", 8)
    assert ALL.beside("cancel", "").trace_id not in (ALL.saga.trace_id, ALL.beside("resume", "1").trace_id)


def test_a_saga_that_was_placed_in_a_trace_is_a_part_of_it() -> None:
    place = Place.of(UID, PARENT.header(), lambda trace_id, parent: parent is True)
    assert (place.saga.trace_id, place.parent, place.saga.sampled) == (PARENT.trace_id, PARENT.span_id, True)
    unsampled = Place.of(UID, replace(PARENT, sampled=False).header(), lambda trace_id, parent: bool(parent))
    assert not unsampled.saga.sampled
    assert unsampled.call("payment", 1, 0, undo=False).header().endswith("-00")


@pytest.mark.parametrize("broken", ["00-abc", "x" * 600, "00-" + "0" * 32 + "-" + "1" * 16 + "-01"])
def test_an_annotation_that_is_no_traceparent_is_none(broken: str) -> None:
    assert Place.of(UID, broken, lambda *_: True) == ALL


def test_a_call_is_sampled_only_if_its_attempt_surely_gets_a_span() -> None:
    assert ALL.call("payment", 3, 2, undo=False).sampled
    assert not ALL.call("payment", 3, 1, undo=False).sampled, "a successor would count from 1 again"
    assert not ALL.call("notification", MOST_ATTEMPTS + 1, MOST_ATTEMPTS, undo=False).sampled


def test_a_clean_step_has_one_attempt_though_no_history_is_recorded_of_it() -> None:
    saga = after(
        new_saga(), *(Succeeded(step=step, started=NOW + n, at=NOW + n + 0.25) for n, step in enumerate(STEPS))
    )
    spans = spans_of(ALL, story(saga))
    assert [span.name for span in spans[:3]] == ["saga", "order do", "POST /api/orders/create"]
    assert len(spans) == 1 + 2 * len(STEPS)
    call = named(spans)["POST /api/payments/process"]
    assert (call.start, call.end, call.kind) == (NOW + 2, NOW + 2.25, "client")
    assert "http.request.resend_count" not in call.attributes
    assert (spans[0].status, spans[0].start, spans[0].end) == ("ok", CREATED, NOW + 5.25)


def test_an_attempt_that_failed_is_an_error_and_the_next_one_counts() -> None:
    saga, history, *events = after(new_saga(), *done("order", "inventory")), {}, lost("payment"), *done("payment")
    kept: History = history
    for number, event in enumerate(events, 1):
        saga, kept = after(saga, event), noted(kept, event, undo=False, number=number)
    for known in (story(saga, kept), recorded(saga, kept)):
        spans = spans_of(ALL, known)
        failed, again = (span for span in spans if span.name == "POST /api/payments/process")
        assert (failed.status, failed.attributes["error.type"]) == ("error", "NoAnswer")
        assert again.status == "unset"
        assert again.attributes["http.request.resend_count"] == 1
        assert again.attributes["ordersaga.step.attempt"] == 2
        assert named(spans)["payment do"].attributes["ordersaga.attempts"] == 2


def test_a_refused_card_is_no_error_and_its_undo_is_linked_to_what_it_undoes() -> None:
    saga, _ = rolled_back(after(new_saga(), *done("order", "inventory"), refused("payment", "CardDeclined")))
    spans = named(spans_of(ALL, recorded(saga)))
    assert {span.status for span in spans.values()} == {"unset"}
    assert spans["saga"].attributes["ordersaga.reason"] == "CardDeclined"
    assert spans["payment do"].attributes["ordersaga.outcome"] == "Refused"
    assert "payment undo" not in spans
    assert spans["inventory undo"].links == [spans["inventory do"].context]
    assert spans["confirmation undo"].links == [], "it was never confirmed"


def test_a_saga_that_waits_for_a_person_is_an_error() -> None:
    saga = after(new_saga(), *done(*BEFORE_PIVOT), seen("Cancelled"), *undone("confirmation", "shipping"))
    saga = after(saga, *never_undone("payment"), *undone("inventory"))
    spans = named(spans_of(ALL, story(saga)))
    assert (spans["saga"].status, spans["payment undo"].status) == ("error", "error")
    assert spans["payment undo"].attributes["error.type"] == "NoAnswer"


def test_attempts_that_the_record_has_forgotten_have_spans_that_say_so() -> None:
    saga, kept = replace(new_saga(retry=RetryPolicy(max_attempts=20))), {}
    for number in range(1, 13):
        event = lost("order", at=NOW + number) if number < 12 else done("order", at=NOW + number)[0]
        saga, kept = after(saga, event), noted(kept, event, undo=False, number=number)
    calls = [span for span in spans_of(ALL, recorded(saga, kept)) if span.kind == "client"]
    assert [span.attributes["ordersaga.step.attempt"] for span in calls] == list(range(1, 13))
    assert [bool(span.attributes.get("ordersaga.estimated")) for span in calls] == [True] * 6 + [False] * 6


def test_a_call_that_was_not_counted_since_its_participant_was_down_has_an_attempt() -> None:
    saga, kept = after(new_saga(), *done("order", "inventory")), {}
    for number, events in enumerate(
        ((lost("payment"),), (lost("payment"),), (paused("payment"), seen("Cancelled"))), 1
    ):
        saga, kept = after(saga, *events), noted(kept, lost("payment"), undo=False, number=number)
    saga, _ = rolled_back(saga)
    for known in (story(saga, kept), recorded(saga, kept)):
        calls = [span for span in spans_of(ALL, known) if span.name == "POST /api/payments/process"]
        assert [span.attributes["ordersaga.step.attempt"] for span in calls] == [1, 2, 3]


def test_a_retry_that_counts_anew_makes_no_attempt_as_long_as_the_time_between() -> None:
    saga = after(new_saga(), *done(*BEFORE_PIVOT), seen("Cancelled"), *undone("confirmation", "shipping"))
    saga, kept = after(saga, *never_undone("payment"), *undone("inventory")), {}
    for number in (1, 2):
        kept = noted(kept, lost("payment", undo=True, at=NOW + number), undo=True, number=number)
    [again] = undone("payment")
    later = replace(again, started=NOW + 9000, at=NOW + 9001)
    saga = after(saga, asked("RetryNow", "payment"), later)
    kept = noted(kept, later, undo=True, number=1)
    calls = [span for span in spans_of(ALL, story(saga, kept)) if span.name == "POST /api/payments/refund"]
    assert [(span.attributes["ordersaga.step.attempt"], round(span.start - NOW)) for span in calls] == [
        (1, 9000),
        (2, 2),
    ]
    assert all(span.end - span.start < 2 for span in calls)


def test_an_action_stays_succeeded_while_its_undo_is_tried_again_by_hand() -> None:
    saga = after(new_saga(), *done(*BEFORE_PIVOT), seen("Cancelled"), *undone("confirmation", "shipping"))
    saga = after(saga, *never_undone("payment"), *undone("inventory"), asked("RetryNow", "payment"))
    paid = named(spans_of(ALL, story(saga)))["payment do"]
    assert (paid.attributes["ordersaga.outcome"], paid.status) == ("Succeeded", "unset")


@pytest.mark.parametrize("when", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_time_that_somebody_has_written_fits_into_a_span(when: str) -> None:
    status = status_of(after(new_saga(), *done("order")), now=NOW, generation=1, previous={})
    status["steps"][0] |= {"startTime": when, "completionTime": when}
    for span in spans_of(ALL, Story.recorded(resource_of(status))):
        assert 0 <= span.start <= span.end <= LATEST


def changes() -> dict[str, tuple[Saga, Any]]:
    suspended = after(new_saga(), seen("Suspended", at=NOW))
    stuck = after(
        new_saga(), *done(*BEFORE_PIVOT), seen("Cancelled"), *undone("confirmation"), *never_undone("payment")
    )
    return {
        "cancel": (after(new_saga(), *done("order")), seen("Cancelled")),
        "resume": (suspended, seen(at=NOW + 60)),
        "intervention MarkCompensated": (stuck, asked("MarkCompensated", "payment")),
    }


@pytest.mark.parametrize("name", changes())
def test_what_people_do_to_a_saga_is_a_trace_of_its_own_linked_to_it(name: str) -> None:
    saga, event = changes()[name]
    [span] = asked_between(ALL, saga, after(saga, event), event.at)
    assert span.name == name
    assert span.parent is None
    assert span.context.trace_id != ALL.saga.trace_id
    assert span.links == [ALL.saga]
    assert "mira" not in str(span), "who did it is in the resource"
    assert list(asked_between(ALL, after(saga, event), after(saga, event), event.at)) == []


def test_an_intervention_has_the_same_ids_from_the_record() -> None:
    saga, event = changes()["intervention MarkCompensated"]
    [seen_live] = asked_between(ALL, saga, after(saga, event), event.at)
    rebuilt = intervention_of(ALL, recorded(after(saga, event)).saga)
    assert rebuilt is not None
    assert rebuilt.context == seen_live.context


def test_nothing_that_a_participant_or_a_person_wrote_is_in_a_span() -> None:
    saga = after(new_saga(), *done("order"), replace(refused("inventory"), message="jane@example.com"), seen("Active"))
    assert "jane" not in str(spans_of(ALL, story(saga)))
    assert Desired.ACTIVE is saga.desired
    assert BY_NAME["inventory"].participant in str(spans_of(ALL, story(saga)))
