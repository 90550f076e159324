"""What watches the system under docker-compose (docs/containers.md): traces, metrics and mail of real orders."""

import json
import time
import urllib.parse
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from common.services import SERVICES
from dev.stack.waiting import wait_until
from tests.packaging.images.engine.system import WATCHERS, Compose, docker
from tests.support.panels import empty_panels

pytestmark = pytest.mark.timeout(600)

SETTINGS = ("--env-file", "dev/compose/monitoring.env")


def asked(url: str) -> Any:
    """What an address answers, as JSON."""
    return httpx.get(url, timeout=10).raise_for_status().json()


@pytest.fixture(scope="module")
def watched(running_compose: Compose) -> Iterator[Compose]:
    """The system with those settings; afterwards it is as it was."""
    running_compose.options = SETTINGS
    try:
        running_compose("up", "-d", *(f"{name}-service" for name in SERVICES), "operator", "gateway", *WATCHERS)
        yield running_compose
    finally:
        running_compose("rm", "-sf", *WATCHERS)
        running_compose.options = ()


def test_an_order_is_one_trace_of_all_parts(watched: Compose) -> None:
    order_id = watched.place("traced")
    assert watched.until_finished(order_id) == {order_id: "Completed"}
    jaeger = f"http://127.0.0.1:{watched.ports['jaeger']}/api/traces?service=ordersaga-operator&limit=20&tags="
    tags = urllib.parse.quote(json.dumps({"ordersaga.order.id": order_id}))

    def trace() -> Any:
        found = [each for each in asked(jaeger + tags)["data"] or () if len(each["processes"]) == 6]
        return found[0] if found else None

    found = wait_until("the whole trace", trace, 60)
    spans = {span["spanID"]: span for span in found["spans"]}
    assert len(spans) == len(found["spans"]), "no id twice"
    assert all(parent["spanID"] in spans for span in spans.values() for parent in span["references"]), "no orphan"
    names = {span["operationName"] for span in spans.values()}
    assert {"POST /api/orders", "saga", "payment do", "POST /api/payments/process"} <= names


def test_prometheus_reaches_every_part_and_keeps_the_traces_of_what_it_counts(watched: Compose) -> None:
    watched.until_finished(watched.place("counted"))
    prometheus = f"http://127.0.0.1:{watched.ports['prometheus']}/api/v1/"

    def up() -> bool:
        targets = asked(prometheus + "targets")["data"]["activeTargets"]
        return {each["labels"]["job"] for each in targets if each["health"] == "up"} >= {
            "operator",
            *(f"{name}-service" for name in SERVICES),
        }

    wait_until("every part is read", up, 60)
    query = urllib.parse.quote("ordersaga_step_call_duration_seconds_bucket")
    exemplars = f"{prometheus}query_exemplars?query={query}&start=0&end=9999999999"
    wait_until("there are exemplars", lambda: asked(exemplars)["data"], 60)


def test_the_alerts_are_read_and_the_one_that_always_fires_does(watched: Compose) -> None:
    alerts = f"http://127.0.0.1:{watched.ports['prometheus']}/api/v1/alerts"

    def firing() -> set[str]:
        return {each["labels"]["alertname"] for each in asked(alerts)["data"]["alerts"] if each["state"] == "firing"}

    # Before Prometheus has read the operator for the first time, OperatorDown is pending, and alone.
    wait_until("the watchdog fires alone", lambda: firing() == {"OrderSagaWatchdog"}, 120)


def test_every_panel_of_the_dashboard_has_data(watched: Compose) -> None:
    prometheus = f"http://127.0.0.1:{watched.ports['prometheus']}/api/v1/query?query="

    def query(expression: str) -> Any:
        return asked(prometheus + urllib.parse.quote(expression))["data"]["result"]

    waiting: list[str] = []
    empty, deadline = {"everything"}, time.monotonic() + 240
    while empty and time.monotonic() < deadline:
        waiting.append(watched.place("waiting", payment={"method_ref": "test-unavailable-9999"}))
        methods = ("test-ok", "test-declined", "test-unavailable-1")
        watched.until_finished(*(watched.place("drawn", payment={"method_ref": method}) for method in methods))
        assert watched.shop.request("GET", "order", "/api/orders/o-nobodys").status_code == 404
        time.sleep(15)  # until Prometheus has read them
        empty = empty_panels(query, "shop", over="2m")
    for order_id in waiting:
        watched.shop.cancel(order_id)
    assert empty == set()
    watched.until_finished(*waiting)


def test_a_customer_is_written_to_when_the_order_is_confirmed_and_when_it_was_undone(watched: Compose) -> None:
    paid = watched.place("mail")
    declined = watched.place("nomail", payment={"method_ref": "test-declined"})
    assert watched.until_finished(paid, declined) == {paid: "Completed", declined: "Compensated"}
    mailpit = f"http://127.0.0.1:{watched.ports['mailpit']}/api/v1/"

    def subjects() -> list[str]:
        return [each["Subject"] for each in asked(mailpit + "messages?limit=100")["messages"]]

    wait_until("there is mail about what was undone", lambda: any(declined in each for each in subjects()), 60)
    assert [each for each in subjects() if paid in each] == [f"Your order {paid} is confirmed"]
    assert [each for each in subjects() if declined in each] == [f"Your order {declined} is cancelled"]


def test_what_watches_it_takes_no_more_memory_than_it_may(watched: Compose) -> None:
    for name in WATCHERS:
        (container,) = watched.containers(name)
        assert json.loads(docker("inspect", container).stdout)[0]["State"]["OOMKilled"] is False
