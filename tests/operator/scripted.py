"""Scripted participants: one HTTP server that plays all five, remembers every call, and answers as a test says.

A fake, for what real services do too seldom: broken answers, Retry-After, silence, 412. Where nothing is scripted it
keeps the protocol: a do is 200, an undo is undone if the do has been, also when it is repeated.
"""

import asyncio
import contextlib
import json
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from common.wire import Json

UNDO = {"cancel", "release", "refund", "reject"}


@dataclass
class Call:
    """One request as it arrived."""

    path: str
    key: str
    body: Json
    epoch: int
    at: float
    correlation_id: str = ""
    authorization: str = ""
    traceparent: str = ""
    answered: float = 0.0
    """When it was; 0 before that."""


@dataclass
class Reply:
    """One scripted answer; `status` 0 drops the connection. Seconds: `delay` before it, `drip` after each byte."""

    status: int = 200
    body: Json = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    raw: str | None = None
    drip: float = 0.0


Script = Callable[[Call], Reply | None]


class ScriptedParticipants:
    """Runs in a thread of its own; `say(order, step_path, replies…)` queues answers, the last one is not repeated."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.archive_answers = 200
        self.archived: list[str] = []
        self.archived_within: dict[str, str] = {}
        """The `traceparent` of that call, by the order's id."""
        """The orders whose saga was archived here before their resource was deleted."""
        self.url = ""
        self._queued: dict[tuple[str, str], list[Reply]] = defaultdict(list)
        self._always: dict[tuple[str, str], Reply] = {}
        self._done: set[tuple[str, str]] = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def say(self, order: str, path: str, *replies: Reply, always: Reply | None = None) -> None:
        self._queued[(order, path)].extend(replies)
        if always is not None:
            self._always[(order, path)] = always
        elif (order, path) in self._always:
            del self._always[(order, path)]

    def forget(self) -> None:
        """Back to the protocol: what a test has left behind must not touch the next one."""
        self._queued.clear()
        self._always.clear()

    def of(self, order: str) -> list[Call]:
        return [call for call in self.calls if f"/{order}/" in call.key]

    def paths(self, order: str) -> list[str]:
        return [call.path for call in self.of(order)]

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start())
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._runner.cleanup())
        self._loop.close()

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.text() or "{}")
        if request.method == "PUT" and request.path.endswith("/saga"):
            if self.archive_answers != 200:
                return web.Response(status=self.archive_answers)
            self.archived.append(name := request.path.split("/")[-2])
            self.archived_within[name] = request.headers.get("traceparent", "")
            return web.json_response(body)
        key = request.headers.get("Idempotency-Key", "")
        order = key.split("/")[1] if "/" in key else request.path.split("/")[-2]
        call = Call(request.path, key or f"GET/{order}/", body, int(request.headers["Saga-Epoch"]), self._loop.time())
        call.correlation_id = request.headers.get("X-Correlation-ID", "")
        call.authorization = request.headers.get("Authorization", "")
        call.traceparent = request.headers.get("traceparent", "")
        self.calls.append(call)
        queue = self._queued[(order, request.path)]
        reply = queue.pop(0) if queue else self._always.get((order, request.path)) or self._protocol(order, call)
        await asyncio.sleep(reply.delay)
        call.answered = self._loop.time()
        if reply.status == 0:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if reply.drip:
            return await self._drip(request, reply)
        if reply.raw is not None:
            return web.Response(text=reply.raw, status=reply.status, headers=reply.headers)
        return web.json_response(reply.body, status=reply.status, headers=reply.headers)

    @staticmethod
    async def _drip(request: web.Request, reply: Reply) -> web.StreamResponse:
        response = web.StreamResponse(status=reply.status, headers={"Content-Type": "application/json"})
        await response.prepare(request)
        with contextlib.suppress(OSError):
            for byte in json.dumps(reply.body).encode():
                await response.write(bytes([byte]))
                await asyncio.sleep(reply.drip)
        return response

    def _protocol(self, order: str, call: Call) -> Reply:
        step, direction = call.key.split("/")[2:4]
        if direction == "undo":
            effect = "undone" if (order, step) in self._done else "none"
            return Reply(200, {"order_id": order, "effect": effect, "closed": False})
        self._done.add((order, step))
        return Reply(200, {"order_id": order, "payment_id": f"pay-{order}", "shipping_id": f"ship-{order}"})


def refused(code: str, detail: str = "no") -> Reply:
    """A business refusal, as participants give it."""
    return Reply(409, {"code": code, "detail": detail, "retryable": False, "status": 409, "title": "Refused"})
