"""A request as a span: whose child it is, whether it is recorded, and what is said of it (OpenTelemetry's conventions
for HTTP servers, with names of our own for what is the saga's).

Inside the cluster the caller decides whether a trace is recorded. At the public port the caller is anybody: its ids are
followed, so that a shop's own systems see one trace, and so is its decision, but its yes counts a few times a second
only. Otherwise whoever sends that header would fill the collector. Beyond that a request there is recorded by chance:
the usual choice, by the trace's id, would be the caller's again.
"""

import random
import time
from collections.abc import Mapping
from typing import Final

from starlette.types import Scope

from common.logs import noted
from common.text import printable
from common.tracing.context import HEADER, TraceContext
from common.tracing.current import Gathered, Here, Moment
from common.tracing.export import Spans
from common.tracing.span import Span, Value
from common.web.metrics import METHODS
from common.web.request_state import RequestState

FORCED_PER_SECOND: Final = 5.0
"""Requests whose trace a client at the public port may have recorded: some 60 spans a second with what follows from
them, which a collector doesn't notice.
"""
FORCED_AT_ONCE: Final = 20.0
"""After a quiet while: somebody who looks into something sends a few requests in a row."""

_PATH: Final = 512
"""Characters of a path, as in the log."""
QUIET: Final = frozenset({"/health", "/ready", "/metrics"})
"""Probes and scrapes are no part of a trace."""


def parent_of(headers: Mapping[bytes, bytes]) -> TraceContext | None:
    """The caller's span, as its traceparent says."""
    given = headers.get(HEADER.encode())
    return None if given is None else TraceContext.parse(given.decode("latin-1"))


class RequestSpans:
    """The spans of the requests at one port."""

    def __init__(self, spans: Spans, *, public: bool) -> None:
        self._spans = spans
        self._forced = Allowance() if public else None

    def begin(self, scope: Scope, parent: TraceContext | None) -> "RequestSpan | None":
        """The span of a request that has just arrived; None if it is never one."""
        if scope["path"] in QUIET:
            return None
        context = TraceContext.new(sampled=False) if parent is None else parent
        sampled = self._spans.sampling.samples(context.trace_id) if parent is None else self._follows(parent)
        if sampled:  # what isn't a span passes its caller's on
            context = TraceContext(context.trace_id, context.child().span_id, sampled=True)
        elif context.sampled:
            context = TraceContext(context.trace_id, context.span_id, sampled=False)
        return RequestSpan(self._spans, context, None if parent is None else parent.span_id)

    def _follows(self, parent: TraceContext) -> bool:
        sampling = self._spans.sampling
        if self._forced is None:
            return sampling.samples(parent.trace_id, parent.sampled)
        if not sampling.follows_parent:
            return sampling.samples(random.getrandbits(64))
        return parent.sampled and (self._forced.take() or sampling.samples(random.getrandbits(64)))


class RequestSpan:
    """One request's."""

    __slots__ = ("_began", "_below", "_parent", "here")

    def __init__(self, spans: Spans, context: TraceContext, parent: int | None) -> None:
        self._below: Gathered | None = None
        self._parent = parent
        if context.sampled:
            self._below, self._began = Gathered(spans), Moment()
        self.here = Here(self._below or spans, context)

    def end(self, scope: Scope, status: int, saga: Mapping[str, str | int]) -> None:
        """The answer is out. `status` 0: there was none. `saga`: as in its lines of the log."""
        if self._below is None:
            return
        state = RequestState.of(scope)
        route = getattr(scope.get("route"), "path", None)
        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        failed = status == 0 or status >= 500
        named = "HTTP" if method == "_OTHER" else method
        span = Span(
            f"{named} {route}" if route else named,
            "server",
            self.here.context,
            self._parent,
            self._began.time,
            self._began.now(),
            _attributes(scope, state, method, route, status) | _of_saga(scope, saga),
            status="error" if failed else "unset",
        )
        self._below.end(span)


def _attributes(scope: Scope, state: RequestState, method: str, route: str | None, status: int) -> dict[str, Value]:
    found: dict[str, Value] = {"http.request.method": method, "url.scheme": scope.get("scheme", "http")}
    if not state.unsayable:
        found["url.path"] = printable(scope["path"], _PATH)
    if route:
        found["http.route"] = route
    if status:
        found["http.response.status_code"] = status
    if state.problem_code:
        found["ordersaga.code"] = state.problem_code
    if status == 0 or status >= 500:
        found["error.type"] = state.problem_code or (str(status) if status else "no_answer")
    address = scope.get("server")  # where it was received: the header Host may say anything
    if address:
        found["server.address"] = address[0]
        if address[1] is not None:
            found["server.port"] = address[1]
    return found


def _of_saga(scope: Scope, saga: Mapping[str, str | int]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    if "step" in saga:
        step, _, operation = str(saga["step"]).partition("/")
        found = {"ordersaga.step.name": step, "ordersaga.step.operation": operation}
        if "attempt" in saga:
            found["ordersaga.step.attempt"] = saga["attempt"]
    if order := noted("order") or order_in_path(scope):
        found["ordersaga.order.id"] = order
    return found


def order_in_path(scope: Scope) -> str:
    """The order that the path names, where the route says that it does; empty if it names none."""
    order = scope.get("path_params", {}).get("order_id")
    return printable(order, 128) if order and not RequestState.of(scope).unsayable else ""


class Allowance:
    """So many in a second, and a few more after a while without any (a token bucket)."""

    def __init__(self, per_second: float = FORCED_PER_SECOND, at_once: float = FORCED_AT_ONCE) -> None:
        self._per_second, self._at_once = per_second, at_once
        self._left, self._since = at_once, time.monotonic()

    def take(self) -> bool:
        """Whether there is one left, which is used up then."""
        now = time.monotonic()
        self._left = min(self._at_once, self._left + (now - self._since) * self._per_second)
        self._since = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
