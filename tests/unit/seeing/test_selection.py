"""A filter finds the sagas that are meant, and their trouble is grouped by step and reason."""

import argparse
from dataclasses import replace

import pytest

from ordersaga.saga.actions import ACTIONS, apt, called
from ordersaga.saga.facts import Facts
from ordersaga.saga.record import Record
from ordersaga.saga.selection import Selection, add_filter, grouped, near, selection_of, sorted_by, spelt, summed
from ordersaga.saga.sentence import sentence_of
from saga_operator.process import reasons
from tests.unit.process.builders import (
    CREATED,
    NOW,
    STEPS,
    asked,
    done,
    lost,
    never_undone,
    paused,
    refused,
    seen,
    undone,
)
from tests.unit.seeing.resources import LATER, record, unseen

COMPLETED = record(*done(*STEPS))
DECLINED = record(*done("order", "inventory"), refused("payment", "CardDeclined"), *undone(*STEPS[:5]))
RETRIED = record(*done("order"), lost("inventory"))
DOWN = record(*done("order", "inventory"), paused("payment"))
STUCK = record(
    *done("order", "inventory", "payment"),
    refused("shipping", "NotServiceable"),
    *undone("confirmation"),
    *never_undone("payment"),
    *undone("inventory"),
)
ALL = {"COMPLETED": COMPLETED, "DECLINED": DECLINED, "RETRIED": RETRIED, "DOWN": DOWN, "STUCK": STUCK}


DECLINED_REASONS = Facts.of(DECLINED).reasons


def found(*options: str) -> set[str]:
    parser = argparse.ArgumentParser()
    add_filter(parser)
    selection = selection_of(parser.parse_args(options))
    return {name for name, saga in ALL.items() if selection.takes(Facts.of(saga), LATER)}


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ("", {"RETRIED", "DOWN", "STUCK"}),
        ("--all", set(ALL)),
        ("--phase failed", {"STUCK"}),
        ("--phase Failed,Completed", {"STUCK", "COMPLETED"}),
        ("--step payment", {"DOWN", "STUCK"}),
        ("--all --reason CardDeclined", {"DECLINED"}),
        ("--all --reason card_declined", {"DECLINED"}),
        ("--reason NotServiceable", {"STUCK"}),
        ("--reason compensation_failed", {"STUCK"}),
        ("--reason WaitingForDownstream", {"DOWN"}),
        ("--id 100", {"RETRIED", "DOWN", "STUCK"}),
        ("--id 1002", set()),
        ("--needs-person", {"STUCK"}),
        ("--older 2m", {"RETRIED", "DOWN", "STUCK"}),
        ("--older 1h", set()),
        ("--newer 1m", set()),
        ("--customer c-18", set()),
    ],
)
def test_a_filter_finds_what_is_meant(options: str, names: set[str]) -> None:
    assert found(*options.split()) == names


def test_the_api_server_does_what_it_can_of_it() -> None:
    assert Selection().parameters() == {"fieldSelector": "status.phase!=Compensated,status.phase!=Completed"}
    chosen = Selection(phases=frozenset({"Failed"}), steps=frozenset({"payment"}), customer="c-17", labels="a=b")
    assert chosen.parameters() == {
        "fieldSelector": "status.phase=Failed,status.currentStep=payment,spec.customerID=c-17",
        "labelSelector": "a=b",
    }
    assert Selection(finished=True).parameters() == {}


def test_pending_sagas_are_found_that_have_no_phase_yet() -> None:
    saga, now = unseen(5)
    pending = Selection(phases=frozenset({"Pending"}))
    assert pending.takes(Facts.of(saga), now)
    assert pending.parameters() == {"fieldSelector": "status.phase!=Compensated,status.phase!=Completed"}


def test_what_is_no_phase_is_refused_with_those_that_are() -> None:
    with pytest.raises(ValueError, match=r"no phase 'Broken': Pending, .*Failed"):
        found("--phase", "Broken")


def test_trouble_is_grouped_by_reason_and_step_and_what_needs_a_person_comes_first() -> None:
    found = [Facts.of(saga) for saga in (DOWN, COMPLETED, DOWN, RETRIED, STUCK)]
    groups = [(group.trouble, group.step, group.number, group.needs_person) for group in grouped(found, LATER)]
    assert groups == [
        ("CompensationFailed", "payment", 1, True),
        ("WaitingForDownstream", "payment", 2, False),
        ("RetryScheduled", "inventory", 1, False),
    ]
    assert grouped(found, LATER)[0].oldest == CREATED


def test_sorted_by_phase_those_come_first_that_need_a_look() -> None:
    phases = [saga.phase for saga in sorted_by(map(Facts.of, (COMPLETED, RETRIED, STUCK, DECLINED)), "phase")]
    assert phases == ["Failed", "Running", "Compensated", "Completed"]


@pytest.mark.parametrize("name", ["DOWN", "STUCK", "RETRIED", "SUSPENDED"])
def test_who_is_in_trouble_says_since_when_and_that_isnt_the_age_of_the_order(name: str) -> None:
    suspended = record(*done("order"), seen("Suspended"), state="Suspended")
    facts = Facts.of({**ALL, "SUSPENDED": suspended}[name])
    assert facts.troubled_since(LATER) == NOW
    assert grouped([facts], LATER)[0].since == NOW != facts.created


def test_who_was_not_begun_waits_since_it_was_created_and_who_is_well_does_not_wait() -> None:
    saga, now = unseen(60)
    assert Facts.of(saga).troubled_since(now) == CREATED
    assert Facts.of(record(*done("order"))).troubled_since(LATER) is None
    assert Facts.of(COMPLETED).troubled_since(LATER) is None


def test_sorted_by_waiting_the_longest_comes_first_and_who_is_well_last() -> None:
    well = record(*done("order"))
    young, old = Facts.of(DOWN), replace(Facts.of(STUCK), since=NOW - 60)
    assert sorted_by([Facts.of(well), young, old], "waiting") == [old, young, Facts.of(well)]


def test_a_saga_that_waits_for_nothing_is_no_trouble() -> None:
    assert grouped([Facts.of(record(*done("order")))], LATER) == []


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("card_declined", "CardDeclined"),
        ("card declined", "CardDeclined"),
        ("waiting-for-downstream", "WaitingForDownstream"),
        ("CardDeclined", "CardDeclined"),
        ("bounced", "Bounced"),
        ("order_id_used", "OrderIDUsed"),
        ("waitingfordownstream", "WaitingForDownstream"),
        ("notbegun", "NotBegun"),
        ("CodeUnavailable", "CodeUnavailable"),
    ],
)
def test_a_reason_may_be_written_as_the_services_spell_it(given: str, meant: str) -> None:
    assert spelt(given) == meant


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("MarkCompensated", "; did you mean MarkedCompensated?"),
        ("CardDecline", "; did you mean CardDeclined?"),
        ("CompensationFailed", ""),
        ("Nonsense", ""),
    ],
)
def test_of_a_word_that_is_no_reason_the_nearest_one_is_named(asked: str, says: str) -> None:
    assert near([spelt(asked)], DECLINED_REASONS) == says


def test_a_sum_has_sagas_customers_and_phases() -> None:
    sagas = [("Failed", "c-1", "CompensationFailed"), ("Running", "c-1", ""), ("Running", "c-2", "RetryScheduled")]
    assert summed(sagas) == "3 sagas of 2 customers: 1 Failed, 2 Running"


def test_of_what_has_ended_a_sum_says_why_the_most_frequent_reason_first() -> None:
    ended = [("Compensated", "c-1", "OutOfStock"), *[("Compensated", "c-1", "CardDeclined")] * 2]
    sagas = [*ended, ("Completed", "c-2", "Completed"), ("Completed", "c-2", "Bounced")]
    why = "3 Compensated (2 CardDeclined, 1 OutOfStock), 2 Completed (1 Bounced)"
    assert summed(sagas) == f"5 sagas of 2 customers: {why}"


def test_a_refused_intervention_is_found_by_its_reason() -> None:
    status = {**RETRIED.item["status"], "intervention": {"id": "i-1", "reason": "InterventionRefused"}}
    meddled = Record({**RETRIED.item, "status": status})
    selection = Selection.said(reason=["InterventionRefused"])
    assert selection.takes(Facts.of(meddled), LATER)
    assert not selection.takes(Facts.of(RETRIED), LATER)


def test_who_was_suspended_while_a_service_was_down_waits_for_a_person_and_not_for_the_service() -> None:
    suspended = record(*done("order", "inventory"), paused("payment"), seen("Suspended"))
    assert suspended.condition("WaitingForDownstream")[0] == "True", "it stays in the record"
    facts = Facts.of(suspended)
    assert (facts.trouble, facts.is_stuck) == ("Suspended", True)
    assert not Selection.said(reason=["WaitingForDownstream"]).takes(facts, LATER)
    assert [group.trouble for group in grouped([facts], LATER)] == ["Suspended"]


def test_a_completed_order_shows_what_went_otherwise_than_it_was_asked() -> None:
    warned = record(*done(*STEPS[:5]), refused("notification", "Bounced"))
    late = record(*done(*STEPS[:5]), seen("Cancelled"), *done("notification"))
    assert [Facts.of(saga).reason for saga in (COMPLETED, warned, late)] == ["Completed", "Bounced", "CancelRefused"]
    by_hand = record(*done(*STEPS[:5]), lost("notification"), asked("Skip", "notification"))
    told = Selection.said(reason=["customer_not_told"], finished=True)
    assert [saga for saga in (COMPLETED, warned, late, by_hand) if told.takes(Facts.of(saga), LATER)] == [warned]
    assert Facts.of(by_hand).reason == "SkippedByHand"
    for words, meant in (("completed_with_warning", warned), ("bounced", warned), ("CancelRefused", late)):
        selection = Selection.said(reason=[words], finished=True)
        assert [saga for saga in (COMPLETED, warned, late) if selection.takes(Facts.of(saga), LATER)] == [meant]


def test_who_waits_is_not_found_among_those_that_are_called_again_nor_who_is_paused_among_those_in_an_outage() -> None:
    held = replace(paused("payment"), reason=reasons.PARTICIPANT_PAUSED)
    kinds = {
        "RetryScheduled": record(*done("order", "inventory"), lost("payment")),
        "WaitingForDownstream": record(*done("order", "inventory"), lost("payment"), paused("payment")),
        "ParticipantPaused": record(*done("order", "inventory"), lost("payment"), held),
    }
    for word, waiting in kinds.items():
        selection = Selection.said(reason=[word])
        assert [kind for kind, saga in kinds.items() if selection.takes(Facts.of(saga), LATER)] == [word]
        assert Facts.of(waiting).trouble == word


def test_of_several_undos_that_wait_the_one_counts_at_which_the_rollback_stands() -> None:
    held = replace(paused("shipping", undo=True), reason=reasons.PARTICIPANT_PAUSED, message="shipping is paused")
    rolled = (*done("order", "inventory"), refused("payment"), *undone("confirmation"))
    saga = record(*rolled, paused("inventory", undo=True), held)
    assert saga.step == "shipping"
    assert saga.condition("WaitingForDownstream")[1] == "WaitingForDownstream", "the first of them"
    assert Facts.of(saga).trouble == "ParticipantPaused"
    assert "shipping, which is paused" in sentence_of(saga, LATER).state


def test_a_retry_makes_no_sense_where_a_person_has_paused_the_service() -> None:
    held = replace(paused("payment"), reason=reasons.PARTICIPANT_PAUSED)
    retry = next(action for action in ACTIONS if action.name == "retry")
    assert "is paused" in retry.why_not(record(*done("order", "inventory"), held), "payment")
    assert retry.why_not(DOWN, "payment") == "", "it probes a service that is down"
    assert "retry" not in [action.name for action, _ in apt(record(*done("order", "inventory"), held))]


@pytest.mark.parametrize(
    ("saga", "step", "says"),
    [
        (RETRIED, "inventory", "call inventory again at once"),
        (STUCK, "payment", "undo payment again at once"),
        (record(*done("order"), refused("inventory"), lost("confirmation", undo=True)), "confirmation", "reject the"),
    ],
)
def test_before_a_retry_it_is_said_which_of_the_two_calls_is_repeated(saga: Record, step: str, says: str) -> None:
    retry = next(action for action in ACTIONS if action.name == "retry")
    assert retry.effect(saga, step).startswith(says)
    assert called(retry, saga, step) == ("order" if step == "confirmation" else step)


def test_what_somebody_did_is_found_by_their_name() -> None:
    suspended = record(*done("order"), seen("Suspended"), state="Suspended", requestedBy="carol@example.com")
    status = {**STUCK.item["status"], "intervention": {"id": "i-1", "reason": "Intervened", "by": "dana@example.com"}}
    retried = Record({**STUCK.item, "status": status})
    for part, meant in (("carol", [suspended]), ("dana", [retried]), ("example", [suspended, retried]), ("bob", [])):
        selection = Selection.said(by=part)
        assert [saga for saga in (suspended, retried, DOWN) if selection.takes(Facts.of(saga), LATER)] == meant
