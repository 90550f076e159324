"""Traces of sagas whose operator dies: whole, without orphans, and no span twice."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from common.tracing.context import TraceContext
from saga_operator.process.steps import ORDER_SAGA
from tests.operator.conftest import OperatorProcess, Operators, Sagas, wait_until
from tests.operator.scripted import Reply, ScriptedParticipants, refused
from tests.support.otlp import Collector, Received

FORWARD = [str(step.do) for step in ORDER_SAGA]
BACKWARD = [
    *("/api/orders/create", "/api/inventory/reserve", "/api/payments/process", "/api/shipping/schedule"),
    *("/api/orders/reject", "/api/payments/refund", "/api/inventory/release", "/api/orders/cancel"),
]
"""The calls of a saga whose shipment is refused."""
HELD = 4.0
"""Seconds that a participant takes for the call at which the operator is killed."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


def traced(operators: Operators, collector: Collector, identity: str = "traced", **env: str) -> OperatorProcess:
    """An operator that traces every saga."""
    return operators.start(
        identity,
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_TRACES_SAMPLER_ARG="1",
        OTEL_BSP_SCHEDULE_DELAY="100",
        **env,
    )


def of_order(collector: Collector, name: str) -> list[Received]:
    return [span for span in collector.spans if span.attributes["ordersaga.order.id"] == name]


def whole(collector: Collector, name: str) -> list[Received]:
    """The saga's trace, once it is there."""
    wait_until(lambda: any(span.name == "saga" for span in of_order(collector, name)) or None, f"the trace of {name}")
    return of_order(collector, name)


def judge(spans: list[Received], participants: ScriptedParticipants, name: str) -> None:
    """One root, no orphan, no id twice, nothing outside its parent; and every call's parent is there."""
    ids = Counter(span.span_id for span in spans)
    assert [id_ for id_, count in ids.items() if count > 1] == [], name
    assert len({span.trace_id for span in spans}) == 1
    [root] = [span for span in spans if not span.parent]
    assert root.name == "saga"
    by_id = {span.span_id: span for span in spans}
    for span in spans:
        if span.parent:
            parent = by_id[span.parent]
            assert parent.start <= span.start <= span.end <= parent.end, (name, parent, span)
    for call in participants.of(name):
        sent = TraceContext.parse(call.traceparent)
        assert sent is not None
        assert f"{sent.trace_id:032x}" == root.trace_id
        assert not sent.sampled or f"{sent.span_id:016x}" in by_id, (name, call.path)


def test_a_kill_at_any_call_leaves_no_orphan_and_sends_no_span_twice(
    resting: None, operators: Operators, sagas: Sagas, participants: ScriptedParticipants, collector: Collector
) -> None:
    first = traced(operators, collector)
    held = {f"o-traced-on-{number}": path for number, path in enumerate(FORWARD)}
    back = {f"o-traced-back-{number}": path for number, path in enumerate(BACKWARD)}
    no = refused("not_serviceable")
    for name, path in (held | back).items():
        ships = path == "/api/shipping/schedule"
        yes = Reply(200, {"order_id": name, "effect": "undone"})
        participants.say(name, path, replace(no if name in back and ships else yes, delay=HELD))
        if name in back:
            participants.say(name, "/api/shipping/schedule", always=no)
        sagas.create(name)
    for name, path in (held | back).items():
        wait_until(lambda name=name, path=path: path in participants.paths(name) or None, f"{name} at {path}")
    first.kill()
    traced(operators, collector)
    for name in held:
        sagas.wait(name, "Completed", seconds=40)
    for name in back:
        sagas.wait(name, "Compensated", seconds=40)
    for name in held | back:
        judge(whole(collector, name), participants, name)


def test_the_times_of_a_traced_saga_lead_to_its_trace(
    resting: None, operators: Operators, sagas: Sagas, collector: Collector
) -> None:
    operator = traced(operators, collector)
    sagas.create("o-exemplar")
    sagas.wait("o-exemplar", "Completed")
    [root] = [span for span in whole(collector, "o-exemplar") if span.name == "saga"]
    text = operator.metrics(accept="application/openmetrics-text")
    marked = set(re.findall(rf'^(ordersaga_\w+)\{{.* # \{{trace_id="{root.trace_id}"\}}', text, re.MULTILINE))
    assert marked >= {
        "ordersaga_saga_duration_seconds_bucket",
        "ordersaga_sagas_finished_total",
        "ordersaga_step_call_duration_seconds_bucket",
        "ordersaga_step_duration_seconds_bucket",
    }
