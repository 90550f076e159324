"""What surrounds every request: correlation id, log fields, access line, metrics, and a bounded body.

Pure ASGI and outermost, so that requests for which there is no route are counted and logged as well.
"""

import asyncio
import logging
import math
import re
import time
import uuid
from contextlib import nullcontext
from urllib.parse import unquote_plus

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.account_numbers import REFUSED, is_account_number
from common.deadline import within
from common.errors import Invalid
from common.logs import log_context
from common.text import printable
from common.tracing.current import under
from common.web.idempotency import saga_key_parts
from common.web.metrics import ServiceMetrics
from common.web.request_state import RequestState
from common.web.security import secured
from common.web.tracing import QUIET, RequestSpans, order_in_path, parent_of

log = logging.getLogger("ordersaga.access")

_CORRELATION = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
SAGA_CALL_SECONDS = 4.0
"""The deadline of all that a saga's call asks of the database: its caller hangs up after 5 s, and a call that goes on
for nobody would be in the way of its own repetition.
"""
_ATTEMPT = re.compile(rb"[1-9][0-9]{0,5}")
_NOWHERE = nullcontext()


async def observed(
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    handle: ASGIApp,
    metrics: ServiceMetrics,
    namespace: str,
    spans: RequestSpans | None = None,
    public: bool = False,
) -> None:
    """Let `handle` answer the request; log and count the outcome, and make it a span. `public`: nobody calls for a saga
    at this port, so a key of that form is somebody's own.
    """
    started = time.perf_counter()
    headers = dict(scope["headers"])
    given = headers.get(b"x-correlation-id", b"")
    taken = _CORRELATION.fullmatch(given) and not is_account_number(given.decode())
    correlation_id = given if taken else uuid.uuid4().hex.encode()
    status = 0

    async def send_with_id(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            given = (*message["headers"], (b"x-correlation-id", correlation_id))
            message = {**message, "headers": secured(given, scope.get("scheme", "http"))}
        await send(message)

    state = RequestState.begin(scope, send)
    state.unsayable = _has_account_number(scope, headers)
    saga = {} if public or state.unsayable else _saga_fields(headers)
    deadline = within(SAGA_CALL_SECONDS if saga else math.inf)
    parent = parent_of(headers)
    span = None if spans is None else spans.begin(scope, parent)
    state.trace = parent if span is None else span.here.context
    fields = {"correlation_id": correlation_id.decode(), **saga}
    if state.trace is not None:
        fields["trace_id"] = state.trace.hex_id
    with log_context(fields), deadline, _NOWHERE if span is None else under(span.here):
        try:
            await handle(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", "(none)")
            code = state.problem_code
            kept = span.here.context.hex_id if span is not None and span.here.context.sampled else ""
            metrics.observe(scope["method"], route, status, code, seconds, trace_id=kept)
            # probes and scrapes come every few seconds
            level = logging.DEBUG if scope["path"] in QUIET and status < 400 else logging.INFO
            said = {"code": code, "caller": state.caller, "refused": state.refused}
            if order := order_in_path(scope):
                said |= {"saga": f"{namespace}/{order}", "order": order}
            _write(logging.ERROR if status in {0, 500} else level, scope, status, seconds, said)
            if span is not None:
                span.end(scope, status, saga)


def _write(level: int, scope: Scope, status: int, seconds: float, said: dict[str, str]) -> None:
    """The access line. It is there for every request: so nobody looks up which line of the source it comes from."""
    if not log.isEnabledFor(level):
        return
    path = "(not shown)" if RequestState.of(scope).unsayable else scope["path"]
    args = (printable(scope["method"], 20), printable(path, 512), status or "no answer")
    extra: dict[str, object] = {"status": status, "duration_ms": round(seconds * 1000, 1)}
    extra |= {name: value for name, value in said.items() if value}
    log.handle(log.makeRecord(log.name, level, __file__, 0, "%s %s %s", args, None, "observed", extra))


def bounded(scope: Scope, receive: Receive, *, limit: int, seconds: float) -> Receive:
    """`receive` for a body of at most `limit` bytes that arrives within `seconds` from now.

    It raises 413 once the body is longer, or at once if a longer one is announced, and 408 when the time is over: a
    client that sends a byte a second holds up nothing for longer. (FastAPI's own 413 is no problem+json.)
    """
    length = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    too_long = length.isdigit() and (len(length) > 15 or int(length) > limit)
    ends = asyncio.get_running_loop().time() + seconds
    received, complete = 0, False

    async def count() -> Message:
        nonlocal received, complete
        if too_long:
            raise HTTPException(413)
        if complete:  # what comes now is the end of the connection, which may take its time
            return await receive()
        try:
            async with asyncio.timeout_at(ends):
                message = await receive()
        except TimeoutError as error:
            raise HTTPException(408, headers={"Connection": "close"}) from error
        received += len(message.get("body", b""))
        if received > limit:
            raise HTTPException(413)
        complete = not message.get("more_body", False)
        return message

    return count


def refuse_account_numbers(scope: Scope) -> None:
    """Raises Invalid, which doesn't repeat it, if one stands in path, query or key: those are logged, and shown again.
    The fields of a body look after themselves (`common.wire`).
    """
    if RequestState.of(scope).unsayable:
        raise Invalid(f"correct the request: in its path, query or Idempotency-Key {REFUSED}")


def _has_account_number(scope: Scope, headers: dict[bytes, bytes]) -> bool:
    query, key = scope["query_string"], headers.get(b"idempotency-key", b"")
    texts = [*scope["path"].split("/"), *key.decode("latin-1").split("/")]
    if query:
        texts += re.split("[&=]", unquote_plus(query.decode("latin-1")))
    return any(map(is_account_number, texts))


def _saga_fields(headers: dict[bytes, bytes]) -> dict[str, str | int]:
    """`saga`, `order` and `step` from the Idempotency-Key, and `attempt` from the Saga-Attempt that came with it; none
    of them if the key is no saga's.
    """
    key = saga_key_parts(headers.get(b"idempotency-key", b"").decode("latin-1"))
    if key is None:
        return {}
    namespace, order, step, direction = key
    fields: dict[str, str | int] = {"saga": f"{namespace}/{order}", "order": order, "step": f"{step}/{direction}"}
    attempt = headers.get(b"saga-attempt", b"")
    if _ATTEMPT.fullmatch(attempt):
        fields["attempt"] = int(attempt)
    return fields
