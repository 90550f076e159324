"""A trace of each order through all real parts, also while the operator is killed again and again."""

from collections import Counter, defaultdict
from collections.abc import Iterator

import pytest

from common.services import SERVICES
from tests.e2e.system import Stack
from tests.support.otlp import Collector, Received

KINDS = ({}, {"payment": {"method_ref": "test-declined"}}, {"ship_to": {"address_ref": "a-nowhere"}})
CLEAN = 6


@pytest.fixture
def collector(stack: Stack) -> Iterator[Collector]:
    """The system with every order traced, and as it was again afterwards."""
    stack.stop()
    with Collector() as running:
        tracing = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": running.url,
            "OTEL_TRACES_SAMPLER_ARG": "1",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        for process in stack.processes:
            process.env |= tracing
        stack.start()
        yield running
        stack.stop()
        for process in stack.processes:
            for name in tracing:
                del process.env[name]


def judge(spans: list[Received]) -> None:
    """One root, no orphan, no id twice."""
    assert [id_ for id_, count in Counter(span.span_id for span in spans).items() if count > 1] == []
    known = {span.span_id for span in spans}
    assert [f"{span.service}: {span.name}" for span in spans if span.parent and span.parent not in known] == []
    assert [(span.service, span.name) for span in spans if not span.parent] == [("order-service", "POST /api/orders")]


def test_an_order_is_one_trace_from_the_rest_call_to_the_databases_whoever_is_killed(
    stack: Stack, collector: Collector
) -> None:
    placed: dict[str, dict[str, object]] = {}
    for _ in range(3):
        for changes in KINDS:
            placed[stack.new_id("traced")] = changes
            stack.shop.place(list(placed)[-1], **changes)
        stack.operator.kill()
        stack.start()
    phases = stack.until_finished(*placed, seconds=90)
    assert Counter(phases.values()) == {"Completed": 3, "Compensated": 6}
    collector.wait_for(lambda spans: sum(span.name == "saga" for span in spans) >= len(placed), seconds=60)
    stack.stop()  # what is queued is sent

    by_trace: defaultdict[str, list[Received]] = defaultdict(list)
    for span in collector.spans:
        by_trace[span.trace_id].append(span)
    roots = [span for span in collector.spans if span.name == "saga"]
    traces = {root.attributes["ordersaga.order.id"]: by_trace[root.trace_id] for root in roots}
    assert traces.keys() == placed.keys()
    for order_id, spans in traces.items():
        judge(spans)
        services = {span.service for span in spans} - {"ordersaga-operator"}
        if phases[order_id] == "Completed":
            assert services == {f"{name}-service" for name in SERVICES}
        attempts = {span.span_id for span in spans if span.service == "ordersaga-operator" and span.kind == "client"}
        assert sum(span.kind == "server" and span.parent in attempts for span in spans) >= CLEAN
        assert any(span.attributes.get("db.system.name") == "mongodb" for span in spans)
