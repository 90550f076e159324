"""An order that is placed while traces are on: one trace, from the client's span over the services that are asked to
the annotation of the resource, with which the operator goes on. With a real API server.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import httpx
import pytest

from common.kube import KubeClient, OrderSagas
from common.tracing.context import ANNOTATION, TraceContext
from common.wire import Json
from dev.stack.pytest_plugin import TestControlPlane
from saga_operator.resource.body import Resource
from services.inventory.main import build as inventory
from services.order.main import build as order
from services.order.settings import OrderSettings
from tests.contract.answers.test_placing_with_other_services import REQUEST, listening
from tests.support.otlp import Collector
from tests.support.service_client import own_databases, replicas_of

Shop = Callable[[], AbstractAsyncContextManager[tuple[httpx.AsyncClient, OrderSagas]]]
GIVEN = TraceContext.new(sampled=True)


@pytest.fixture
def shop(mongodb_url: str, control_plane: TestControlPlane) -> Shop:
    @asynccontextmanager
    async def opened() -> AsyncIterator[tuple[httpx.AsyncClient, OrderSagas]]:
        async with AsyncExitStack() as stack:
            settings = stack.enter_context(own_databases(mongodb_url, "spans"))
            url = await stack.enter_async_context(listening(inventory(settings)))
            async with httpx.AsyncClient(base_url=url) as client:
                mug = {"name": "Mug", "stock": 10, "price_minor": 1250, "currency": "EUR"}
                assert (await client.put("/api/inventory/p-mug", json=mug)).is_success
            more = {"kubeconfig": control_plane.identity("order-service"), "inventory_url": url}
            (api,), _ = await stack.enter_async_context(
                replicas_of(order, OrderSettings(**settings.model_dump() | more))
            )
            kube = KubeClient.from_config(control_plane.kubeconfig, user_agent="ordersaga-test/1")
            sagas = OrderSagas(await stack.enter_async_context(kube), "shop")
            yield api, sagas

    return opened


async def place(api: httpx.AsyncClient, sagas: OrderSagas, parent: TraceContext | None) -> Json:
    """The resource of a new order, which is deleted again."""
    headers = {} if parent is None else {"traceparent": parent.header()}
    answer = await api.post("/api/orders", json=REQUEST, headers={"Idempotency-Key": "spans", **headers})
    assert answer.status_code == 202, answer.text
    resource = await sagas.get(answer.json()["order_id"])
    name = resource["metadata"]["name"]
    freed = (await sagas.patch(name, {"metadata": {"finalizers": None}}))["metadata"]
    await sagas.delete(name, freed["uid"], freed["resourceVersion"])
    return resource


async def test_the_saga_goes_on_with_the_trace_of_the_request_that_placed_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        async with shop() as (api, sagas):
            resource = await place(api, sagas, GIVEN)
        spans = await asyncio.to_thread(
            collector.wait_for, lambda spans: {"order-service", "inventory-service"} <= {s.service for s in spans}
        )
    spans = [span for span in spans if span.trace_id == GIVEN.hex_id]
    (placing,) = (span for span in spans if span.name == "POST /api/orders")
    assert (placing.service, placing.kind, placing.parent) == ("order-service", "server", f"{GIVEN.span_id:016x}")
    assert placing.attributes["ordersaga.order.id"] == resource["metadata"]["name"]
    noted = TraceContext.parse(resource["metadata"]["annotations"][ANNOTATION])
    assert noted == TraceContext(GIVEN.trace_id, int(placing.span_id, 16), sampled=True)
    assert Resource(resource).traceparent == noted.header()

    (asked,) = (span for span in spans if span.kind == "client" and span.name == "GET")
    assert asked.parent == placing.span_id
    assert asked.attributes["http.response.status_code"] == 200
    assert asked.attributes["url.full"].endswith("/api/inventory")  # without what was asked for
    (answering,) = (span for span in spans if span.name == "GET /api/inventory")
    assert (answering.service, answering.parent) == ("inventory-service", asked.span_id)
    assert any(span.parent == answering.span_id and span.attributes["db.operation.name"] == "find" for span in spans)
    known = {span.span_id for span in spans} | {f"{GIVEN.span_id:016x}"}
    assert all(span.parent in known for span in spans)


async def test_an_unrecorded_trace_is_noted_as_such_and_without_a_collector_there_is_none(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    unrecorded = TraceContext.new(sampled=False)
    with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        async with shop() as (api, sagas):
            resource = await place(api, sagas, unrecorded)
            monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT")
        assert collector.of_trace(unrecorded.hex_id) == []
    noted = TraceContext.parse(resource["metadata"]["annotations"][ANNOTATION])
    assert noted is not None
    assert (noted.trace_id, noted.sampled) == (unrecorded.trace_id, False)
    async with shop() as (api, sagas):
        resource = await place(api, sagas, GIVEN)
    assert ANNOTATION not in resource["metadata"]["annotations"]
