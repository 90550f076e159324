"""Finished spans on their way to a collector. Whoever sends them waits for nothing: what has no room, or what the
collector doesn't take, is dropped and counted.

    spans = open_spans("payment-service", on_drop=metrics.spans_dropped)    # None: no collector is configured
    spans.send([Span(…)])
    await spans.close()

The standard variables count: OTEL_EXPORTER_OTLP_ENDPOINT (and its kin for traces, headers, certificates, time-outs),
OTEL_TRACES_SAMPLER and its ARG, OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME, OTEL_BSP_…, OTEL_SDK_DISABLED.
"""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from common.tracing.sampling import Sampling
from common.tracing.span import Span

log = logging.getLogger("ordersaga.tracing")

CLOSE_SECONDS = 3.0
"""What a process that ends waits for its last spans: a collector that is well takes them in milliseconds."""
SAY_AGAIN_SECONDS = 60.0
"""Between two lines of the log about spans that were dropped."""


class Pipeline(Protocol):
    """What sends spans, in a thread of its own. Its methods other than `put` block."""

    def put(self, span: Span) -> bool:
        """Queue a span; False if there is no room for it."""

    def flush(self) -> None:
        """Send what is queued."""

    def close(self) -> None:
        """Send what is queued, and end."""


def is_configured(environ: Mapping[str, str]) -> bool:
    """Whether a collector is configured, and not switched off again."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none":
        return False
    return any(environ.get(f"OTEL_EXPORTER_OTLP_{name}") for name in ("ENDPOINT", "TRACES_ENDPOINT"))


def _protocol(environ: Mapping[str, str]) -> str:
    for name in ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        if said := environ.get(name, "").strip().lower():
            return said
    return ""


def open_spans(
    service: str,
    *,
    endpoint: str | None = None,
    on_drop: Callable[[int], object] = lambda dropped: None,
) -> "Spans | None":
    """The way to the collector that the environment names, or that listens at `endpoint` (its whole URL, with
    `/v1/traces`); None if there is none, and then nothing of OpenTelemetry's SDK is imported.

    `service`: the `service.name`, unless OTEL_SERVICE_NAME says another. `on_drop` is told of spans that were dropped,
    from any thread.
    """
    if endpoint is None and not is_configured(os.environ):
        return None
    from common.tracing.otlp import Otlp  # noqa: PLC0415 - see above

    if _protocol(os.environ) not in {"", "http/protobuf"}:
        log.warning("spans go over http/protobuf (port 4318, as a rule), whatever OTEL_EXPORTER_OTLP_PROTOCOL says")
    spans = Spans(Sampling.from_environment(os.environ, log.warning), on_drop=on_drop)
    try:
        spans.pipeline = Otlp(service, os.environ, endpoint, on_lost=spans.lost)
    except Exception as error:  # of the SDK, which reads its variables: nothing that matters stands still for it
        log.error("there are no traces: one of the variables OTEL_… can't be used: %s", type(error).__name__)
        return None
    return spans


class Spans:
    """The way to one collector."""

    pipeline: Pipeline

    def __init__(self, sampling: Sampling, *, on_drop: Callable[[int], object] = lambda dropped: None) -> None:
        """`pipeline` has to be set before the first span is sent."""
        self.sampling = sampling
        self.dropped = 0
        """Spans that the collector didn't get."""
        self._on_drop = on_drop
        self._lock = threading.Lock()
        self._said_at = float("-inf")
        self._is_closed = False
        self._flushing = False

    def send(self, spans: Iterable[Span]) -> None:
        """Send what is sampled of these. It blocks nobody and raises nothing."""
        left_out = 0
        for span in spans:
            if span.context.sampled and (self._is_closed or not self.pipeline.put(span)):
                left_out += 1
        if left_out:
            self.lost(left_out)

    def lost(self, number: int) -> None:
        """Count so many as dropped, and say so now and then. From any thread."""
        with self._lock:
            self.dropped += number
            now = time.monotonic()
            is_due = now > self._said_at + SAY_AGAIN_SECONDS
            if is_due:
                self._said_at = now
        self._on_drop(number)
        if is_due:
            log.warning("spans were dropped, %s by now: the collector doesn't take them", self.dropped)

    async def flush(self, seconds: float = CLOSE_SECONDS) -> bool:
        """Send what is queued. Whether all of it was handed over, or lost, within `seconds`.

        False at once if an earlier call still waits for the collector: threads that wait for one that hangs don't add
        up, and nor does the time of those who call this again and again.
        """
        if self._flushing:
            return False
        self._flushing = True

        def flush() -> None:
            try:
                self.pipeline.flush()
            finally:
                self._flushing = False

        return await _in_a_thread(flush, seconds)

    async def close(self, seconds: float = CLOSE_SECONDS) -> bool:
        """Send what is queued, and end; what comes later is dropped. As `flush`; a thread that still waits for the
        collector holds up nothing.
        """
        self._is_closed = True
        return await _in_a_thread(self.pipeline.close, seconds)


async def _in_a_thread(work: Callable[[], None], seconds: float) -> bool:
    """Whether it ended in time. Not one of the loop's threads: the interpreter would wait for those when it ends."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def run() -> None:
        try:
            work()
        except Exception as error:
            log.warning("spans could not be sent: %s", type(error).__name__)
        if not loop.is_closed():
            loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=run, name="spans", daemon=True).start()
    try:
        async with asyncio.timeout(seconds):
            await ended.wait()
    except TimeoutError:
        return False
    return True
