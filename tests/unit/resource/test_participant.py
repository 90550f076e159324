"""The status of a Participant: what it says, when it is written, and that it is written seldom."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.wire import Json
from saga_operator.resource.participant import Availability, Terms, event_between, status_of

NOW = 1_800_000_000.0
TERMS = Terms("http://payment:8002", "payment.ordersaga.io", timeout=5.0, concurrency=32)


def participant(generation: int = 1, status: Json | None = None, **spec: Any) -> Json:
    return {"metadata": {"name": "payment", "generation": generation}, "spec": spec, "status": status or {}}


def availability(**known: Any) -> Availability:
    usual = {"is_paused": False, "is_down": False, "has_answered": True, "in_flight": 0, "waiting": 0}
    return Availability(**(usual | known))


def written(resource: Json, **known: Any) -> Json | None:
    return status_of(resource, availability(**known), why_paused=resource["spec"].get("pauseReason", ""), now=NOW)


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({}, ("True", "Answering")),
        ({"has_answered": False}, ("Unknown", "NotCalled")),
        ({"is_down": True, "reason": "NoAnswer"}, ("False", "NoAnswer")),
        ({"is_paused": True}, ("False", "Paused")),
        ({"is_paused": True, "is_down": True, "reason": "NoAnswer"}, ("False", "Paused")),
    ],
)
def test_the_condition_says_whether_calls_are_made_and_answered(known: Json, said: tuple[str, str]) -> None:
    status = written(participant(), **known)
    assert status is not None
    (condition,) = status["conditions"]
    assert (condition["status"], condition["reason"]) == said
    assert status["observedGeneration"] == condition["observedGeneration"] == 1


def test_an_outage_costs_two_writes_however_many_calls_wait_and_whoever_leads() -> None:
    writes, status = 0, written(participant())
    down = {"is_down": True, "reason": "NoAnswer"}
    after_restart = {"has_answered": False}
    for known in (
        {},
        down,
        down | {"waiting": 500},
        after_restart,
        down | {"message": "another"},
        {},
        {"in_flight": 9},
    ):
        if (patch := written(participant(status=status), **known)) is not None:
            writes, status = writes + 1, patch
    assert writes == 2


def test_a_new_leader_believes_what_was_found_before_it_until_a_call_is_answered() -> None:
    status = written(participant(), is_down=True, reason="Unavailable")
    assert written(participant(status=status), has_answered=False) is None
    back = written(participant(status=status))
    assert back is not None
    assert back["conditions"][0]["status"] == "True"


def test_a_changed_spec_is_acknowledged_and_is_no_transition() -> None:
    status = written(participant())
    assert status is not None
    status["conditions"][0]["lastTransitionTime"] = "2026-01-01T00:00:00Z"
    seen = written(participant(2, status))
    assert seen is not None
    assert (seen["observedGeneration"], seen["conditions"][0]["lastTransitionTime"]) == (2, "2026-01-01T00:00:00Z")


def test_who_pauses_may_say_why() -> None:
    status = written(participant(state="Paused", pauseReason="maintenance until 4:00"), is_paused=True)
    assert status is not None
    assert "maintenance until 4:00" in status["conditions"][0]["message"]


def test_what_a_resource_says_counts_and_the_rest_is_as_in_the_settings() -> None:
    assert TERMS.changed_by({}) == TERMS
    changed = TERMS.changed_by({"url": "https://elsewhere/pay/", "maxCallsPerSecond": 5, "state": "Paused"})
    assert (changed.url, changed.rate, changed.is_paused) == ("https://elsewhere/pay", 5.0, True)
    assert (changed.timeout, changed.concurrency, changed.audience) == (5.0, 32, "payment.ordersaga.io")


def test_what_the_operator_writes_of_its_settings_changes_nothing() -> None:
    assert TERMS.changed_by(TERMS.as_spec()) == TERMS


FIELDS = st.sampled_from([*TERMS.as_spec(), "maxCallsPerSecond", "state", "pauseReason"])
ANYTHING = st.none() | st.text() | st.floats() | st.integers() | st.lists(st.integers())


@given(st.dictionaries(FIELDS, ANYTHING))
def test_whatever_an_older_definition_lets_through_leaves_terms_that_can_be_used(spec: Json) -> None:
    terms = TERMS.changed_by(spec)
    assert terms.timeout > 0
    assert terms.concurrency >= 1
    assert terms.rate >= 0


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({}, {"is_down": True, "reason": "NoAnswer"}, ("Warning", "ParticipantDown")),
        ({"is_down": True, "reason": "NoAnswer"}, {}, ("Normal", "ParticipantBack")),
        ({}, {"is_paused": True}, ("Normal", "ParticipantPaused")),
        ({"is_paused": True}, {"has_answered": False}, ("Normal", "ParticipantResumed")),
        ({"has_answered": False}, {}, None),
    ],
)
def test_people_are_told_of_what_stops_calls_and_of_its_end(
    before: Json, after: Json, told: tuple[str, str] | None
) -> None:
    resource = participant(status=written(participant(), **before))
    status = written(resource, **after)
    assert status is not None
    event = event_between(resource, status)
    assert (event and (event.type, event.reason)) == told
