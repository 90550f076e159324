"""The proxy between the operator and its participants, and between clients and the order service: it injects faults.

It has a port for each service. It delivers each call over a connection of its own, so that a call can arrive late, or
twice, after its caller's connection is closed.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from functools import partial

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from dev.chaos.network.calls import Call, CallLog, Delivery, identify
from dev.chaos.network.http import Answer, Request, broken_off, listen, passed_on
from dev.chaos.plan.call_faults import CallFault, CallFaultKind, call_fault

CLIENTS = "clients"
"""The route that clients take to the order service."""
DELIVERY_SECONDS = 30.0
"""Longer than any part is paused: a call to a paused part arrives when the part goes on."""
UNAVAILABLE = Answer(
    CIMultiDict({"Content-Type": "application/problem+json", "Retry-After": "1"}),
    b'{"type":"about:blank","title":"Service Unavailable","status":503,"code":"unavailable","retryable":true,'
    b'"detail":"a proxy in between is overloaded: repeat the call"}',
    503,
    "Service Unavailable",
)
NOTHING_ADDED = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""Headers that aiohttp's client would add of its own accord."""


class Proxy:
    """Forwards the calls to all services. Lives in one event loop."""

    def __init__(self, seed: int, upstreams: Mapping[str, int], ports: Mapping[str, int], log: CallLog) -> None:
        """Ports by service: `upstreams` of the services, `ports` of the proxy, which has one more, CLIENTS."""
        self._seed = seed
        self._upstreams = {**upstreams, CLIENTS: upstreams["order"]}
        self.ports = ports
        self._log = log
        self._servers: list[web.AppRunner] = []
        self._late: set[asyncio.Task[None]] = set()
        self.injecting = True

    async def start(self) -> None:
        """Listen."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
            timeout=aiohttp.ClientTimeout(DELIVERY_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=NOTHING_ADDED,
            auto_decompress=False,
        )
        for name, port in self.ports.items():
            self._servers.append(await listen(partial(self._answer, name), port))

    async def aclose(self) -> None:
        """Stop listening; calls that are still to be delivered late are dropped."""
        for task in self._late:
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)
        for server in self._servers:
            await server.cleanup()
        await self._session.close()

    @property
    def late_deliveries(self) -> int:
        """How many calls are still to be delivered late."""
        return len(self._late)

    async def _answer(self, name: str, incoming: web.Request) -> web.StreamResponse:
        request = await Request.read(incoming)
        call = self._logged(request, client=name == CLIENTS)
        answer = await (self._deliver(name, request, None) if call is None else self._with_fault(name, call))
        if answer is None:
            return broken_off(incoming)
        if call is not None and call.fault.kind is CallFaultKind.ANSWER_CUT:
            whole = answer.encode()
            return broken_off(incoming, whole[: len(whole) * 2 // 3])
        return answer.response()

    def _logged(self, request: Request, *, client: bool) -> Call | None:
        """The call with its fault, added to the log; None for requests that get no faults."""
        known = identify(request, client=client)
        if known is None:
            return None
        order_id, step, operation = known
        number = self._log.number(order_id, step, operation)
        fault = CallFault(CallFaultKind.NONE)
        if self.injecting:
            fault = call_fault(self._seed, order_id, step, operation, number)
        call = Call(self._log.now(), order_id, step, operation, number, request, fault)
        self._log.add(call)
        return call

    async def _with_fault(self, name: str, call: Call) -> Answer | None:
        request, seconds = call.request, call.fault.seconds
        match call.fault.kind:
            case CallFaultKind.DELAYED:
                await asyncio.sleep(seconds)
            case CallFaultKind.DROPPED:
                return None
            case CallFaultKind.UNAVAILABLE:
                return UNAVAILABLE
            case CallFaultKind.ANSWER_LOST:
                await self._deliver(name, request, call)
                return None
            case CallFaultKind.ANSWER_LATE:
                answer = await self._deliver(name, request, call)
                await asyncio.sleep(seconds)
                return answer
            case CallFaultKind.DELIVERED_LATE:
                self._deliver_later(name, call, seconds)
                return None
            case CallFaultKind.DELIVERED_TWICE:
                answers = await asyncio.gather(*(self._deliver(name, request, call) for _ in range(2)))
                return answers[-1]
            case CallFaultKind.DELIVERED_AGAIN:
                answer = await self._deliver(name, request, call)
                self._deliver_later(name, call, seconds)
                return answer
        return await self._deliver(name, request, call)

    def _deliver_later(self, name: str, call: Call, seconds: float) -> None:
        async def deliver() -> None:
            await asyncio.sleep(seconds)
            await self._deliver(name, call.request, call)

        task = asyncio.create_task(deliver())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _deliver(self, name: str, request: Request, call: Call | None) -> Answer | None:
        """Make the call; the service's answer, or None if there is none."""
        delivery = Delivery(self._log.now())
        if call is not None:
            call.deliveries.append(delivery)
        answer = None
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
            answer = await self._ask(self._upstreams[name], request)
        if answer is not None:
            delivery.answered, delivery.status, delivery.code = self._log.now(), answer.status, _code(answer)
        return answer

    async def _ask(self, port: int, request: Request) -> Answer:
        async with self._session.request(
            request.method,
            URL(f"http://127.0.0.1:{port}{request.target}", encoded=True),
            data=request.body or None,
            headers=passed_on(request.headers),
            allow_redirects=False,
        ) as answer:
            return Answer(passed_on(answer.headers), await answer.read(), answer.status, answer.reason or "")


def _code(answer: Answer) -> str:
    return str(answer.json().get("code") or "") if answer.status >= 400 else ""
