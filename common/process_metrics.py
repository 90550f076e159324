"""What every process tells of itself, the operator and each service: its release, how late its event loop is, and its
requests to the API server and to the providers.
"""

import asyncio
import functools
import inspect
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any, Final, TypeVar, cast

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from common.errors import Refused, Unavailable

T = TypeVar("T")

LOOK_SECONDS: Final = 0.5
"""Between two looks at the event loop: what holds it up for longer is seen in any case. A look costs microseconds."""
_LAG: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_CALL: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_VERBS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})


def build_info(service: str, registry: CollectorRegistry, *, definition: str = "") -> None:
    """Show the release that runs, and the definition of the process that the operator carries out."""
    Gauge(
        "ordersaga_build_info",
        "1. Its labels name the release, and the definition that new sagas get (the operator's alone).",
        ["service", "version", "definition"],
        registry=registry,
    ).labels(service, version("ordersaga"), definition).set(1)


def spans_dropped(service: str, registry: CollectorRegistry) -> Counter:
    """What counts the spans that a collector didn't get. It may be told from any thread."""
    return Counter(
        "ordersaga_spans_dropped_total",
        "Spans that the collector of traces didn't get.",
        ["service"],
        registry=registry,
    ).labels(service)


class LoopLag:
    """How late the event loop comes to what is due: each call, probe and renewal of the process waits so long."""

    def __init__(self, service: str, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "ordersaga_event_loop_lag_seconds",
            "How much later than due the event loop came to a timer, twice a second.",
            ["service"],
            buckets=_LAG,
            registry=registry,
        ).labels(service)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Look at the running event loop until the block ends."""
        loop = asyncio.get_running_loop()
        timer: asyncio.TimerHandle

        def look(due: float) -> None:
            nonlocal timer
            now = loop.time()
            self._seconds.observe(max(0.0, now - due))
            timer = loop.call_at(now + LOOK_SECONDS, look, now + LOOK_SECONDS)

        due = loop.time() + LOOK_SECONDS
        timer = loop.call_at(due, look, due)
        try:
            yield
        finally:
            timer.cancel()


class ApiRequests:
    """The requests to the API server, without those of a watch, whose time says nothing."""

    def __init__(self, service: str, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "ordersaga_api_request_duration_seconds",
            "One request to the API server, to the last byte of its answer: its status, or `none` without an answer.",
            ["service", "verb", "status"],
            buckets=_CALL,
            registry=registry,
        )
        self._service = service
        self._children: dict[tuple[str, int], Histogram] = {}

    def count(self, verb: str, status: int, seconds: float) -> None:
        """Count one; a status of 0 means that none came."""
        child = self._children.get((verb, status))
        if child is None:
            shown = str(status) if 100 <= status <= 599 else "none"
            child = self._seconds.labels(self._service, verb if verb in _VERBS else "_OTHER", shown)
            self._children[verb, status] = child
        child.observe(seconds)


class DatabaseOperations:
    """The operations of a service's database."""

    def __init__(self, service: str, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "ordersaga_database_operation_duration_seconds",
            "One operation of the database, or a transaction: `ok`, `duplicate` (a unique index has it) or `error`.",
            ["service", "operation", "outcome"],
            buckets=_CALL,
            registry=registry,
        )
        self._service = service
        self._children: dict[tuple[str, str], Histogram] = {}

    def count(self, operation: str, outcome: str, seconds: float) -> None:
        """Count one; both words come from our code."""
        child = self._children.get((operation, outcome))
        if child is None:
            child = self._children[operation, outcome] = self._seconds.labels(self._service, operation, outcome)
        child.observe(seconds)


class ProviderCalls:
    """The calls of a provider: of payments, of parcels, of messages."""

    def __init__(self, service: str, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "ordersaga_provider_call_duration_seconds",
            "One call of the provider of payments, parcels or messages: `answered`, `refused`, `unavailable` (without "
            "any effect) or `unknown`.",
            ["service", "call", "outcome"],
            buckets=_CALL,
            registry=registry,
        )
        self._service = service

    def of(self, provider: T) -> T:
        """The provider, whose asynchronous methods are measured from now on. Methods of one name are one label."""
        return cast("T", _Measured(provider, functools.cache(functools.partial(self._seconds.labels, self._service))))


class _Measured:
    """Passes everything on."""

    def __init__(self, provider: Any, child: Callable[[str, str], Histogram]) -> None:
        self._provider = provider
        self._child = child

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._provider, name)
        if not inspect.iscoroutinefunction(found):
            return found

        @functools.wraps(found)
        async def call(*args: Any, **options: Any) -> Any:
            began, outcome = time.perf_counter(), "unknown"
            try:
                answer = await found(*args, **options)
                outcome = "answered"
                return answer
            except Refused:
                outcome = "refused"
                raise
            except Unavailable:
                outcome = "unavailable"
                raise
            finally:
                self._child(name, outcome).observe(time.perf_counter() - began)

        setattr(self, name, call)  # found once
        return call
