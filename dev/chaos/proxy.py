"""The network between the operator and its participants, and between clients and the order service: it misbehaves.

One listening port for each service. A call is delivered over a connection of its own, so that it can arrive late, or
twice, whatever has become of the caller.
"""

import asyncio
import contextlib
from collections.abc import Mapping

from dev.chaos.calls import Call, Delivery, History, identify
from dev.chaos.disturbances import Disturbance, Trouble, disturbance_of
from dev.chaos.messages import HEAD_LIMIT, Message, read_message

CLIENTS = "clients"
"""The route that clients take to the order service."""
DELIVERY_SECONDS = 30.0
"""Longer than any part is paused: what is delivered then is delivered late, as from a network's queue."""
UNAVAILABLE = Message(
    "HTTP/1.1 503 Service Unavailable",
    (("Content-Type", "application/problem+json"), ("Retry-After", "1")),
    b'{"type":"about:blank","title":"Service Unavailable","status":503,"code":"unavailable","retryable":true,'
    b'"detail":"a proxy in between is overloaded: ask again"}',
)


class Proxy:
    """Relays for all services. Lives in one event loop."""

    def __init__(self, seed: int, upstreams: Mapping[str, int], ports: Mapping[str, int], history: History) -> None:
        """Ports by service; `ports` has one more, CLIENTS."""
        self._seed = seed
        self._upstreams = {**upstreams, CLIENTS: upstreams["order"]}
        self._ports = ports
        self._history = history
        self._servers: list[asyncio.Server] = []
        self._late: set[asyncio.Task[None]] = set()
        self._connections: set[asyncio.Task[None]] = set()
        self.disturbing = True

    async def start(self) -> None:
        """Listen."""
        for name, port in self._ports.items():

            def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str = name) -> None:
                task = asyncio.create_task(self._serve(name, reader, writer))
                self._connections.add(task)
                task.add_done_callback(self._connections.discard)

            self._servers.append(await asyncio.start_server(serve, "127.0.0.1", port, limit=HEAD_LIMIT))

    async def aclose(self) -> None:
        """Stop listening; what is still to be delivered late is forgotten."""
        for server in self._servers:
            server.close()
        tasks = [*self._late, *self._connections]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def under_way(self) -> int:
        """How many calls are still to be delivered late."""
        return len(self._late)

    async def _serve(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a caller."""
        try:
            while (request := await read_message(reader)) is not None:
                answer, whole = await self._handle(name, request)
                writer.write(answer)
                await writer.drain()
                if not whole:
                    break
        except OSError:
            pass  # the caller is gone
        finally:
            with contextlib.suppress(OSError):
                writer.transport.abort()

    async def _handle(self, name: str, request: Message) -> tuple[bytes, bool]:
        """What goes back to the caller, and whether that is a whole answer; if not, the connection is closed."""
        known = identify(request, client=name == CLIENTS)
        if known is None:
            return _encoded(await self._deliver(name, request, None))
        order_id, step, operation = known
        number = self._history.number(order_id, step, operation)
        disturbance = Disturbance(Trouble.NONE)
        if self.disturbing:
            disturbance = disturbance_of(self._seed, order_id, step, operation, number)
        call = Call(self._history.now(), order_id, step, operation, number, request, disturbance)
        self._history.add(call)
        answer, whole = _encoded(await self._disturbed(name, call))
        if disturbance.trouble is Trouble.BROKEN:
            return answer[: len(answer) * 2 // 3], False
        return answer, whole

    async def _disturbed(self, name: str, call: Call) -> Message | None:
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

    async def _deliver(self, name: str, request: Message, call: Call | None) -> Message | None:
        """Bring it to the service; its answer, or None if there is none."""
        delivery = Delivery(self._history.now())
        if call is not None:
            call.deliveries.append(delivery)
        answer = None
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(DELIVERY_SECONDS):
                answer = await _ask(self._upstreams[name], request)
        if answer is not None:
            delivery.answered, delivery.status, delivery.code = self._history.now(), answer.status, _code(answer)
        return answer


def _encoded(answer: Message | None) -> tuple[bytes, bool]:
    return (b"", False) if answer is None else (answer.encode("keep-alive"), True)


async def _ask(port: int, request: Message) -> Message | None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=HEAD_LIMIT)
    try:
        writer.write(request.encode("close"))
        await writer.drain()
        return await read_message(reader)
    finally:
        writer.transport.abort()


def _code(answer: Message) -> str:
    body = answer.json()
    if answer.status >= 400:
        return str(body.get("code") or "")
    return "closed" if body.get("closed") is True else ""
