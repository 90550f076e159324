"""The sentence says what a saga waits for, since when, why, what happens by itself, and what a person can do."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordersaga.saga.record import Record
from ordersaga.saga.sentence import UNSEEN_SECONDS, Sentence, parts, sentence_of
from ordersaga.saga.words import clock
from saga_operator.process import reasons
from saga_operator.process.decide import Wait, decide
from saga_operator.process.events import AlreadyConfirmed, Event
from saga_operator.process.saga import Phase
from tests.unit.process.builders import (
    CREATED,
    NOW,
    STEPS,
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
    tries,
    undone,
)
from tests.unit.seeing.resources import LATER, record, resource, unseen


def said(saga: Record, now: float = LATER) -> Sentence:
    return sentence_of(saga, now)


def test_a_completed_saga_needs_nobody() -> None:
    sentence = said(record(*done(*STEPS)))
    assert str(sentence) == "Completed 2 min 5 s ago, after < 1 s: all of it happened."
    assert not sentence.needs_person


def test_a_rolled_back_saga_says_which_step_was_the_cause() -> None:
    sentence = said(record(*done("order", "inventory"), refused("payment", "CardDeclined"), *undone(*STEPS[:5])))
    assert sentence.state.startswith("Rolled back 2 min 5 s ago")
    assert sentence.why == "The cause is payment: CardDeclined, no."
    assert "new order" in sentence.person
    assert not sentence.needs_person


def test_a_cancelled_one_says_who_did_it() -> None:
    cancelled = record(*done("order"), seen("Cancelled", desired_by="anna"), *undone(*STEPS[:5]), requestedBy="anna")
    assert said(cancelled).why.startswith("It was cancelled by anna")


@pytest.mark.parametrize("step", ["payment", "confirmation"])
def test_a_paused_participant_is_no_outage_and_a_person_can_end_it(step: str) -> None:
    before_it = done(*STEPS[: STEPS.index(step)])
    sentence = said(record(*before_it, replace(paused(step), reason=reasons.PARTICIPANT_PAUSED)))
    assert f"for {step}, which is paused" in sentence.state
    assert "Active again" in sentence.itself
    participant = {"confirmation": "order"}.get(step, step)
    assert f"kubectl patch participant {participant} --type merge" in sentence.person


def unread_by_anybody(state: str, *events: Event) -> Record:
    """Somebody has asked for this since the operator wrote the last status."""
    asked = record(*events, state=state, requestedBy="ann")
    item = asked.item
    return Record({**item, "metadata": {**item["metadata"], "generation": item["metadata"].get("generation", 1) + 1}})


@pytest.mark.parametrize(("state", "what"), [("Cancelled", "cancel"), ("Suspended", "suspend")])
def test_what_somebody_has_asked_for_and_nobody_has_read_is_said_first(state: str, what: str) -> None:
    sentence = said(unread_by_anybody(state, *done("order"), lost("inventory")))
    assert sentence.state.startswith(f"ann has asked to {what} it, which no operator has read yet. Waits to call")


def test_a_step_without_an_answer_says_how_often_it_was_tried_and_when_it_is_called_again() -> None:
    waiting = record(*done("order"), lost("inventory"), lost("inventory", jitter=1))
    sentence = said(waiting, NOW + 1)
    assert sentence.state == "Waits to call inventory again in 1 s, and has tried for 1 s."
    assert sentence.why == "Tried 2 times: lost."
    assert "after 8 attempts the order is rolled back" in sentence.itself
    with_deadline = said(record(*done("order"), lost("inventory"), activeDeadlineSeconds=3600), NOW + 1)
    assert f"after 8 attempts, and at {clock(CREATED + 3600)} at the latest, the" in with_deadline.itself
    assert "kubectl saga retry o-1001 inventory" in sentence.person
    assert not sentence.needs_person


def test_a_pause_that_a_service_asks_for_is_no_attempt() -> None:
    sentence = said(record(*done("order"), lost("inventory", wait=600)), NOW + 60)
    assert sentence.state.startswith("Waits to call inventory again in 9 min")
    assert sentence.why == "Not counted as an attempt: lost."


def test_once_confirmed_there_is_no_limit() -> None:
    assert "without a limit" in said(record(*done(*STEPS[:5]), lost("notification"))).itself


def test_a_service_that_is_down_is_named_and_nobody_has_to_steer_the_order() -> None:
    sentence = said(record(*done("order", "inventory"), paused("payment")))
    assert sentence.state == "Has waited for 2 min 5 s (since 08:00:10Z) for payment, which is down."
    assert "goes on by itself when the service answers again" in sentence.itself
    assert not sentence.needs_person


def test_a_rollback_that_waits_for_a_paused_service_is_not_told_to_probe_it() -> None:
    rolled = [*done(*STEPS[:2]), refused("payment"), *undone("confirmation")]
    waiting = replace(paused("shipping", undo=True), message="shipping is paused", reason=reasons.PARTICIPANT_PAUSED)
    sentence = said(record(*rolled, waiting))
    assert (
        sentence.state
        == "Being rolled back, which has waited for 2 min 5 s (since 08:00:10Z) for shipping, which is paused."
    )
    assert sentence.why.startswith("Shipping is paused. The cause is payment")
    assert "kubectl patch participant shipping" in sentence.person
    assert "retry" not in sentence.person, "RetryNow doesn't pass a pause"
    assert not sentence.needs_person


def test_whoever_waits_after_the_confirmation_or_in_a_rollback_says_since_when() -> None:
    assert said(record(*done(*STEPS[:5]), paused("notification"))).state.startswith("Has waited for 2 min")
    rolled = [*done("order", "inventory"), refused("payment"), *undone("confirmation")]
    assert (
        "has waited for 2 min 5 s (since 08:00:10Z) for shipping"
        in said(record(*rolled, paused("shipping", undo=True))).state
    )


def test_work_in_progress_isnt_trouble() -> None:
    sentence = said(record(*done("order", "inventory"), in_progress("payment")))
    assert (
        sentence.state == "Payment has accepted the call, and has been working on it for 2 min 5 s (since 08:00:10Z)."
    )
    assert not sentence.needs_person


def test_a_rollback_says_what_it_undoes_and_why() -> None:
    rolling = record(
        *done("order", "inventory", "payment"), refused("shipping", "NotServiceable"), *undone("confirmation")
    )
    sentence = said(rolling)
    assert sentence.state.startswith("Being rolled back: undoing ")
    assert "NotServiceable" in sentence.why
    assert not sentence.needs_person


def test_a_rejection_without_an_answer_is_repeated_without_a_limit() -> None:
    sentence = said(record(*done("order"), refused("inventory"), lost("confirmation", undo=True)))
    assert sentence.state.startswith("Being rolled back: rejecting the order")
    assert "without a limit" in sentence.itself


def stuck() -> Record:
    rolled = [*done("order", "inventory", "payment"), refused("shipping"), *undone("confirmation")]
    return record(*rolled, *never_undone("payment"), *undone("inventory"))


def test_a_stuck_compensation_needs_a_person_and_says_both_ways_out() -> None:
    sentence = said(stuck())
    assert sentence.needs_person
    assert "payment could not be undone" in sentence.state
    assert sentence.itself == "Nothing more happens by itself."
    assert "kubectl saga retry o-1001 payment" in sentence.person
    assert "kubectl saga mark-compensated o-1001 payment" in sentence.person


def test_a_step_that_is_refused_once_the_order_is_confirmed_needs_a_person() -> None:
    confirmed = AlreadyConfirmed(step="confirmation", started=NOW, at=NOW)
    late = after(before("payment"), seen("Cancelled"), confirmed, refused("payment"))
    sentence = said(Record(resource(late)))
    assert late.phase is Phase.FAILED
    assert sentence.needs_person
    assert "kubectl saga skip o-1001 payment" in sentence.person


def test_a_suspended_one_waits_for_a_person_and_says_who_suspended_it() -> None:
    sentence = said(record(*done("order"), seen("Suspended", desired_by="anna"), state="Suspended", requestedBy="anna"))
    assert sentence.state == "Suspended by anna 2 min 5 s ago (08:00:10Z), before inventory."
    assert sentence.needs_person
    assert "kubectl saga resume o-1001" in sentence.person


def test_one_that_nobody_has_begun_is_trouble_only_after_a_take_over_would_have_happened() -> None:
    fresh, now = unseen(UNSEEN_SECONDS - 1)
    assert not said(fresh, now).needs_person
    old, now = unseen(UNSEEN_SECONDS + 1)
    assert said(old, now).needs_person
    assert "kubectl saga doctor" in said(old, now).person


def test_its_parts_have_names_and_empty_ones_are_left_out() -> None:
    assert [name for name, _ in parts(said(record(*done(*STEPS))))] == ["State"]
    assert [name for name, _ in parts(said(stuck()))] == ["State", "Why", "By itself", "You can"]


EVENTS = st.lists(
    st.one_of(
        st.builds(lambda step: done(step)[0], st.sampled_from(STEPS)),
        st.builds(refused, st.sampled_from(STEPS)),
        st.builds(lost, st.sampled_from(STEPS), undo=st.booleans()),
        st.builds(paused, st.sampled_from(STEPS), undo=st.booleans()),
        st.builds(in_progress, st.sampled_from(STEPS), undo=st.booleans()),
        st.builds(lambda step: undone(step)[0], st.sampled_from(STEPS)),
        st.builds(seen, st.sampled_from(["Active", "Suspended", "Cancelled"])),
        st.builds(asked, st.sampled_from(["RetryNow", "Skip", "MarkCompensated"]), st.sampled_from(STEPS)),
    ),
    max_size=24,
)


@given(EVENTS)
def test_whatever_has_happened_the_sentence_says_where_it_stands_and_who_has_to_act(events: list[Event]) -> None:
    saga = after(new_saga(retry=tries(2)), *events)
    sentence = said(Record(resource(saga)))
    assert sentence.state.endswith((".", "!", "?"))
    assert "None" not in str(sentence)
    waits_for_nothing = isinstance(found := decide(saga, LATER + 1e6), Wait) and found.until is None
    if saga.phase in (Phase.COMPLETED, Phase.COMPENSATED):
        assert not sentence.needs_person
    elif saga.phase in (Phase.FAILED, Phase.SUSPENDED):
        assert sentence.needs_person
        assert sentence.person
    elif not waits_for_nothing:
        assert not sentence.needs_person
        assert sentence.itself or "begun" in sentence.state


@pytest.mark.parametrize(
    "odd", [{}, {"status": None}, {"status": {"phase": "Running", "steps": [{}]}}, {"metadata": {}}]
)
def test_a_resource_that_says_next_to_nothing_is_spoken_of_all_the_same(odd: dict[str, Any]) -> None:
    assert said(Record(odd)).state
