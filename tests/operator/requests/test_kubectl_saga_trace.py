"""`kubectl saga trace`: the trace of an order from its record, the same as its operator has sent."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.operator.conftest import NAMESPACE, OperatorProcess, Operators, Sagas, wait_until
from tests.operator.scripted import Reply, ScriptedParticipants, refused
from tests.support.otlp import Collector, Received

BUSY = Reply(503, {"code": "busy"})


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


def place(participants: ScriptedParticipants, sagas: Sagas, *names: str) -> None:
    """One that is paid on the second attempt, and is then rolled back: its refund succeeds on the second, too."""
    for name in names:
        participants.say(name, "/api/payments/process", BUSY)
        participants.say(name, "/api/payments/refund", BUSY)
        participants.say(name, "/api/shipping/schedule", always=refused("not_serviceable"))
        sagas.create(name)


def mine(spans: list[Received]) -> list[Received]:
    return [span for span in spans if span.attributes["ordersaga.order.id"] == "o-trace-sent"]


@pytest.mark.usefixtures("resting")
def test_what_is_sent_later_is_what_the_operator_would_have_sent(
    saga: Any,
    operators: Operators,
    sagas: Sagas,
    participants: ScriptedParticipants,
    collector: Collector,
) -> None:
    operators.start(
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_TRACES_SAMPLER_ARG="1", OTEL_BSP_SCHEDULE_DELAY="100"
    )
    place(participants, sagas, "o-trace-sent")
    collector.wait_for(lambda spans: any(span.name == "saga" for span in mine(spans)))
    live = {span.span_id: span for span in mine(collector.spans)}
    for _ in range(2):
        with Collector() as later:
            told = saga("trace", "o-trace-sent", "--otlp", later.url)
            assert f"{len(live)} spans sent to {later.url}/v1/traces" in told
            rebuilt = {span.span_id: span for span in later.spans}
        assert len(later.spans) == len(rebuilt)
        assert rebuilt.keys() == live.keys()
        for id_, span in rebuilt.items():
            seen = live[id_]
            assert (span.name, span.parent, span.service, span.kind) == (
                seen.name,
                seen.parent,
                seen.service,
                seen.kind,
            )
            assert (span.attributes, span.status, span.links) == (seen.attributes, seen.status, seen.links)
            assert abs(span.start - seen.start) < 2 > abs(span.end - seen.end)


def test_people_see_a_tree_and_programs_its_spans(
    saga: Any, operator: OperatorProcess, sagas: Sagas, participants: ScriptedParticipants
) -> None:
    place(participants, sagas, "o-trace-shown")
    sagas.wait("o-trace-shown", "Compensated")
    shown = saga("trace", "o-trace-shown").splitlines()
    told = json.loads(saga("trace", "o-trace-shown", "-o", "json"))
    assert shown[0].split() == ["o-trace-shown", "Compensated", "trace", told["traceID"]]
    rows = {line.split("   ")[0].strip(): line for line in shown}
    assert [name for name in rows if name.startswith(("saga", "├─ order do", "├─ payment"))] == [
        *("saga", "├─ order do", "├─ payment do", "├─ payment undo"),
    ]
    assert rows["├─ shipping do"].split("   ")[-1].strip() == "Refused NotServiceable"
    assert sum("POST /api/payments/process" in line for line in shown) == 2
    assert rows["├─ payment do"].split()[-2:] == ["2", "Succeeded"]
    assert sum(span["parentSpanID"] is None for span in told["spans"]) == 1
    assert told["spans"][0]["attributes"]["k8s.namespace.name"] == NAMESPACE


def test_an_order_that_has_not_ended_can_be_sent_with_a_word_of_warning(
    saga: Any, operator: OperatorProcess, sagas: Sagas, participants: ScriptedParticipants, collector: Collector
) -> None:
    name = "o-cli-trace-open"
    participants.say(name, "/api/payments/process", always=refused("running", "wait"))
    sagas.create(name)
    wait_until(lambda: sagas.step(name, "payment").get("history"), "payment to be called")
    assert "has not ended" in saga("trace", name, "--otlp", collector.url)
    assert any(span.name == "payment do" for span in collector.spans)
    participants.say(name, "/api/payments/process")
    sagas.wait(name, "Completed")


def test_a_collector_that_takes_nothing_is_an_error(
    saga: Any, operator: OperatorProcess, sagas: Sagas, collector: Collector
) -> None:
    sagas.create("o-trace-refused")
    sagas.wait("o-trace-refused", "Completed")
    collector.status = 400
    assert "has not taken it" in saga("trace", "o-trace-refused", "--otlp", collector.url, status=1)
    assert "nobody answers" in saga("trace", "o-trace-refused", "--otlp", "http://127.0.0.1:1", status=1)
    assert "takes the URL of a collector" in saga("trace", "o-trace-refused", "--otlp", "localhost:4318", status=2)
