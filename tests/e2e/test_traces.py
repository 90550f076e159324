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


def roots_of(spans: list[Received]) -> dict[str, Received]:
    """The sagas' own spans, by order."""
    return {span.attributes["ordersaga.order.id"]: span for span in spans if span.name == "saga"}


def without_repetitions(spans: list[Received]) -> list[Received]:
    """Without what a killed operator had sent before it could take the finalizer off: its successor sends all of it."""
    by_operator: defaultdict[str, list[Received]] = defaultdict(list)
    for span in spans:
        if span.service == "ordersaga-operator":
            by_operator[span.instance].append(span)
    *killed, last = by_operator
    ids = {span.span_id for span in by_operator[last]}
    assert all(span.span_id in ids for each in killed for span in by_operator[each])
    return [span for span in spans if span.instance not in killed]


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
    # of these: an earlier test's orders, whose finalizers were on when it ended, are traced by now as well
    collector.wait_for(lambda spans: placed.keys() <= roots_of(spans).keys(), seconds=60)
    stack.stop()  # what is queued is sent

    roots = roots_of(collector.spans)
    for order_id in placed:
        spans = without_repetitions([s for s in collector.spans if s.trace_id == roots[order_id].trace_id])
        judge(spans)
        services = {span.service for span in spans} - {"ordersaga-operator"}
        if phases[order_id] == "Completed":
            assert services == {f"{name}-service" for name in SERVICES}
        attempts = {span.span_id for span in spans if span.service == "ordersaga-operator" and span.kind == "client"}
        assert sum(span.kind == "server" and span.parent in attempts for span in spans) >= CLEAN
        assert any(span.attributes.get("db.system.name") == "mongodb" for span in spans)
