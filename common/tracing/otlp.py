"""OpenTelemetry's own queue and exporter under `common.tracing.export`, which alone imports this, and only if a
collector is configured.
"""

import logging
import socket
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from common.text import printable
from common.tracing.context import TraceContext
from common.tracing.span import Span, Value

LONGEST = 1024
"""Characters of a name, an attribute or a message."""
QUEUE = 2048
"""Spans that wait or are being sent, OpenTelemetry's own default: some 170 sagas, and two megabytes."""
BATCH = 512
"""Spans that are sent at a time, OpenTelemetry's own default."""

_KINDS = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}
_STATUS = {"unset": StatusCode.UNSET, "ok": StatusCode.OK, "error": StatusCode.ERROR}
_FLAGS = {True: TraceFlags(TraceFlags.SAMPLED), False: TraceFlags(TraceFlags.DEFAULT)}


class Otlp:
    """A queue with a bound, and a thread that sends what is in it."""

    def __init__(
        self, service: str, environ: Mapping[str, str], endpoint: str | None, *, on_lost: Callable[[int], None]
    ) -> None:
        """`on_lost` is told of spans that were queued and not taken, from the thread that sends."""
        # Its own lines would come for each batch, and quote addresses and answers; ours come once a minute.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._room = _Room(_positive(environ.get("OTEL_BSP_MAX_QUEUE_SIZE", ""), QUEUE))
        batch = min(_positive(environ.get("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", ""), BATCH), self._room.size)
        sender = _Sender(OTLPSpanExporter(endpoint=endpoint), self._room, on_lost)
        self._processor = BatchSpanProcessor(sender, max_queue_size=self._room.size, max_export_batch_size=batch)
        release = version("ordersaga")
        own = {
            "service.name": service,
            "service.namespace": "ordersaga",
            "service.version": release,
            "service.instance.id": str(uuid.uuid4()),
        }
        if "KUBERNETES_SERVICE_HOST" in environ:
            own["k8s.pod.name"] = socket.gethostname()
        self._resource = Resource.create(own).merge(OTELResourceDetector().detect())
        self._scope = InstrumentationScope("ordersaga", release)

    def put(self, span: Span) -> bool:
        """Queue a span; False if there is no room for it."""
        if not self._room.take():
            return False
        self._processor.on_end(self._readable(span))
        return True

    def flush(self) -> None:
        """Send what is queued."""
        self._processor.force_flush()

    def close(self) -> None:
        """Send what is queued, and end."""
        self._processor.shutdown()  # type: ignore[no-untyped-call]

    def _readable(self, span: Span) -> ReadableSpan:
        parent = None
        if span.parent is not None:
            parent = _context(TraceContext(span.context.trace_id, span.parent, span.context.sampled), is_remote=False)
        message = printable(span.message, LONGEST) if span.status == "error" else ""
        return ReadableSpan(
            _text(span.name),
            context=_context(span.context, is_remote=False),
            parent=parent,
            resource=self._resource,
            attributes={name: _fit(value) for name, value in span.attributes.items()},
            links=[Link(_context(link, is_remote=True)) for link in span.links],
            kind=_KINDS[span.kind],
            status=Status(_STATUS[span.status], message or None),
            start_time=_nanoseconds(span.start),
            end_time=_nanoseconds(max(span.start, span.end)),
            instrumentation_scope=self._scope,
        )


class _Room:
    """How many more spans may wait. The processor's own bound drops the oldest, and tells nobody."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._taken = 0
        self._lock = threading.Lock()

    def take(self) -> bool:
        with self._lock:
            if self._taken >= self.size:
                return False
            self._taken += 1
            return True

    def give(self, number: int) -> None:
        with self._lock:
            self._taken -= number


class _Sender(SpanExporter):
    """The exporter, and what becomes of what it is given."""

    def __init__(self, exporter: SpanExporter, room: _Room, on_lost: Callable[[int], None]) -> None:
        self._exporter, self._room, self._on_lost = exporter, room, on_lost

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            self._room.give(len(spans))
            if result is not SpanExportResult.SUCCESS:
                self._on_lost(len(spans))
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


def _context(context: TraceContext, *, is_remote: bool) -> SpanContext:
    return SpanContext(context.trace_id, context.span_id, is_remote, _FLAGS[context.sampled])


def _nanoseconds(seconds: float) -> int:
    """Since 1970. The product would be rounded to 256 of them."""
    return int(seconds) * 1_000_000_000 + round(seconds % 1 * 1e9)


def _fit(value: Value) -> Value:
    return _text(value) if isinstance(value, str) else value


def _text(text: str) -> str:
    """Nearly all are as they should be, and seeing that costs a tenth of making them so."""
    return text if len(text) <= LONGEST and text.isascii() and text.isprintable() else printable(text, LONGEST)


def _positive(text: str, default: int) -> int:
    return int(text) if text.isdecimal() and int(text) else default
