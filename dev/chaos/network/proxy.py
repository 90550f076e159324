"""The network between the operator and its participants, and between clients and the order service: it misbehaves.

One listening port for each service. A call is delivered over a connection of its own, so that it can arrive late, or
twice, whatever has become of the caller.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from functools import partial

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from dev.chaos.network.calls import Call, Delivery, History, identify
from dev.chaos.network.http import Answer, Request, broken_off, listen, passed_on
from dev.chaos.plan.call_faults import Disturbance, Trouble, disturbance_of

CLIENTS = "clients"
"""The route that clients take to the order service."""
DELIVERY_SECONDS = 30.0
"""Longer than any part is paused: what is delivered then is delivered late, as from a network's queue."""
UNAVAILABLE = Answer(
    CIMultiDict({"Content-Type": "application/problem+json", "Retry-After": "1"}),
    b'{"type":"about:blank","title":"Service Unavailable","status":503,"code":"unavailable","retryable":true,'
    b'"detail":"a proxy in between is overloaded: ask again"}',
    503,
    "Service Unavailable",
)
NOTHING_ADDED = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""Headers that aiohttp's client would add of its own accord."""


class Proxy:
    """Forwards the calls to all services. Lives in one event loop."""

    def __init__(self, seed: int, upstreams: Mapping[str, int], ports: Mapping[str, int], history: History) -> None:
        """Ports by service; `ports` has one more, CLIENTS."""
        self._seed = seed
        self._upstreams = {**upstreams, CLIENTS: upstreams["order"]}
        self._ports = ports
        self._history = history
        self._servers: list[web.AppRunner] = []
        self._late: set[asyncio.Task[None]] = set()
        self.disturbing = True

    async def start(self) -> None:
        """Listen."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
            timeout=aiohttp.ClientTimeout(DELIVERY_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=NOTHING_ADDED,
            auto_decompress=False,
        )
        for name, port in self._ports.items():
            self._servers.append(await listen(partial(self._answer, name), port))

    async def aclose(self) -> None:
        """Stop listening; what is still to be delivered late is forgotten."""
        for task in self._late:
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)
        for server in self._servers:
            await server.cleanup()
        await self._session.close()

    @property
    def under_way(self) -> int:
        """How many calls are still to be delivered late."""
        return len(self._late)

    async def _answer(self, name: str, incoming: web.Request) -> web.StreamResponse:
        request = await Request.read(incoming)
        call = self._noted(request, client=name == CLIENTS)
        answer = await (self._deliver(name, request, None) if call is None else self._disturbed(name, call))
        if answer is None:
            return broken_off(incoming)
        if call is not None and call.disturbance.trouble is Trouble.BROKEN:
            whole = answer.encode()
            return broken_off(incoming, whole[: len(whole) * 2 // 3])
        return answer.response()

    def _noted(self, request: Request, *, client: bool) -> Call | None:
        """The call with what is going to happen to it; None for what is left alone."""
        known = identify(request, client=client)
        if known is None:
            return None
        order_id, step, operation = known
        number = self._history.number(order_id, step, operation)
        disturbance = Disturbance(Trouble.NONE)
        if self.disturbing:
            disturbance = disturbance_of(self._seed, order_id, step, operation, number)
        call = Call(self._history.now(), order_id, step, operation, number, request, disturbance)
        self._history.add(call)
        return call

    async def _disturbed(self, name: str, call: Call) -> Answer | None:
        request, seconds = call.request, call.disturbance.seconds
        match call.disturbance.trouble:
            case Trouble.DELAYED:
                await asyncio.sleep(seconds)
            case Trouble.DROPPED:
                return None
            case Trouble.REFUSED:
                return UNAVAILABLE
            case Trouble.LOST:
                await self._deliver(name, request, call)
                return None
            case Trouble.SLOW:
                answer = await self._deliver(name, request, call)
                await asyncio.sleep(seconds)
                return answer
            case Trouble.LATE:
                self._deliver_later(name, call, seconds)
                return None
            case Trouble.TWICE:
                answers = await asyncio.gather(*(self._deliver(name, request, call) for _ in range(2)))
                return answers[-1]
            case Trouble.AGAIN:
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
        """Bring it to the service; its answer, or None if there is none."""
        delivery = Delivery(self._history.now())
        if call is not None:
            call.deliveries.append(delivery)
        answer = None
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
            answer = await self._ask(self._upstreams[name], request)
        if answer is not None:
            delivery.answered, delivery.status, delivery.code = self._history.now(), answer.status, _code(answer)
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
    body = answer.json()
    if answer.status >= 400:
        return str(body.get("code") or "")
    return "closed" if body.get("closed") is True else ""
