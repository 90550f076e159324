"""A service as a process, with and without a collector: what it imports, what it sends when it ends, and what a
collector that is dead costs its callers.
"""

import asyncio
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from common.settings import ServiceSettings
from common.tracing.context import TraceContext
from dev.stack.processes import free_port
from tests.contract.participants import PAYMENT
from tests.support.otlp import Collector
from tests.support.service_client import fresh, own_databases

ROOT = Path(__file__).resolve().parents[3]
SERVICE = """
import sys
import uvicorn
from services.payment.main import app

async def with_a_look_inside(scope, receive, send):
    if scope.get("path") != "/modules":
        return await app(scope, receive, send)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": "\\n".join(sys.modules).encode()})

uvicorn.run(with_a_look_inside, host="127.0.0.1", port=int(sys.argv[1]), log_config=None)
"""
OPERATOR = """
import sys
import saga_operator.__main__
from common.tracing.export import open_spans
assert open_spans("ordersaga-operator") is None
print("\\n".join(sorted(sys.modules)))
"""


class Process:
    """The payment service as its server starts it."""

    def __init__(self, settings: ServiceSettings, folder: Path, **env: str) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self._log = (folder / "log").open("w+")
        own = {
            "ORDERSAGA_MONGODB_URL": settings.mongodb_url,
            "ORDERSAGA_DATABASE_PREFIX": settings.database_prefix,
            "ORDERSAGA_AUTHENTICATION": "development",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVICE, str(port)],
            cwd=ROOT,
            env={**without_traces(), **own, **env},
            stderr=self._log,
        )

    def end(self) -> float:
        """End it as a kubelet does; the seconds that it took."""
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(20) == -signal.SIGTERM
        return time.monotonic() - began

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)
        self._log.close()

    @property
    def log(self) -> str:
        self._log.seek(0)
        return self._log.read()


def without_traces() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}


Serve = Callable[..., AbstractAsyncContextManager[tuple[httpx.AsyncClient, Process]]]


@pytest.fixture(scope="module")
def settings(mongodb_url: str) -> Iterator[ServiceSettings]:
    with own_databases(mongodb_url, "spans") as found:
        yield found


@pytest.fixture
def served(settings: ServiceSettings, tmp_path: Path) -> Serve:
    @asynccontextmanager
    async def serve(**env: str) -> AsyncIterator[tuple[httpx.AsyncClient, Process]]:
        process = Process(settings, tmp_path, **env)
        try:
            async with httpx.AsyncClient(base_url=process.url) as client, asyncio.timeout(60):
                while not await ready(client):  # noqa: ASYNC110 - there is nothing to wait for but its answer
                    await asyncio.sleep(0.05)
                yield client, process
        finally:
            process.kill()

    return serve


async def ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/ready")).is_success
    except httpx.TransportError:
        return False


async def pay(client: httpx.AsyncClient) -> float:
    """A payment whose caller records it; its seconds."""
    order_id, began = fresh("o"), time.perf_counter()
    headers = {"Idempotency-Key": PAYMENT.do.key(order_id), "traceparent": TraceContext.new(sampled=True).header()}
    answer = await client.post(PAYMENT.do.path, json=PAYMENT.do.body(order_id), headers=headers)
    assert (answer.status_code, answer.json()["status"]) == (200, "captured")
    return time.perf_counter() - began


async def test_without_a_collector_nothing_of_the_sdk_is_in_a_running_service(served: Serve) -> None:
    async with served() as (client, _):
        await pay(client)
        modules = (await client.get("/modules")).text.split()
        parts = ("opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.proto", "google.protobuf")
        assert "services.payment.main" in modules
        assert [module for module in modules if module.startswith(parts)] == []


def test_without_a_collector_nothing_of_opentelemetry_is_in_the_operator() -> None:
    command = [sys.executable, "-c", OPERATOR]
    found = subprocess.run(command, cwd=ROOT, env=without_traces(), capture_output=True, text=True, check=True)
    assert "saga_operator.__main__" in found.stdout
    assert "opentelemetry" not in found.stdout


async def test_a_service_that_is_told_to_end_sends_what_it_has(served: Serve) -> None:
    with Collector() as collector:
        collected = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "60000",  # it would wait for a minute
            "OTEL_TRACES_SAMPLER_ARG": "0",  # nothing but what a caller records
            "FASTAPI_OTEL_AUTO_CONFIGURE": "true",
        }
        async with served(**collected) as (client, process):
            await pay(client)
            await client.post(PAYMENT.do.path, json={"order_id": 7, "customer_id": "s3cret"})
            assert collector.spans == []
            process.end()
        assert [each.name for each in collector.spans if each.kind == "server"] == ["POST /api/payments/process"]
        assert any(each.attributes.get("db.system.name") == "mongodb" for each in collector.spans)
        assert {each.service for each in collector.spans} == {"payment-service"}
        assert collector.paths == {"/v1/traces"}, "the framework sends nothing of its own, such as refused bodies"


async def test_a_collector_that_hangs_costs_spans_and_nothing_else(served: Serve) -> None:
    async with served() as (client, process):
        usual = [await pay(client) for _ in range(60)]
        process.end()
    with socket.create_server(("127.0.0.1", 0), backlog=128) as hanging:
        traced = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{hanging.getsockname()[1]}",
            "OTEL_BSP_SCHEDULE_DELAY": "10",
            "OTEL_BSP_MAX_QUEUE_SIZE": "50",
        }
        async with served(**traced) as (client, process):
            with_traces = [await pay(client) for _ in range(60)]
            shown = (await client.get("/metrics")).text
            seconds = process.end()
            log = process.log
    # each is recorded, and not waited for: a call that was would take ten seconds
    assert max(with_traces) < max(1.0, 3 * max(usual))
    assert statistics.median(with_traces) < 3 * statistics.median(usual)
    (dropped,) = (line for line in shown.splitlines() if line.startswith("ordersaga_spans_dropped_total{"))
    assert float(dropped.rpartition(" ")[2]) > 100
    assert log.count("spans were dropped") == 1
    assert seconds < 8
