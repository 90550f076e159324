"""A small collector: it takes what OTLP/HTTP exporters send, and keeps the spans, in a thread of its own.

with Collector() as collector:
    ... a process with OTEL_EXPORTER_OTLP_ENDPOINT=collector.url ...
    spans = collector.wait_for(lambda spans: len(spans) > 11)
"""

import gzip
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Sent
from opentelemetry.proto.trace.v1.trace_pb2 import Status


@dataclass(frozen=True)
class Received:
    """A span as the collector has it. Ids are in hexadecimal; `parent` is "" for the first of a trace."""

    service: str
    instance: str
    """Which process has sent it."""
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent: str
    start: float
    end: float
    attributes: dict[str, Any]
    links: list[tuple[str, str]]
    status: str
    message: str


class _Server(ThreadingHTTPServer):
    """With room for all parts of a system that report at the same moment, on a machine that is busy."""

    request_queue_size = 128


class Collector:
    """Listens at 127.0.0.1. `status`: what it answers; `delay`: seconds before it does."""

    def __init__(self, *, port: int = 0, status: int = 200, delay: float = 0.0) -> None:
        self.spans: list[Received] = []
        self.raw: list[bytes] = []
        """Bodies, for those who look for what must not be in them."""
        self.headers: list[dict[str, str]] = []
        self.paths: set[str] = set()
        self.status, self.delay = status, delay
        self.arrived: list[str] = []
        """The paths of all exports, also of those that wait for an answer."""
        self._server = _Server(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        """For OTEL_EXPORTER_OTLP_ENDPOINT."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "Collector":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def wait_for(self, enough: Callable[[list[Received]], bool], seconds: float = 15.0) -> list[Received]:
        """All spans, as soon as they are enough; fails after so many seconds."""
        ends = time.monotonic() + seconds
        while not enough(list(self.spans)):
            shown = "\n".join(f"{each.service}: {each.name} {each.span_id} < {each.parent}" for each in self.spans)
            assert time.monotonic() < ends, f"not enough spans within {seconds:g} s:\n{shown}"
            time.sleep(0.05)
        return list(self.spans)

    def of_trace(self, trace_id: str) -> list[Received]:
        """The spans of one trace, in the order in which they began."""
        return sorted((each for each in self.spans if each.trace_id == trace_id), key=lambda each: each.start)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.arrived.append(self.path)
                time.sleep(collector.delay)
                collector.paths.add(self.path)
                if collector.status == 200 and self.path == "/v1/traces":
                    collector.raw.append(body)
                    collector.headers.append(dict(self.headers))
                    collector.spans += received(body)
                self.send_response(collector.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the base class
                """Nothing."""

        return Handler


def received(body: bytes) -> list[Received]:
    """The spans of one export."""
    request = ExportTraceServiceRequest.FromString(body)
    return [
        _received(span, _attributes(group.resource.attributes))
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def _received(span: Sent, sender: dict[str, Any]) -> Received:
    return Received(
        service=sender.get("service.name", ""),
        instance=sender.get("service.instance.id", ""),
        name=span.name,
        kind=Sent.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        start=span.start_time_unix_nano / 10**9,
        end=span.end_time_unix_nano / 10**9,
        attributes=_attributes(span.attributes),
        links=[(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
        status=Status.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_").lower(),
        message=span.status.message,
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in pairs}
