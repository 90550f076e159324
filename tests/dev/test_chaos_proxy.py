"""Each fault of the chaos proxy does to a call what docs/chaos.md says."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web

from dev.chaos.network.calls import CallLog
from dev.chaos.network.http import listen
from dev.chaos.network.proxy import CLIENTS, Proxy
from dev.chaos.plan.call_faults import CallFault, CallFaultKind, call_fault
from dev.stack.ports import free_ports

SEED = 1
PATH = "/api/payments/process"
SOON = 0.5
"""Seconds; the longest delay of a fault that a test waits for."""


@dataclass
class Service:
    """A payment service that answers every call at once."""

    port: int = 0
    calls: list[tuple[str, bytes]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.calls.append((request.headers.get("Idempotency-Key", ""), await request.read()))
        return web.json_response({"payment_id": "p" * 1000}, status=202, headers={"Retry-After": "7"})


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    runner = await listen(service.answer)
    service.port = runner.addresses[0][1]
    yield service
    await runner.cleanup()


@pytest.fixture
async def proxy(service: Service) -> AsyncIterator[Proxy]:
    ports = dict(zip(("payment", CLIENTS), free_ports(2), strict=True))
    proxy = Proxy(SEED, {"payment": service.port, "order": service.port}, ports, CallLog())
    await proxy.start()
    yield proxy
    await proxy.aclose()


@dataclass
class Caller:
    """Makes one call through the proxy, about an order whose call has the fault."""

    proxy: Proxy
    order_id: str
    fault: CallFault

    @classmethod
    def of(cls, proxy: Proxy, kind: CallFaultKind) -> "Caller":
        for number in itertools.count():
            fault = call_fault(SEED, f"o-{number}", "payment", "do", 1)
            if fault.kind is kind and (fault.seconds < SOON or kind is CallFaultKind.ANSWER_LATE):
                return cls(proxy, f"o-{number}", fault)
        raise AssertionError

    async def call(self, seconds: float = 5.0) -> tuple[int, bytes, str]:
        """Status, body and Retry-After. Raises what aiohttp raises without a whole answer."""
        url = f"http://127.0.0.1:{self.proxy.ports['payment']}{PATH}"
        body = b'{"order_id": "%s"}' % self.order_id.encode()
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(seconds)) as session,
            session.post(url, data=body, headers={"Idempotency-Key": self.order_id}) as answer,
        ):
            return answer.status, await answer.read(), answer.headers.get("Retry-After", "")

    async def is_cut_off(self) -> type[Exception]:
        with pytest.raises(aiohttp.ClientError) as caught:
            await self.call()
        return caught.type


async def late_deliveries(proxy: Proxy) -> None:
    for _ in range(100):
        if not proxy.late_deliveries:
            return
        await asyncio.sleep(2 * SOON / 100)
    pytest.fail("a late delivery is still to come")


ANSWER = (202, b'{"payment_id": "%s"}' % (b"p" * 1000), "7")


async def test_a_call_without_a_fault_and_its_answer_pass_unchanged(proxy: Proxy, service: Service) -> None:
    caller = Caller.of(proxy, CallFaultKind.NONE)
    assert await caller.call() == ANSWER
    assert service.calls == [(caller.order_id, b'{"order_id": "%s"}' % caller.order_id.encode())]


async def test_a_delayed_call_is_delivered_after_its_delay(proxy: Proxy, service: Service) -> None:
    caller, started = Caller.of(proxy, CallFaultKind.DELAYED), time.monotonic()
    assert await caller.call() == ANSWER
    assert time.monotonic() - started >= caller.fault.seconds
    assert len(service.calls) == 1


async def test_a_dropped_call_is_not_delivered_and_not_answered(proxy: Proxy, service: Service) -> None:
    assert await Caller.of(proxy, CallFaultKind.DROPPED).is_cut_off() is aiohttp.ServerDisconnectedError
    assert service.calls == []


async def test_a_lost_answer_belongs_to_a_call_that_was_delivered(proxy: Proxy, service: Service) -> None:
    assert await Caller.of(proxy, CallFaultKind.ANSWER_LOST).is_cut_off() is aiohttp.ServerDisconnectedError
    assert len(service.calls) == 1


async def test_a_cut_answer_begins_and_does_not_end(proxy: Proxy, service: Service) -> None:
    assert await Caller.of(proxy, CallFaultKind.ANSWER_CUT).is_cut_off() is aiohttp.ClientPayloadError
    assert len(service.calls) == 1


async def test_a_late_answer_comes_after_the_time_out_of_the_caller(proxy: Proxy, service: Service) -> None:
    caller = Caller.of(proxy, CallFaultKind.ANSWER_LATE)
    assert caller.fault.seconds > 5
    with pytest.raises(TimeoutError):
        await caller.call(seconds=0.2)
    assert len(service.calls) == 1


async def test_a_call_that_is_delivered_late_is_cut_off_first(proxy: Proxy, service: Service) -> None:
    assert await Caller.of(proxy, CallFaultKind.DELIVERED_LATE).is_cut_off() is aiohttp.ServerDisconnectedError
    assert service.calls == []
    await late_deliveries(proxy)
    assert len(service.calls) == 1


async def test_a_call_can_be_delivered_twice_at_once(proxy: Proxy, service: Service) -> None:
    assert await Caller.of(proxy, CallFaultKind.DELIVERED_TWICE).call() == ANSWER
    first, second = service.calls
    assert first == second


async def test_a_call_can_be_delivered_again_after_its_answer(proxy: Proxy, service: Service) -> None:
    assert await Caller.of(proxy, CallFaultKind.DELIVERED_AGAIN).call() == ANSWER
    assert len(service.calls) == 1
    await late_deliveries(proxy)
    first, second = service.calls
    assert first == second


async def test_503_comes_from_the_proxy(proxy: Proxy, service: Service) -> None:
    status, _, retry_after = await Caller.of(proxy, CallFaultKind.UNAVAILABLE).call()
    assert (status, retry_after) == (503, "1")
    assert service.calls == []


@pytest.mark.parametrize("kind", [CallFaultKind.DROPPED, CallFaultKind.UNAVAILABLE])
async def test_nothing_is_injected_when_the_run_is_calm(kind: CallFaultKind, proxy: Proxy) -> None:
    proxy.injecting = False
    assert await Caller.of(proxy, kind).call() == ANSWER
