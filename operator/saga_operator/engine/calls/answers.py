"""What an answer of a participant means: an answer goes in, one event of the saga comes out. No I/O.

The protocol is in docs/participants.md. An answer is the participant's word only if it has the protocol's shape: a
success is a JSON object that names the order, everything else has a problem's `code`. Any other is the page of a proxy
or a gateway, whatever its status: no answer at all.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Final

from common.exchange import NOT_LET_IN, Answer
from common.text import printable
from saga_operator.engine.calls.call_gate import MAX_EPOCH
from saga_operator.process import reasons
from saga_operator.process.events import (
    AlreadyConfirmed,
    DoRefused,
    EpochRefused,
    InProgress,
    NoUsableAnswer,
    OrderIDUsed,
    Outcome,
    Succeeded,
    Undone,
)
from saga_operator.process.steps import FIRST, PIVOT, Step

TRY_AGAIN: Final = frozenset({408, 425, 429})
"""Client errors that mean "not now" (RFC 9110, RFC 8470, RFC 6585). Every 5xx means it as well."""
DEFAULT_POLL: Final = 1.0
"""Seconds until an operation in progress is asked for again, if its answer names no time."""
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,127}")
"""A problem's code is snake_case; what gateways call a code (`404`, `NOT_FOUND`) is none."""
_PATH: Final = re.compile(r"/(?:[!-.0-\[\]-~][!-\[\]-~]{0,1022})?")
"""A path of printable ASCII without a backslash, which isn't the beginning of another host's address (`//host`)."""


@dataclass(frozen=True, slots=True)
class Call:
    """The call that an answer belongs to.

    `started`: seconds since the epoch; `at`: the same clock now; `jitter`: a random number in [0, 1).
    """

    step: Step
    undo: bool
    order_id: str
    started: float
    at: Callable[[], float]
    jitter: Callable[[], float]

    def unavailable(self, reason: str, message: str, retry_after: float | None = None) -> NoUsableAnswer:
        """The event of a call without a usable answer."""
        return NoUsableAnswer(
            step=self.step.name,
            started=self.started,
            at=self.at(),
            undo=self.undo,
            reason=reason,
            message=message,
            retry_after=retry_after,
            jitter=self.jitter(),
        )


def outcome_of(call: Call, answer: Answer) -> Outcome:
    """What the answer means."""
    status, who = answer.status, call.step.participant
    body = json_object(answer)
    if status in (HTTPStatus.OK, HTTPStatus.CREATED):
        wrong = _not_a_success(call, body)
        if wrong:
            return call.unavailable(reasons.NO_ANSWER, f"{who} answered {status} {wrong}")
        return _success(call, body or {})
    if status == HTTPStatus.ACCEPTED:
        return _accepted(call, answer, body)
    retry_after = answer.retry_after
    problem = body or {}
    phrase = printable(answer.phrase, 80)
    code = _code(problem, status)
    if not code:
        message = f"{who} answered {status} {phrase} without a problem's code: a gateway's page, not its answer"
        return call.unavailable(reasons.UNAVAILABLE, message, retry_after)
    detail = printable(problem.get("detail")) or phrase or "no detail"
    if status == HTTPStatus.PRECONDITION_FAILED and code == "stale_epoch":
        return _epoch_refused(call, f"{who} answered {status}: {detail}", seen=_epoch(problem.get("epoch")))
    if status == HTTPStatus.UNPROCESSABLE_ENTITY and code == "epoch_ahead":
        return _epoch_refused(call, f"{who} answered {status}: {detail}", clock=_epoch(problem.get("clock")))
    if status == HTTPStatus.CONFLICT:
        return _conflict(call, code, detail, retry_after, problem)
    if code == "key_reused" and call.step.participant == FIRST.participant:
        return OrderIDUsed(step=call.step.name, started=call.started, at=call.at(), message=detail)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR and code == "document_unreadable":
        # of this order alone: it says nothing about the participant
        failed = call.unavailable(reasons.DOCUMENT_UNREADABLE, f"{who} answered {status}: {detail}", retry_after)
        return replace(failed, refused=call.undo)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in TRY_AGAIN:
        return call.unavailable(reasons.UNAVAILABLE, f"{who} answered {status}: {detail}", retry_after)
    reason = reasons.NOT_AUTHORIZED if status in NOT_LET_IN else reasons.PARTICIPANT_ERROR
    return call.unavailable(reason, f"{who} answered {status} {code}: {detail}", retry_after)


def _not_a_success(call: Call, body: dict[str, Any] | None) -> str:
    """What keeps a 200 from being the participant's success; empty if nothing does.

    A captive gateway answers 200 as well, and a cache may answer for another order. Neither may count as an effect.
    """
    if body is None:
        return "without a JSON object"
    if body.get("order_id") != call.order_id:
        return f"without this order's order_id, but with {printable(body.get('order_id'), 80) or 'none'}"
    if call.undo and body.get("effect") not in ("undone", "none"):
        return "without an effect: undone or none"
    return ""


def _success(call: Call, body: dict[str, Any]) -> Outcome:
    step, started, at = call.step, call.started, call.at()
    if call.undo:
        closed = step is PIVOT and body.get("closed") is True
        return Undone(step=step.name, started=started, at=at, effect=str(body["effect"]), closed=closed)
    external_id = printable(body.get(step.external_id), 128) if step.external_id else ""
    return Succeeded(step=step.name, started=started, at=at, external_id=external_id)


def _accepted(call: Call, answer: Answer, body: dict[str, Any] | None) -> Outcome:
    who, location = call.step.participant, _own_path(answer.headers.get("Location", ""))
    if not location and (body is None or body.get("order_id") != call.order_id):
        message = f"{who} answered {answer.status} without a Location of its own or this order's order_id"
        return call.unavailable(reasons.NO_ANSWER, message)
    return InProgress(
        step=call.step.name,
        started=call.started,
        at=call.at(),
        undo=call.undo,
        retry_after=answer.retry_after or DEFAULT_POLL,
        location=location,
        message=f"{who} has accepted the call and is still working on it",
    )


def _conflict(call: Call, code: str, detail: str, retry_after: float | None, problem: dict[str, Any]) -> Outcome:
    """409 with a code: a decision of the participant, not a malfunction."""
    step, undo, started, at = call.step, call.undo, call.started, call.at()
    if code == "running":
        wait = retry_after or DEFAULT_POLL
        return InProgress(step=step.name, started=started, at=at, undo=undo, retry_after=wait, message=detail)
    if code == "order_id_used" and step.participant == FIRST.participant:
        return OrderIDUsed(step=step.name, started=started, at=at, message=detail)
    if undo and step is PIVOT and code == "already_confirmed":
        return AlreadyConfirmed(step=step.name, started=started, at=at)
    if undo and code == "order_id_used":
        # Another namespace's key came first: the document, and whatever stands in it, was never this saga's.
        return Undone(step=step.name, started=started, at=at, effect="none")
    if undo:
        failed = call.unavailable(reasons.pascal(code), detail, retry_after)
        return replace(failed, refused=problem.get("retryable") is not True)
    return DoRefused(step=step.name, started=started, at=at, reason=reasons.pascal(code), message=detail)


def _epoch_refused(call: Call, message: str, *, seen: int | None = None, clock: int | None = None) -> EpochRefused:
    return EpochRefused(
        step=call.step.name,
        started=call.started,
        at=call.at(),
        undo=call.undo,
        message=message,
        seen=seen,
        clock=clock,
    )


def _epoch(told: object) -> int | None:
    """An epoch that participants can keep (a signed integer of 64 bits), or None."""
    return told if type(told) is int and 0 <= told < MAX_EPOCH else None


def json_object(answer: Answer) -> dict[str, Any] | None:
    """The body, if it says that it is JSON (`application/json`, `application/problem+json`) and is an object."""
    media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        return None
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):  # not JSON, or nested deeper than anything of ours
        return None
    return body if isinstance(body, dict) else None


def _code(problem: dict[str, Any], status: int) -> str:
    """The problem's code; "" if there is none. No gateway answers 409: there any text is the participant's."""
    code = problem.get("code")
    if not isinstance(code, str) or not (status == HTTPStatus.CONFLICT or _CODE.fullmatch(code)):
        return ""
    return printable(code, reasons.LONGEST)


def _own_path(location: str) -> str:
    """The path to ask again, only ever at the same participant: a Location elsewhere is ignored (ask by POST)."""
    return location if _PATH.fullmatch(location) else ""
