"""Calls to the participants: an action becomes one HTTP request, and its answer becomes one event.

Which answer means what is the protocol that every participant follows (docs/participants.md): what is final, which call
is made again, and what needs a person.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Final

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from common.text import printable, seconds
from saga_operator.process import reasons
from saga_operator.process.decide import Do, Undo
from saga_operator.process.events import (
    AlreadyConfirmed,
    DoRefused,
    InProgress,
    NoUsableAnswer,
    OrderIDUsed,
    Outcome,
    Succeeded,
    Undone,
)
from saga_operator.process.saga import Saga
from saga_operator.process.steps import FIRST, ORDER_SAGA, PIVOT, Step, idempotency_key, request_body
from saga_operator.resource.body import Resource
from saga_operator.settings import Settings

TRY_AGAIN: Final = frozenset({408, 425, 429})
"""Client errors that mean "not now" (RFC 9110, RFC 8470, RFC 6585). Every 5xx means it as well."""
DEFAULT_POLL: Final = 1.0
"""Seconds until an operation in progress is asked for again, if its answer names no time."""
_PATH: Final = re.compile(r"/(?:[!-.0-\[\]-~][!-\[\]-~]{0,1022})?")
"""A path of printable ASCII without a backslash, which isn't the beginning of another host's address (`//host`)."""


class StaleEpoch(Exception):  # noqa: N818 - it reads as what happened
    """A participant has seen a higher epoch than ours: this process may have lost the Lease."""


@dataclass(frozen=True, slots=True)
class CallContext:
    """What travels with a call besides its body."""

    epoch: int
    correlation_id: str


@dataclass(frozen=True, slots=True)
class _Call:
    """The call that an answer belongs to. `started`: seconds since the epoch."""

    step: Step
    undo: bool
    started: float


class Participants:
    """One pool of connections for each participant; usable inside one event loop."""

    def __init__(self, settings: Settings, now: Callable[[], float]) -> None:
        self._now = now
        urls = {step.participant: settings.url_of(step.participant) for step in ORDER_SAGA}
        self._clients = {name: _client(url, settings.call_timeout, settings.max_calls) for name, url in urls.items()}

    async def aclose(self) -> None:
        """Close all connections."""
        for client in self._clients.values():
            await client.aclose()

    async def perform(self, action: Do | Undo, saga: Saga, context: CallContext) -> Outcome:
        """Make one call. What a participant does or fails to do is an outcome, not an exception.

        Raises:
            StaleEpoch: a participant answered 412.
        """
        step, undo = action.step, isinstance(action, Undo)
        call = _Call(step, undo, self._now())
        location = saga[step.name].location
        try:
            response = await self._send(step, undo=undo, saga=saga, context=context, location=location)
        # httpx-aiohttp translates most of aiohttp's errors, not all of them
        except (httpx.HTTPError, aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
            what = str(error) or type(error).__name__
            return self._unavailable(call, reasons.NO_ANSWER, f"no answer from {step.participant}: {what}")
        return self._event(call, response)

    async def archive(self, resource: Resource) -> None:
        """Let the order service keep a finished saga, before its resource is deleted.

        Raises:
            httpx.HTTPError, aiohttp.ClientError, OSError: it is not kept; try again later.
        """
        archived = {
            "namespace": resource.namespace,
            "uid": resource.uid,
            "created_at": resource.created,
            "spec": resource.spec,
            "status": resource.status,
        }
        answer = await self._clients[FIRST.participant].put(f"/api/orders/{resource.name}/saga", json=archived)
        answer.raise_for_status()

    async def _send(self, step: Step, *, undo: bool, saga: Saga, context: CallContext, location: str) -> httpx.Response:
        client = self._clients[step.participant]
        headers = {"Saga-Epoch": str(context.epoch), "X-Correlation-ID": context.correlation_id}
        if location:
            return await client.get(location, headers=headers)
        headers["Idempotency-Key"] = idempotency_key(step, undo=undo, order=saga.order)
        reason = reasons.snake(saga.failure.reason) if saga.failure is not None else ""
        path = step.undo if undo else step.do
        body = request_body(step, undo=undo, order=saga.order, reason=reason)
        return await client.post(str(path), json=body, headers=headers)

    def _event(self, call: _Call, response: httpx.Response) -> Outcome:
        step, undo, started, at = call.step, call.undo, call.started, self._now()
        status = response.status_code
        if status in (HTTPStatus.OK, HTTPStatus.CREATED):
            body = _json_object(response)
            if body is None:
                message = f"{step.participant} answered {status} without a JSON object"
                return self._unavailable(call, reasons.NO_ANSWER, message)
            if undo:
                effect = str(body.get("effect", "undone"))
                closed = step is PIVOT and body.get("closed") is True
                return Undone(step=step.name, started=started, at=at, effect=effect, closed=closed)
            external_id = printable(body.get(step.external_id), 128) if step.external_id else ""
            return Succeeded(step=step.name, started=started, at=at, external_id=external_id)
        retry_after = _retry_after(response)
        if status == HTTPStatus.ACCEPTED:
            return InProgress(
                step=step.name,
                started=started,
                at=at,
                undo=undo,
                retry_after=retry_after or DEFAULT_POLL,
                location=_own_path(response.headers.get("Location", "")),
                message=f"{step.participant} has accepted the call and is still working on it",
            )
        problem = _json_object(response) or {}
        code = _code(problem.get("code"))
        detail = printable(problem.get("detail")) or printable(response.reason_phrase) or "no detail"
        if status == HTTPStatus.PRECONDITION_FAILED and code == "stale_epoch":
            raise StaleEpoch(detail)
        if status == HTTPStatus.CONFLICT and code:
            return self._conflict(call, code, detail, retry_after, problem)
        if code == "key_reused" and step.participant == FIRST.participant:
            return OrderIDUsed(step=step.name, started=started, at=at, message=detail)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in TRY_AGAIN:
            message = f"{step.participant} answered {status}: {detail}"
            return self._unavailable(call, reasons.UNAVAILABLE, message, retry_after)
        message = f"{step.participant} answered {status} {code}: {detail}".replace("  ", " ")
        return self._unavailable(call, reasons.PARTICIPANT_ERROR, message)

    def _conflict(
        self, call: _Call, code: str, detail: str, retry_after: float | None, problem: dict[str, Any]
    ) -> Outcome:
        """409 with a code: a decision of the participant, not a malfunction."""
        step, undo, started, at = call.step, call.undo, call.started, self._now()
        if code == "running":
            wait = retry_after or DEFAULT_POLL
            return InProgress(step=step.name, started=started, at=at, undo=undo, retry_after=wait, message=detail)
        if code == "order_id_used" and step.participant == FIRST.participant:
            return OrderIDUsed(step=step.name, started=started, at=at, message=detail)
        if undo and step is PIVOT and code == "already_confirmed":
            return AlreadyConfirmed(step=step.name, started=started, at=at)
        if undo:
            failed = self._unavailable(call, reasons.pascal(code), detail, retry_after)
            return replace(failed, refused=problem.get("retryable") is not True)
        return DoRefused(step=step.name, started=started, at=at, reason=reasons.pascal(code), message=detail)

    def _unavailable(self, call: _Call, reason: str, message: str, retry_after: float | None = None) -> NoUsableAnswer:
        return NoUsableAnswer(
            step=call.step.name,
            started=call.started,
            at=self._now(),
            undo=call.undo,
            reason=reason,
            message=message,
            retry_after=retry_after,
            jitter=random.random(),  # noqa: S311 - spreads retries, guards nothing
        )


def _client(url: str, timeout: float, connections: int) -> httpx.AsyncClient:
    """httpx's API over aiohttp's transport: httpcore costs several ms of CPU a call under load (docs/adr/0004)."""

    def session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=connections, keepalive_timeout=30)
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    return httpx.AsyncClient(
        transport=AiohttpTransport(client=session, trust_env=False),
        base_url=url,
        timeout=httpx.Timeout(timeout),
        headers={"User-Agent": "ordersaga-operator", "Accept": "application/json"},
        follow_redirects=False,
        trust_env=False,
    )


def _json_object(response: httpx.Response) -> dict[str, Any] | None:
    try:
        body = response.json()
    except (ValueError, RecursionError):  # not JSON, or nested deeper than anything of ours
        return None
    return body if isinstance(body, dict) else None


def _code(code: object) -> str:
    """A problem's code as text; anything else than text is none."""
    return printable(code, reasons.LONGEST) if isinstance(code, str) else ""


def _own_path(location: str) -> str:
    """The path to ask again, only ever at the same participant: a Location elsewhere is ignored (ask by POST)."""
    return location if _PATH.fullmatch(location) else ""


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds; the HTTP-date form (RFC 9110 §10.2.3) is not used between these services and is ignored."""
    return seconds(response.headers.get("Retry-After"))
