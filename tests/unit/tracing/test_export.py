"""Whoever sends spans waits for nothing, and knows how many were lost."""

import asyncio
import logging
import threading
import time

import pytest

from common.tracing.context import TraceContext
from common.tracing.export import Spans, is_configured, open_spans
from common.tracing.sampling import Sampling
from common.tracing.span import Span


def span(*, sampled: bool = True) -> Span:
    return Span("POST /api/payments/process", "server", TraceContext.new(sampled=sampled), None, 1.0, 2.0)


class Bounded:
    """A pipeline with room for so many spans, whose collector hangs."""

    def __init__(self, room: int) -> None:
        self.room, self.queued = room, list[Span]()
        self.hanging = threading.Event()

    def put(self, span: Span) -> bool:
        if len(self.queued) < self.room:
            self.queued.append(span)
            return True
        return False

    def flush(self) -> None:
        self.hanging.wait(10)

    close = flush


def spans_over(pipeline: Bounded, dropped: list[int]) -> Spans:
    spans = Spans(Sampling(), on_drop=dropped.append)
    spans.pipeline = pipeline
    return spans


def test_what_has_no_room_is_dropped_counted_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    dropped: list[int] = []
    pipeline = Bounded(3)
    spans = spans_over(pipeline, dropped)
    with caplog.at_level(logging.WARNING, "ordersaga.tracing"):
        for _ in range(5):
            spans.send([span(), span()])
    assert len(pipeline.queued) == 3
    assert (spans.dropped, sum(dropped)) == (7, 7)
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["spans were dropped, 1 by now"]


def test_what_isnt_sampled_is_neither_sent_nor_lost() -> None:
    pipeline = Bounded(3)
    spans = spans_over(pipeline, [])
    spans.send(span(sampled=False) for _ in range(9))
    assert (pipeline.queued, spans.dropped) == ([], 0)


async def test_a_collector_that_hangs_holds_up_the_end_for_no_longer_than_allowed() -> None:
    pipeline = Bounded(3)
    spans = spans_over(pipeline, [])
    began = time.monotonic()
    assert not await spans.flush(0.05)
    assert not await spans.close(0.05)
    assert time.monotonic() - began < 2
    spans.send([span()])  # too late
    assert (pipeline.queued, spans.dropped) == ([], 1)
    pipeline.hanging.set()
    async with asyncio.timeout(5):
        while not await spans.flush(5):  # noqa: ASYNC110 - its thread ends a moment later
            await asyncio.sleep(0.01)


async def test_those_who_ask_a_collector_that_hangs_again_and_again_need_no_thread_more_and_no_time() -> None:
    pipeline = Bounded(3)
    spans = spans_over(pipeline, [])
    assert not await spans.flush(0.01)
    began, threads = time.monotonic(), threading.active_count()
    for _ in range(100):
        assert not await spans.flush(5)
    assert time.monotonic() - began < 2
    assert threading.active_count() <= threads
    pipeline.hanging.set()


@pytest.mark.parametrize(
    ("environ", "configured"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "True"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:4318/v1/metrics"}, False),
    ],
)
def test_there_are_traces_where_a_collector_is_named_and_not_switched_off(
    environ: dict[str, str], configured: bool
) -> None:
    assert is_configured(environ) is configured


def test_without_a_collector_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    assert open_spans("payment-service") is None
