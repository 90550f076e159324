"""Which events an order has, and what they say: a function of its resource."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from common.wire import Json
from saga_operator.process import reasons
from saga_operator.resource.about import about
from saga_operator.resource.body import Resource
from saga_operator.resource.lifecycle import BY_SOMEBODY, SCHEMA, Kind, due, end_of, started
from tests.support.samples import order

DATA = json.loads((Path(__file__).resolve().parents[3] / "docs/schemas/order-event.v1.json").read_text())
UID = "0b8ad0a2-6f0f-4a2c-8f0e-1c9a7d1f2e3b"
CREATED, ENDED = "2026-11-30T08:00:00Z", "2026-11-30T08:00:05Z"
PRIVATE = ("a-17", "test-ok", "k-17", "somebody@example.com")


def resource(phase: str = "", *, annotations: Json | None = None, **status: Any) -> Resource:
    raw = order("o-1001", notify={"contactRef": "k-17"}, requestedBy="somebody@example.com")
    raw["metadata"] |= {"namespace": "shop", "uid": UID, "creationTimestamp": CREATED, "annotations": annotations or {}}
    return Resource(raw | {"status": {"phase": phase, **status}} if phase else raw)


def completed() -> Resource:
    return resource("Completed", completionTime=ENDED)


def undone(reason: str) -> Resource:
    failure = {"step": "payment", "reason": reason, "message": "somebody@example.com said no"}
    return resource("Compensated", completionTime=ENDED, failure=failure)


def stuck(intervention: Json | None = None) -> Resource:
    steps = [{"name": "payment", "state": "CompensationFailed", "compensation": {"reason": "Unavailable"}}]
    conditions = [{"type": "Stalled", "status": "True", "lastTransitionTime": ENDED}]
    failure = {"step": "shipping", "reason": "NotServiceable"}
    more = {} if intervention is None else {"intervention": intervention}
    return resource("Failed", steps=steps, failure=failure, conditions=conditions, **more)


ALL = [resource(), resource("Running"), completed(), undone("CardDeclined"), undone("Cancelled"), stuck()]


def told(of: Resource) -> list[Json]:
    return [json.loads(event.body) for event in due(of, "/ordersaga/shop")]


def types(of: Resource) -> list[str]:
    return [event["type"].removeprefix("io.ordersaga.order.") for event in told(of)]


def test_each_end_has_its_type_and_a_start_before_it() -> None:
    assert types(resource()) == types(resource("Running")) == types(resource("Suspended")) == ["started.v1"]
    assert types(completed()) == ["started.v1", "completed.v1"]
    assert types(undone("CardDeclined")) == ["started.v1", "compensated.v1"]
    assert types(stuck()) == ["started.v1", "failed.v1"]


@pytest.mark.parametrize("reason", sorted(BY_SOMEBODY))
def test_what_somebody_cancelled_or_deleted_is_cancelled(reason: str) -> None:
    assert types(undone(reason)) == ["started.v1", "cancelled.v1"]


@pytest.mark.parametrize("reason", [reasons.ORDER_ID_USED, reasons.DEADLINE_EXCEEDED, reasons.ORDER_ALREADY_CANCELLED])
def test_what_nobody_cancelled_this_time_is_compensated(reason: str) -> None:
    assert end_of(undone(reason)) is Kind.COMPENSATED


def test_an_event_has_the_attributes_of_cloudevents_and_data_after_the_schema() -> None:
    schema = jsonschema_rs.Draft202012Validator(DATA, validate_formats=True)
    for each in ALL:
        for event in told(each):
            assert event["specversion"] == "1.0"
            assert event["source"] == "/ordersaga/shop"
            assert event["subject"] == event["data"]["order_id"] == "o-1001"
            assert event["datacontenttype"] == "application/json"
            assert event["dataschema"] == SCHEMA == DATA["$id"]
            assert event["time"] in (CREATED, ENDED)
            schema.validate(event["data"])
            unknown = set(event["data"]) - set(DATA["properties"])
            assert not unknown, "the schema has every field"


def test_an_event_says_what_its_receiver_needs() -> None:
    first, last = told(undone("CardDeclined"))
    assert first["data"] == {
        "order_id": "o-1001",
        "namespace": "shop",
        "uid": UID,
        "customer_id": "c-17",
        "currency": "EUR",
        "total_minor": 2500,
        "created_at": CREATED,
    }
    assert (first["time"], last["time"]) == (CREATED, ENDED)
    assert last["data"] == first["data"] | {
        "phase": "Compensated",
        "ended_at": ENDED,
        "failure": {"step": "payment", "reason": "CardDeclined"},
    }


def test_nothing_of_a_person_is_told() -> None:
    for each in ALL:
        for event in due(each, "/ordersaga/shop"):
            assert not [private for private in PRIVATE if private.encode() in event.body]


def test_the_same_record_makes_the_same_event_whoever_makes_it() -> None:
    for each in ALL:
        assert list(due(each, "/s")) == list(due(each, "/s")) == list(due(each.slim(), "/s"))
    assert started(resource(), "/s") == started(completed(), "/s"), "whatever has happened since"


def test_ids_are_of_the_uid_and_tell_one_failure_from_the_next() -> None:
    ids = [event.id for event in due(completed(), "/s")]
    assert ids == [f"{UID}/started", f"{UID}/completed"]
    again = stuck({"id": "2026.11", "action": "RetryNow", "step": "payment"})
    failures = [list(due(each, "/s"))[-1].id for each in (stuck(), again)]
    assert failures == [f"{UID}/failed", f"{UID}/failed/2026%2E11"]
    assert told(again)[-1]["data"]["stuck"] == [{"step": "payment", "reason": "Unavailable"}]


def test_a_step_that_was_refused_after_the_confirmation_is_a_failure_too() -> None:
    steps = [{"name": "confirmation", "state": "Succeeded"}, {"name": "order", "state": "Refused", "reason": "X"}]
    (_, failure) = told(resource("Failed", steps=steps))
    assert failure["data"]["stuck"] == [{"step": "order", "reason": "X"}]
    assert "failure" not in failure["data"]


def test_the_trace_goes_with_the_event() -> None:
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    (event,) = told(resource(annotations={"tracing.k8s.io/traceparent": traceparent}))
    assert event["traceparent"] == traceparent
    (event,) = told(resource(annotations={"tracing.k8s.io/traceparent": "none"}))
    assert "traceparent" not in event


@pytest.mark.parametrize("of", ALL)
def test_a_line_about_an_event_says_which_saga_it_is_of(of: Resource) -> None:
    fields = about(of)
    for event in due(of, "/ordersaga/shop"):
        assert event.about() == {"saga": fields["saga"], "order": fields["order"]}
