"""What is said of a Participant to whoever looks at the page, and how many sagas wait for it."""

from dataclasses import replace
from typing import Any

import pytest

from common.wire import Json
from ordersaga.saga.access import Access
from ordersaga.saga.cluster import ClusterError
from ordersaga.saga.doctor import participants_found
from ordersaga.saga.facts import Facts
from ordersaga.saga.participants import Participant, waiting_for


def participant(status: str | None = None, reason: str = "", *, generation: int = 1) -> Json:
    conditions = [{"type": "Available", "status": status, "reason": reason, "message": "why"}] if status else []
    return {
        "metadata": {"name": "payment", "generation": generation},
        "spec": {},
        "status": {"observedGeneration": 1, "conditions": conditions},
    }


@pytest.mark.parametrize(
    ("status", "reason", "state"),
    [
        ("True", "Answering", "up"),
        ("False", "NoAnswer", "down"),
        ("False", "Paused", "paused"),
        ("Unknown", "NotCalled", "unknown"),
        (None, "", "unknown"),
    ],
)
def test_its_state_is_one_word(status: str | None, reason: str, state: str) -> None:
    assert Participant.of(participant(status, reason)).state == state


def test_a_change_that_the_operator_has_not_seen_is_told() -> None:
    assert Participant.of(participant("True", "Answering")).is_followed
    assert not Participant.of(participant("True", "Answering", generation=2)).is_followed


def saga(step: str, trouble: str) -> Facts:
    words: dict[str, Any] = {
        "customer": "c",
        "phase": "Running",
        "created": 0.0,
        "reason": "",
        "reasons": frozenset(),
        "since": None,
    }
    return Facts(
        name=f"o-{step}", step=step, trouble=trouble, people=frozenset(), is_stuck=False, is_seen=True, **words
    )


def test_whoever_waits_is_counted_at_the_service_of_its_step() -> None:
    waiting = [saga(step, "WaitingForDownstream") for step in ("payment", "confirmation", "order")]
    assert waiting_for([*waiting, saga("payment", "RetryScheduled")]) == {"payment": 1, "order": 2}


class Stub:
    """A cluster with these Participants, or with this refusal."""

    access = Access(server="https://cluster", namespace="shop", tls=None)

    def __init__(self, *items: Json, status: int = 0) -> None:
        self._items, self._status = items, status

    def get(self, _: str) -> Json:
        if self._status:
            raise ClusterError(self._status, "Refused", "refused")
        return {"items": list(self._items)}


def doctor(*items: Json, status: int = 0) -> list[tuple[str, str]]:
    """Verdict, and what is said with what to do."""
    found = participants_found(Stub(*items, status=status))  # type: ignore[arg-type]
    return [(each.verdict, f"{each.says} {each.to_do}") for each in found]


def test_the_doctor_names_who_is_down_and_who_is_paused_with_what_to_do() -> None:
    ((verdict, says),) = doctor(participant("False", "NoAnswer"))
    assert verdict == "wrong"
    assert "payment is down" in says
    ((verdict, says),) = doctor(participant("False", "Paused"))
    assert verdict == "look"
    assert "kubectl patch participant payment --type merge -p" in says


def test_trouble_says_since_when_and_why_and_who_answers_has_none() -> None:
    def trouble(item: Json) -> str:
        return replace(Participant.of(item), since=1000.0).trouble(1125.0)

    assert trouble(participant("False", "NoAnswer")).startswith("payment is down for 2 min (NoAnswer): ")
    assert trouble(participant("False", "Paused")).startswith("payment is paused for 2 min: ")
    assert trouble(participant("True", "Answering")) == ""


def test_before_sagas_are_steered_it_is_said_what_will_hold_them_up() -> None:
    def held(item: Json, number: int) -> str:
        return replace(Participant.of(item), since=1000.0).holds_up(1125.0, number)

    down, idle = participant("False", "NoAnswer"), participant("False", "Paused")
    assert held(down, 2) == "payment is down for 2 min: single calls probe it, and they will wait until it answers"
    assert held(down, 1).endswith("it will wait until it answers")
    assert "they will wait until that is Active again" in held(idle, 2)
    assert held(participant("True", "Answering"), 2) == ""


@pytest.mark.parametrize("status", [403, 404])
def test_the_doctor_misses_nothing_where_participants_are_no_resources(status: int) -> None:
    ((verdict, _),) = doctor(status=status)
    assert verdict == "?"


def test_the_doctor_is_content_with_those_that_answer_or_were_not_called_yet() -> None:
    ((verdict, says),) = doctor(participant("True", "Answering"))
    assert (verdict, says.strip()) == ("ok", "1 answer")
    ((verdict, says),) = doctor(participant("Unknown", "NotCalled"))
    assert verdict == "ok"
    assert "payment not called yet" in says
