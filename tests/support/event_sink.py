"""A scripted sink of lifecycle events: it verifies what it gets as a receiver would, and answers as a test says."""

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
import threading
import time
from dataclasses import dataclass, field

from aiohttp import web

from common.wire import Json

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
HANG = 60.0


@dataclass
class Delivery:
    """One request as it arrived."""

    event: Json
    answered: int
    authorization: str
    at: float = field(default_factory=time.monotonic)

    @property
    def id(self) -> str:
        return str(self.event["id"])

    @property
    def type(self) -> str:
        return str(self.event["type"]).removeprefix("io.ordersaga.order.").removesuffix(".v1")


class ScriptedSink:
    """Runs in a thread of its own. `status` is its answer: 0 drops the connection, -1 never answers."""

    def __init__(self, secret: str = SECRET, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.status = 202
        self.headers: dict[str, str] = {}
        self.lose_answers = 0
        """So many answers are lost, though the events are taken."""
        self.secret = secret
        self.deliveries: list[Delivery] = []
        self.unsigned: list[str] = []
        """What came without a signature that fits."""
        self.hanging = 0
        """Requests that wait for an answer now. Whoever has hung up waits no more."""
        self.most_hanging = 0
        """As many have waited at once."""
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def of(self, order: str) -> list[Delivery]:
        """Every attempt."""
        return [each for each in list(self.deliveries) if each.event["subject"] == order]

    def taken(self, order: str) -> list[str]:
        """The types of the events that it has taken, in their order, repetitions left out."""
        ids = {each.id: each.type for each in self.of(order) if each.answered == 202}
        return list(ids.values())

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start())
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._runner.cleanup())
        hanging = asyncio.all_tasks(self._loop)
        for task in hanging:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*hanging, return_exceptions=True))
        self._loop.close()

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_post("/events", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls)
        await site.start()
        scheme = "http" if self._tls is None else "https"
        self.url = f"{scheme}://localhost:{self._runner.addresses[0][1]}/events"

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        event = json.loads(body)
        status = self.status
        if status < 0:
            await self._hang()
        if not self._is_signed(request, body):
            self.unsigned.append(event["id"])
        self.deliveries.append(Delivery(event, status, request.headers.get("Authorization", "")))
        if status == 202 and self.lose_answers:
            self.lose_answers -= 1
            status = 0
        if status == 0:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return web.Response(status=status, headers=self.headers)

    async def _hang(self) -> None:
        """Until its caller hangs up, as a rule: this is cancelled then."""
        self.hanging += 1
        self.most_hanging = max(self.most_hanging, self.hanging)
        try:
            await asyncio.sleep(HANG)
        finally:
            self.hanging -= 1

    def _is_signed(self, request: web.Request, body: bytes) -> bool:
        id_, timestamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        if id_ != json.loads(body)["id"] or abs(time.time() - int(timestamp)) > 300:
            return False
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        digest = hmac.digest(key, f"{id_}.{timestamp}.".encode() + body, hashlib.sha256)
        found = request.headers.get("webhook-signature", "").split(" ")
        media_type = request.headers["Content-Type"]
        return f"v1,{base64.b64encode(digest).decode()}" in found and media_type.startswith(
            "application/cloudevents+json"
        )
