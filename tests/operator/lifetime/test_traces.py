"""Traces of sagas whose operator dies: whole, without orphans, and no span twice."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from common.tracing.context import ANNOTATION, TraceContext
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
SHIPPING = "/api/shipping/schedule"
HELD = 4.0
"""Seconds that a participant takes for the call at which the operator is killed."""
HANGS = 600.0
"""Seconds: longer than this file takes."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


def traced(operators: Operators, collector: Collector, identity: str = "traced", **env: str) -> OperatorProcess:
    """An operator that traces every saga."""
    usual = {"OTEL_TRACES_SAMPLER_ARG": "1", "OTEL_BSP_SCHEDULE_DELAY": "100"}
    return operators.start(identity, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **{**usual, **env})


def of_order(collector: Collector, name: str) -> list[Received]:
    return [span for span in collector.spans if span.attributes["ordersaga.order.id"] == name]


def whole(collector: Collector, name: str) -> list[Received]:
    """The saga's trace, once it is there: a successor may have to start first."""
    wait_until(lambda: any(s.name == "saga" for s in of_order(collector, name)) or None, f"the trace of {name}", 60.0)
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


def test_a_kill_at_any_call_or_between_two_leaves_no_orphan_and_sends_no_span_twice(
    resting: None, operators: Operators, sagas: Sagas, participants: ScriptedParticipants, collector: Collector
) -> None:
    """Of each call that there is one saga has it in flight when the operator dies, and another waits to repeat it."""
    first = traced(operators, collector)
    calls = [(path, "on") for path in FORWARD] + [(path, "back") for path in BACKWARD]
    died_in = {f"o-traced-{way}-{number}": (path, way) for number, (path, way) in enumerate(calls)}
    died_between = {f"o-traced-again-{way}-{number}": (path, way) for number, (path, way) in enumerate(calls)}
    no = refused("not_serviceable")
    for name, (path, way) in (died_in | died_between).items():
        yes = Reply(200, {"order_id": name, "effect": "undone"})
        answer = no if way == "back" and path == SHIPPING else yes
        later = Reply(503, {"code": "busy"}, {"Retry-After": f"{HELD:.0f}"})
        participants.say(name, path, replace(answer, delay=HELD) if name in died_in else later)
        if way == "back":
            participants.say(name, SHIPPING, always=no)
        sagas.create(name)
    for name, (path, _) in (died_in | died_between).items():
        wait_until(lambda name=name, path=path: path in participants.paths(name) or None, f"{name} at {path}", 60.0)
    first.kill()
    second = traced(operators, collector)
    for name, (_, way) in (died_in | died_between).items():
        sagas.wait(name, "Completed" if way == "on" else "Compensated", seconds=90)
    traces = {name: whole(collector, name) for name in died_in | died_between}
    second.stop()
    for name in traces:
        judge(of_order(collector, name), participants, name)
        archived = TraceContext.parse(participants.archived_within[name])
        assert archived is not None
        assert not archived.sampled, "what comes after its end is no trace beside it"


def test_a_kill_while_the_collector_has_not_answered_leaves_the_trace_to_the_successor(
    resting: None, operators: Operators, sagas: Sagas, collector: Collector
) -> None:
    name = "o-traced-unheard"
    first = traced(operators, collector)
    collector.delay = HANGS
    sagas.create(name)
    sagas.wait(name, "Completed", seconds=60)
    wait_until(lambda: collector.arrived or None, "the collector to be told")
    first.kill()
    assert sagas.get(name)["metadata"]["finalizers"], "that is how the successor finds it"
    collector.delay = 0.0
    traced(operators, collector)
    assert len(whole(collector, name)) == 1 + 2 * len(ORDER_SAGA)
    wait_until(lambda: not sagas.get(name)["metadata"].get("finalizers") or None, "the finalizer to go")


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


def test_a_trace_has_the_times_that_the_process_saw(
    resting: None, operators: Operators, sagas: Sagas, participants: ScriptedParticipants, collector: Collector
) -> None:
    traced(operators, collector)
    name = "o-traced-times"
    participants.say(
        name, "/api/payments/process", Reply(503, {"code": "busy"}), Reply(200, {"order_id": name}, delay=0.3)
    )
    sagas.create(name)
    spans = whole(collector, name)
    judge(spans, participants, name)
    lost, paid = (span for span in spans if span.name == "POST /api/payments/process")
    assert (lost.status, lost.attributes["error.type"]) == ("error", "Unavailable")
    assert 0.3 <= paid.end - paid.start < 1.5
    assert paid.attributes["http.request.resend_count"] == 1
    assert lost.end <= paid.start
    [root] = [span for span in spans if span.name == "saga"]
    assert (root.status, root.service) == ("ok", "ordersaga-operator")
    assert root.attributes["ordersaga.saga.uid"] == sagas.get(name)["metadata"]["uid"]


def test_a_saga_of_a_trace_follows_it_and_its_events_name_it(
    resting: None, operators: Operators, sagas: Sagas, participants: ScriptedParticipants, collector: Collector
) -> None:
    traced(operators, collector, OTEL_TRACES_SAMPLER_ARG="0")
    sampled, not_sampled = TraceContext(0xAB, 0x1, sampled=True), TraceContext(0xAC, 0x2, sampled=False)
    for name, context in (("o-traced-by-parent", sampled), ("o-traced-by-none", not_sampled)):
        participants.say(name, "/api/payments/process", refused("card_declined"))
        sagas.create(name, annotations={ANNOTATION: context.header()})
    spans = whole(collector, "o-traced-by-parent")
    [root] = [span for span in spans if span.name == "saga"]
    assert (root.trace_id, root.parent) == (f"{0xAB:032x}", f"{1:016x}")
    sagas.wait("o-traced-by-none", "Compensated")
    assert {call.traceparent[-3:] for call in participants.of("o-traced-by-none")} == {"-00"}
    assert of_order(collector, "o-traced-by-none") == []

    def noted(name: str) -> list[str]:
        listed = sagas.core.list_namespaced_event(sagas.namespace, field_selector=f"involvedObject.name={name}").items
        return [str((event.metadata.annotations or {}).get("ordersaga.io/trace-id", "")) for event in listed]

    wait_until(lambda: len(noted("o-traced-by-parent")) > 1 or None, "its Events")
    wait_until(lambda: len(noted("o-traced-by-none")) > 1 or None, "its Events")
    assert set(noted("o-traced-by-parent")) == {root.trace_id}
    assert set(noted("o-traced-by-none")) == {""}


def test_what_people_do_has_traces_of_its_own_and_each_is_sent_once(
    resting: None, operators: Operators, sagas: Sagas, participants: ScriptedParticipants, collector: Collector
) -> None:
    first = traced(operators, collector)
    resumed, cancelled = "o-traced-resumed", "o-traced-cancelled"
    sagas.create(resumed, state="Suspended")
    participants.say(cancelled, "/api/payments/process", Reply(503, {"code": "busy"}, {"Retry-After": "600"}))
    sagas.create(cancelled)
    sagas.wait(resumed, "Suspended")
    wait_until(lambda: "/api/payments/process" in participants.paths(cancelled) or None, "the payment to be called")
    retry = {"id": "again-1", "action": "RetryNow", "step": "payment", "reason": "it is back"}
    participants.say(cancelled, "/api/payments/process", Reply(503, {"code": "busy"}, {"Retry-After": "600"}))
    sagas.patch(cancelled, intervention=retry)
    wait_until(lambda: sagas.status(cancelled).get("intervention"), "the intervention to be recorded")
    collector.wait_for(lambda spans: any(span.name == "intervention RetryNow" for span in spans))
    first.kill()
    traced(operators, collector)
    sagas.patch(resumed, state="Active")
    sagas.patch(cancelled, state="Cancelled")
    roots = [next(span for span in whole(collector, name) if span.name == "saga") for name in (resumed, cancelled)]
    beside = [span for span in collector.spans if not span.parent and span.name != "saga"]
    assert sorted(span.name for span in beside) == ["cancel", "intervention RetryNow", "resume"]
    linked = {span.name: span.links for span in beside}
    assert linked["resume"] == [(roots[0].trace_id, roots[0].span_id)]
    assert linked["cancel"] == linked["intervention RetryNow"] == [(roots[1].trace_id, roots[1].span_id)]


def test_without_a_collector_no_call_has_the_header_and_opentelemetry_is_not_imported(
    resting: None, operators: Operators, sagas: Sagas, participants: ScriptedParticipants
) -> None:
    operator = operators.start("untraced", PYTHONVERBOSE="1")
    sagas.create("o-untraced", annotations={ANNOTATION: TraceContext(1, 2, sampled=True).header()})
    sagas.wait("o-untraced", "Completed")
    assert {call.traceparent for call in participants.of("o-untraced")} == {""}
    imported = operator.log.read_text(errors="replace")
    assert "import 'kopf" in imported
    assert "import 'opentelemetry" not in imported
