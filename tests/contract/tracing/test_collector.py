"""Spans on their way to a collector over OTLP/HTTP: one that is well, one that refuses, hangs, or isn't there."""

import logging
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from common.tracing.context import TraceContext
from common.tracing.export import Spans, open_spans
from common.tracing.span import Span
from tests.support.otlp import Collector

Open = Callable[..., Spans]


@pytest.fixture(autouse=True)
def _few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "20")  # less than a batch, which becomes smaller then


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    def at(url: str, **options: str) -> Spans:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        for name, value in options.items():
            monkeypatch.setenv(name, value)
        spans = open_spans("payment-service")
        assert spans is not None
        return spans

    return at


def span(name: str = "POST", **options: object) -> Span:
    fields: dict[str, object] = {
        "name": name,
        "kind": "client",
        "context": TraceContext.new(sampled=True),
        "parent": 7,
        "start": 1_800_000_000.25,
        "end": 1_800_000_000.5,
        **options,
    }
    return Span(**fields)  # type: ignore[arg-type]


async def test_a_span_arrives_as_it_was_said(opened: Open) -> None:
    with Collector() as collector:
        spans = opened(collector.url, OTEL_RESOURCE_ATTRIBUTES="k8s.pod.name=payment-1")
        linked = TraceContext.new(sampled=False)
        sent = span(
            "payment\x1b[31m do\nforged",
            attributes={"ordersaga.step.attempt": 3, "long": "x" * 5000, "share": 0.5, "yes": True},
            links=[linked],
            status="error",
            message="card declined",
        )
        spans.send([sent, span("first", parent=None, status="ok", kind="server")])
        assert await spans.close()
        first, second = collector.spans
    assert first.service == "payment-service"
    assert first.name == "payment [31m do forged"
    assert (first.kind, first.status, first.message) == ("client", "error", "card declined")
    assert (first.trace_id, first.span_id) == (f"{sent.context.trace_id:032x}", f"{sent.context.span_id:016x}")
    assert first.parent == f"{7:016x}"
    assert (first.start, first.end) == (1_800_000_000.25, 1_800_000_000.5)
    assert first.attributes["long"] == "x" * 1023 + "…"
    assert {**first.attributes, "long": ""} == {"ordersaga.step.attempt": 3, "long": "", "share": 0.5, "yes": True}
    assert first.links == [(f"{linked.trace_id:032x}", f"{linked.span_id:016x}")]
    assert (second.parent, second.status, second.kind) == ("", "ok", "server")
    assert spans.dropped == 0


async def test_what_a_collector_refuses_is_counted(opened: Open) -> None:
    with Collector(status=400) as collector:
        spans = opened(collector.url)
        spans.send([span(), span()])
        assert await spans.flush()
        assert spans.dropped == 2
        collector.status = 200
        spans.send([span("well again")])
        assert await spans.close()
        assert [each.name for each in collector.spans] == ["well again"]


@pytest.mark.parametrize("trouble", ["hangs", "is not there"])
async def test_a_dead_collector_costs_spans_and_nothing_else(opened: Open, trouble: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:  # it takes connections and never answers
        if trouble == "is not there":
            listening.close()
            url = "http://127.0.0.1:9"
        else:
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        spans = opened(url)
        began = time.monotonic()
        spans.send(span() for _ in range(500))
        assert time.monotonic() - began < 0.5
        assert spans.dropped >= 480
        await spans.close(4)
        assert time.monotonic() - began < 4.6
        assert spans.dropped == 500


async def test_a_protocol_that_isnt_spoken_is_said(opened: Open, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "ordersaga.tracing")
    with Collector() as collector:
        spans = opened(collector.url, OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
        spans.send([span()])
        assert await spans.close()
        assert len(collector.spans) == 1
    assert "http/protobuf" in caplog.text


async def test_variables_that_cant_be_used_stop_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "ordersaga.tracing")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=s3cret,nonsense")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "-1")
    assert open_spans("payment-service") is None
    assert "OTEL_" in caplog.text
    assert "s3cret" not in caplog.text
