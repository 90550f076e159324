"""Everything that a whole run says to people and programs is read: nothing personal is in it, at DEBUG as well."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from bson import json_util
from pymongo import MongoClient

from common.services import SERVICES
from common.wire import Json
from tests.e2e.system import NAMESPACE, PREFIX, Stack
from tests.support import asking
from tests.support.event_sink import ScriptedSink
from tests.support.otlp import Collector, Received

METHODS = (
    "test-ok",
    "test-declined",
    "test-insufficient-funds",
    "test-processing",
    "test-silent",
    "test-unavailable-2",
    "test-refund-stuck",
)
CARD = "4111111111111111"
PLACES = {"shipping.addresses", "notification.contacts"}


@dataclass
class Run:
    """A run, its secrets, and all that was answered."""

    stack: Stack
    begins: dict[Path, int]
    collector: Collector
    sink: ScriptedSink
    secrets: list[str] = field(default_factory=lambda: [CARD])
    answers: list[str] = field(default_factory=list)

    def secret(self, kind: str) -> str:
        word = f"{kind}{uuid.uuid4().hex[:10]}"
        self.secrets.append(word)
        return word

    def call(self, method: str, service: str, path: str, **options: object) -> httpx.Response:
        answer = self.stack.shop.request(method, service, path, **options)  # type: ignore[arg-type]
        self.answers += [answer.text, str(answer.headers)]
        return answer

    def place(self, name: str, *, domain: str = "example.com", country: str = "DE", **changes: object) -> str:
        order_id = self.stack.new_id(name)
        address = {part: self.secret(part) for part in ("name", "street", "city")}
        postal_code = self.secret("P")
        body = {
            "order_id": order_id,
            "customer_id": "c-17",
            "currency": "EUR",
            "items": [{"product_id": "p-mug", "quantity": 1}],
            "payment": {"method_ref": "test-ok"},
            "ship_to": {"address": {**address, "postal_code": postal_code, "country": country}},
            "contact": {"email": f"{self.secret('mail')}@{domain}"},
            **changes,
        }
        self.call("POST", "order", "/api/orders", json=body)
        return order_id

    def logs(self) -> dict[str, str]:
        """What each process has written in this run."""
        return {log.name: log.read_bytes()[begin:].decode(errors="replace") for log, begin in self.begins.items()}

    def spans(self) -> str:
        """What was sent to the collector of traces, whose texts stand in it as they are."""
        return b"".join(self.collector.raw).decode(errors="replace")

    def found_in(self, text: str) -> list[str]:
        return [secret for secret in self.secrets if secret.lower() in text.lower()]


@pytest.fixture
def run(stack: Stack) -> Iterator[Run]:
    """The system at DEBUG with every request traced, and as it was again afterwards."""
    stack.stop()
    sink = ScriptedSink()
    with Collector() as collector:
        telling = {
            "ORDERSAGA_EVENTS_SINK": sink.url,
            "ORDERSAGA_LOG_LEVEL": "DEBUG",
            "ORDERSAGA_LOG_FORMAT": "json",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_TRACES_SAMPLER_ARG": "1",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
        }
        usual = {"ORDERSAGA_LOG_FORMAT": stack.wiring.log_format}
        for process in stack.processes:
            process.env |= telling
        stack.start()
        yield Run(stack, {process.log: process.log.stat().st_size for process in stack.processes}, collector, sink)
        stack.stop()
        sink.stop()
        for process in stack.processes:
            process.env = {name: value for name, value in process.env.items() if name not in telling} | usual


def audit(stack: Stack) -> str:
    environment = {
        **os.environ,
        "KUBECONFIG": str(stack.kubeconfig),
        "ORDERSAGA_NAMESPACE": NAMESPACE,
        "ORDERSAGA_DATABASE_PREFIX": PREFIX,
        "ORDERSAGA_MONGODB_URL": stack.wiring.mongodb_url,
    }
    command = [sys.executable, "-m", "ordersaga", "audit", "--via", "databases", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout + done.stderr


def go_wrong(run: Run, order_id: str) -> None:
    """Requests that are refused: each with something personal in it."""
    street, mail = run.secret("street"), run.secret("mail")
    address = {"name": "x", "street": street, "city": "x", "postal_code": "1" * 40, "country": "Germany"}
    assert run.call("PUT", "shipping", "/api/shipping/addresses/a-x", json=address).status_code == 422
    contact = {"email": f"{mail} at example.com"}
    assert run.call("PUT", "notification", "/api/notifications/contacts/k-x", json=contact).status_code == 422
    body = {"order_id": order_id, "customer_id": "c-17", "currency": "EUR", "items": [], "contact": contact}
    assert run.call("POST", "order", "/api/orders", json=body).status_code == 422
    assert run.call("GET", "order", f"/api/orders/{CARD}").status_code == 422
    assert run.call("GET", "payment", f"/api/payments?customer_id={CARD}").status_code == 422
    # another address under a reference that exists, and an order's id with other content
    mine = f"{order_id}-0123456789ab"
    for status in (200, 412):
        address = {"name": run.secret("name"), "street": "x", "city": "x", "postal_code": "1", "country": "DE"}
        path, once = f"/api/shipping/addresses/{mine}", {"If-None-Match": "*"}
        answer = run.stack.shop.request("PUT", "shipping", path, json=address, headers=once)
        assert answer.status_code == status
        if status == 412:
            run.answers.append(answer.text)


def judge_lines(run: Run, orders: set[str]) -> None:
    """Every line has the one form, and those about a saga say which, and to what they belong."""
    lines = [json.loads(line) for log in run.logs().values() for line in log.splitlines()]
    assert all({"time", "level", "logger", "message", "service"} <= line.keys() for line in lines)
    about = [line for line in lines if line.get("order") in orders and line["message"].startswith("POST ")]
    about += [line for line in lines if line.get("order") in orders and line["service"] == "operator"]
    assert {line["service"] for line in about} == {*SERVICES, "operator"}
    assert [line for line in about if not {"saga", "correlation_id", "trace_id"} <= line.keys()] == []
    calls = [line for line in about if "step" in line]
    assert [line for line in calls if not (line["step"].endswith(("/do", "/undo")) and line["attempt"] > 0)] == []
    for order in orders:
        mine = [line for line in about if line["order"] == order]
        assert len({(line["trace_id"], line["saga"]) for line in mine if "step" in line}) == 1, order


def judge_traces(run: Run, orders: set[str]) -> None:
    """One trace for each saga, without an orphan and without an id twice, though parts were killed."""
    for order in orders:
        told = run.collector.wait_for(lambda spans, order=order: any(is_saga(span, order) for span in spans))
        (saga,) = (span for span in told if is_saga(span, order))
        spans = run.collector.of_trace(saga.trace_id)
        ids = {span.span_id for span in spans}
        assert len(ids) == len(spans), order
        assert [span for span in spans if span.parent not in ids and span.parent] == [], order
        (first,) = (span for span in spans if not span.parent)
        assert first.name == "POST /api/orders"


def is_saga(span: Received, order: str) -> bool:
    return span.name == "saga" and span.attributes.get("ordersaga.order.id") == order


def test_nothing_personal_comes_out_of_a_whole_run(run: Run) -> None:
    stack = run.stack
    orders = {run.place(method.replace("test-", ""), payment={"method_ref": method}) for method in METHODS}
    bounced = run.place("bounced", domain="bounce.example")
    orders |= {bounced, run.place("nowhere", country="AQ"), run.place("blocked", customer_id="c-blocked")}
    orders |= {run.place("soldout", items=[{"product_id": "p-mug", "quantity": 10_000}])}
    cancelled = run.place("cancelled")
    run.call("POST", "order", f"/api/orders/{cancelled}/cancel")
    killed = run.place("killed", payment={"method_ref": "test-processing"})
    stack.services["shipping"].kill()
    stack.services["notification"].kill()
    stack.operator.kill()
    stack.start()
    stack.until_finished(*orders, cancelled, killed, seconds=120)
    go_wrong(run, bounced)
    used = {"order_id": killed, "customer_id": "c-17", "currency": "EUR", "payment": {"method_ref": "test-ok"}}
    again = {**used, "items": [{"product_id": "p-mug", "quantity": 3}], "ship_to": {"address_ref": "a-17"}}
    assert run.call("POST", "order", "/api/orders", json=again).status_code == 409

    customer = f"c-{uuid.uuid4().hex[:10]}"
    erased = run.place("erased", customer_id=customer, payment={"method_ref": "test-declined"})
    stack.until_finished(erased)
    for _ in range(2):
        assert run.call("DELETE", "order", f"/api/customers/{customer}/data").status_code in (200, 202)
    for order_id in (*orders, cancelled, killed, erased):
        for path in ("", "/saga"):
            run.call("GET", "order", f"/api/orders/{order_id}{path}")
        for service, path in (("payment", "payments"), ("shipping", "shipping")):
            run.call("GET", service, f"/api/{path}/order/{order_id}")
    run.call("GET", "notification", "/api/notifications?limit=1000")

    said = run.logs()
    assert all(said.values()), "every process has written something"
    said["answers"] = "\n".join(run.answers)
    for kind in ("ordersagas", "events", "leases"):
        said[kind] = stack.kubectl("get", kind, "-o", "json").stdout
    for name in SERVICES:
        said[f"{name} metrics"] = asking.get(f"{stack.wiring.url(name)}/metrics").text
        said[f"{name} health"] = asking.get(f"{stack.wiring.url(name)}/health").text
    said["operator metrics"] = asking.get(f"http://127.0.0.1:{stack.wiring.health_port}/metrics").text
    said["audit"] = audit(stack)
    traced = {*(f"{name}-service" for name in SERVICES), "ordersaga-operator"}
    run.collector.wait_for(lambda spans: {span.service for span in spans} == traced)
    said["spans"] = run.spans()
    said["events to systems"] = json.dumps([each.event for each in run.sink.deliveries])
    assert all(run.sink.taken(order_id) for order_id in orders), "there is something to be read"
    assert "eyJ" not in said["spans"], "no token is in them"
    assert all(order_id in said["spans"] for order_id in orders), "there is something to be read"
    assert len(json.loads(said["events"])["items"]) > len(orders), "there is something to be read"
    assert {where: found for where, text in said.items() if (found := run.found_in(text))} == {}
    judge_lines(run, orders | {cancelled, killed})
    judge_traces(run, orders | {killed})  # a call that nobody repeats after a kill may be missing from a cancelled one

    kept: dict[str, list[str]] = {}
    with MongoClient[Json](stack.wiring.mongodb_url) as client:
        for name in SERVICES:
            for collection in client[f"{PREFIX}{name}"].list_collection_names():
                text = json_util.dumps(list(client[f"{PREFIX}{name}"][collection].find()))
                kept[f"{name}.{collection}"] = run.found_in(text)
    assert {where for where, found in kept.items() if found} == PLACES, "and these hold it"


def test_an_order_of_a_number_of_a_card_ends_and_the_number_is_nowhere_else(run: Run) -> None:
    """The definition can't afford to look at products, so by kubectl such an order comes in."""
    order_id = run.stack.new_id("card")
    other = "5555555555554444"
    run.secrets.append(other)
    lines = [{"productID": each, "quantity": 1, "unitPriceMinor": 100} for each in (CARD, f"p-{other}")]
    manifest = {
        "apiVersion": "ordersaga.io/v1alpha1",
        "kind": "OrderSaga",
        "metadata": {"name": order_id},
        "spec": {
            "orderID": order_id,
            "customerID": "c-17",
            "currency": "EUR",
            "items": lines,
            "payment": {"methodRef": "test-ok"},
            "shipTo": {"addressRef": "a-17"},
            "notify": {"contactRef": "c-17"},
        },
    }
    run.stack.kubectl("create", "-f", "-", manifest=manifest)
    phases = run.stack.until_finished(order_id)
    assert phases == {order_id: "Compensated"}
    status = run.stack.resource(order_id)["status"]
    assert status["failure"]["reason"] == "ProductUnknown"
    assert run.found_in(json.dumps(status)) == []
    events = run.stack.kubectl("get", "events", "--field-selector", f"involvedObject.name={order_id}", "-o", "json")
    assert run.found_in(events.stdout) == []
    run.call("GET", "order", f"/api/orders/{order_id}")
    run.call("GET", "order", f"/api/orders/{order_id}/saga")
    run.stack.kubectl("delete", "osaga", order_id)  # it is archived before it goes
    archived = run.call("GET", "order", f"/api/orders/{order_id}/saga")
    assert archived.json()["archived_at"] is not None
    assert [answer for answer in run.answers if run.found_in(answer)] == []
    assert {name: found for name, log in run.logs().items() if (found := run.found_in(log))} == {}
    run.collector.wait_for(lambda _: order_id in run.spans())
    assert run.found_in(run.spans()) == []
    with MongoClient[Json](run.stack.wiring.mongodb_url) as client:
        for service in SERVICES:
            database = client[f"{PREFIX}{service}"]
            for name in database.list_collection_names():
                assert run.found_in(json_util.dumps(list(database[name].find()))) == [], f"{service}.{name}"
    run.stack.assert_books(phases)
