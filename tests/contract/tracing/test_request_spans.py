"""One call of a saga as the collector sees it: the service's span below the caller's, with the database, the provider
and other services below that; and nothing where nothing is recorded. On a real MongoDB, with both drivers.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
import pytest

from common.settings import ServiceSettings
from common.tracing.context import TraceContext
from tests.contract.participants import INVENTORY, NOTIFICATION, PAYMENT, SHIPPING, Participant
from tests.support.otlp import Collector, Received
from tests.support.service_client import fresh, own_databases, replicas_of

Served = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture(scope="module")
def settings(mongodb_url: str) -> Iterator[ServiceSettings]:
    with own_databases(mongodb_url, "spans") as found:
        yield found


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with Collector() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")  # what a caller records, and nothing by chance
        yield found


@pytest.fixture
def served(settings: ServiceSettings, collector: Collector) -> Served:
    @asynccontextmanager
    async def serve(participant: Participant, *, driver: str = "pymongo") -> AsyncIterator[httpx.AsyncClient]:
        with_driver = settings.model_copy(update={"mongodb_driver": driver})
        async with replicas_of(participant.build, with_driver) as ((client,), _):
            await participant.seed(client)
            yield client

    return serve


async def call(client: httpx.AsyncClient, participant: Participant, parent: TraceContext | None, **more: str) -> str:
    """The participant's do for a new order, as the operator calls it; the order."""
    order_id = fresh("o")
    headers = {"Idempotency-Key": participant.do.key(order_id), **more}
    if parent is not None:
        headers["traceparent"] = parent.header()
    answer = await client.post(participant.do.path, json=participant.do.body(order_id), headers=headers)
    assert answer.is_success, answer.text
    return order_id


def below(spans: list[Received], parent: str) -> list[Received]:
    return [each for each in spans if each.parent == parent]


async def of_trace(collector: Collector, parent: TraceContext) -> tuple[Received, list[Received]]:
    """The server's span of the one call in that trace, and all spans."""
    trace_id = f"{parent.trace_id:032x}"

    def has_ended(spans: list[Received]) -> bool:
        return any(each.kind == "server" and each.trace_id == trace_id for each in spans)

    await asyncio.to_thread(collector.wait_for, has_ended)
    spans = collector.of_trace(trace_id)
    (server,) = (each for each in spans if each.kind == "server")
    return server, spans


@pytest.mark.parametrize("driver", ["pymongo", "motor"])
async def test_a_call_is_a_span_below_its_callers_with_the_database_and_the_provider_below_it(
    driver: str, served: Served, collector: Collector
) -> None:
    parent = TraceContext.new(sampled=True)
    async with served(PAYMENT, driver=driver) as client:
        order_id = await call(client, PAYMENT, parent, **{"Saga-Attempt": "3"})
        server, spans = await of_trace(collector, parent)
    assert server.service == "payment-service"
    assert (server.name, server.kind, server.status) == ("POST /api/payments/process", "server", "unset")
    assert server.parent == f"{parent.span_id:016x}"
    assert server.attributes == {
        "http.request.method": "POST",
        "http.route": "/api/payments/process",
        "http.response.status_code": 200,
        "url.path": "/api/payments/process",
        "url.scheme": "http",
        "server.address": "payment",
        "ordersaga.order.id": order_id,
        "ordersaga.step.name": "payment",
        "ordersaga.step.operation": "do",
        "ordersaga.step.attempt": 3,
    }
    (provider,) = (each for each in spans if each.name == "provider ask")
    assert provider.parent == server.span_id
    assert provider.attributes == {"ordersaga.provider.operation": "ask"}
    assert below(spans, provider.span_id)  # the test provider keeps its ledger in the database
    claim, *_, settled = below(spans, server.span_id)
    for each in (claim, settled):
        assert each.kind == "client"
        assert each.attributes["db.system.name"] == "mongodb"
        assert each.attributes["db.namespace"].endswith("payment")
        assert each.attributes["db.collection.name"] == "payments"
        assert each.name == f"{each.attributes['db.operation.name']} payments"
    known = {each.span_id for each in spans} | {f"{parent.span_id:016x}"}
    assert all(each.parent in known for each in spans)
    assert len({each.span_id for each in spans}) == len(spans)
    assert all(server.start - 0.01 <= each.start <= each.end <= server.end + 0.01 for each in spans)
    written = b"".join(collector.raw)
    assert order_id.encode() in written
    assert b"c-17" not in written
    assert b"test-ok" not in written


@pytest.mark.parametrize("driver", ["pymongo", "motor"])
async def test_reservations_that_are_made_together_are_in_each_ones_trace(
    driver: str, served: Served, collector: Collector
) -> None:
    parents = [TraceContext.new(sampled=True) for _ in range(6)]
    async with served(INVENTORY, driver=driver) as client:
        await asyncio.gather(*(call(client, INVENTORY, parent) for parent in parents))
        found = [await of_trace(collector, parent) for parent in parents]
    commits, linked = 0, 0
    for server, spans in found:
        (reserving,) = (each for each in below(spans, server.span_id) if each.name.startswith("reserve"))
        commits += sum(each.name == "commitTransaction" for each in below(spans, reserving.span_id))
        linked += len(reserving.links)
    assert commits >= 1
    assert commits + linked == len(parents)


@pytest.mark.parametrize("participant", [PAYMENT, SHIPPING, NOTIFICATION, INVENTORY], ids=lambda each: each.name)
async def test_what_the_caller_doesnt_record_isnt_recorded_here(
    participant: Participant, served: Served, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "1")
    async with served(participant) as client:
        await client.get("/health")
        await client.get("/ready")
        await client.get("/metrics")
        unrecorded = TraceContext.new(sampled=False)
        await call(client, participant, unrecorded)
        recorded = await call(client, participant, None)
    of_the_saga = [each for each in collector.spans if "ordersaga.step.name" in each.attributes]
    assert [each.attributes["ordersaga.order.id"] for each in of_the_saga] == [recorded]
    assert collector.of_trace(f"{unrecorded.trace_id:032x}") == []
    assert not [each for each in collector.spans if "/ready" in each.name or "/metrics" in each.name]


async def test_without_a_parent_a_share_is_recorded(
    served: Served, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.3")
    async with served(PAYMENT) as client:
        for _ in range(100):
            await client.get("/api/payments/p-unknown")
    servers = [each for each in collector.spans if each.kind == "server"]
    assert 5 < len(servers) < 70
    assert all(each.parent == "" and each.name == "GET /api/payments/{payment_id}" for each in servers)
    assert all(each.attributes["ordersaga.code"] == "not_found" and each.status == "unset" for each in servers)


async def test_an_error_of_ours_is_one_in_the_trace_and_quotes_nothing(
    served: Served, collector: Collector, settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "1")
    nowhere = settings.model_copy(
        update={"mongodb_url": "mongodb://127.0.0.1:1/?directConnection=true", "mongodb_timeout_ms": 100}
    )
    app = PAYMENT.build(nowhere)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://payment") as client:
            answer = await client.get("/api/payments?customer_id=c-4711-secret")
            assert answer.status_code == 503
    (database,) = (each for each in collector.spans if each.attributes.get("db.operation.name") == "find")
    (server,) = (each for each in collector.spans if each.kind == "server")
    assert (server.status, server.attributes["error.type"]) == ("error", "unavailable")
    assert (database.status, database.message) == ("error", "")
    assert database.attributes["error.type"] == "ServerSelectionTimeoutError"
    assert "secret" not in str(collector.spans)


async def test_what_succeeds_after_a_refusal_is_no_error(served: Served, collector: Collector) -> None:
    parent = TraceContext.new(sampled=True)
    order_id = fresh("o")
    async with served(PAYMENT) as client:
        headers = {"Idempotency-Key": PAYMENT.do.key(order_id), "traceparent": parent.header()}
        body = PAYMENT.do.body(order_id) | {"method_ref": "test-unavailable-1"}
        assert (await client.post(PAYMENT.do.path, json=body, headers=headers)).status_code == 503
        server, spans = await of_trace(collector, parent)
    assert {each.name for each in spans if each.status == "error"} == {server.name, "provider ask"}
    (provider,) = (each for each in spans if each.name == "provider ask")
    after = [each for each in below(spans, server.span_id) if each.start > provider.start and each is not provider]
    assert {each.status for each in after} == {"unset"}, "the claim is given back"
