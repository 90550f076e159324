"""Each step's last attempts, for people: when, which call, its outcome, and how long it took. No decision reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from common.wire import Json
from saga_operator.process.events import CallOutcome
from saga_operator.resource.times import read_time, to_wire_finely

KEPT: Final = 6
"""Attempts per step: enough to see a pattern, while each write costs as much as the status is large."""

CLEAN: Final[tuple[list[tuple[str, str]], ...]] = (
    [],
    [("do", "Succeeded")],
    [("undo", "Undone")],
    [("do", "Succeeded"), ("undo", "Undone")],
)


@dataclass(frozen=True, slots=True)
class CallAttempt:
    """One call of a step; `time` in seconds since the epoch."""

    time: float
    operation: str
    outcome: str
    milliseconds: int
    reason: str = ""
    number: int = 0
    """Of the attempt, counted from 1; 0 if it isn't known: the status doesn't say it."""


History = Mapping[str, tuple[CallAttempt, ...]]


def noted(history: History, answer: CallOutcome, *, undo: bool, number: int = 0) -> History:
    """The history with one more attempt, which has this number. Polls of one operation in progress count as one."""
    attempt = CallAttempt(
        time=answer.started,
        operation="undo" if undo else "do",
        outcome=answer.shown_as,
        milliseconds=max(1, round((answer.at - answer.started) * 1000)),
        reason=getattr(answer, "reason", ""),
        number=number,
    )
    before = history.get(answer.step, ())
    if before and (before[-1].operation, before[-1].outcome) == (attempt.operation, "InProgress") == (
        attempt.operation,
        attempt.outcome,
    ):
        return history
    return {**history, answer.step: (*before, attempt)[-KEPT:]}


def history_of(status: Mapping[str, Any]) -> History:
    """The history that the recorded status holds."""
    return {
        step["name"]: tuple(
            CallAttempt(
                time,
                entry["operation"],
                entry["outcome"],
                int(entry["milliseconds"]),
                entry.get("reason", ""),
            )
            for entry in step.get("history") or ()
            if (time := read_time(entry["time"])) is not None
        )
        for step in status.get("steps") or ()
    }


def entries(attempts: tuple[CallAttempt, ...]) -> list[Json]:
    """The attempts as the status shows them: none if all that happened is one call that did it (and one that undid it),
    since the step's own times and attempts say that.
    """
    if [(attempt.operation, attempt.outcome) for attempt in attempts] in CLEAN:
        return []
    return [
        {
            "time": to_wire_finely(attempt.time),
            "operation": attempt.operation,
            "outcome": attempt.outcome,
            "milliseconds": attempt.milliseconds,
            **({"reason": attempt.reason} if attempt.reason else {}),
        }
        for attempt in attempts
    ]
