"""A real receiver of webhooks on real sockets, which answers as a test tells it to."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

KEY = b"0123456789abcdef01234567"
PATH = "/secret-path"


def secret_of(key: bytes) -> str:
    """What the file of the setting holds."""
    return f"whsec_{base64.b64encode(key).decode()}\n"


@dataclass
class Receiver:
    """Answers as it is told to, and keeps what it got."""

    answer: Callable[[], web.Response] = lambda: web.Response(status=204)
    gone: str = ""
    """Recipients that end so don't exist."""
    seconds: float = 0.0
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.gone and json.loads(body)["to"].endswith(self.gone):
            return web.json_response({"code": "bounced"}, status=410)
        self.reached.set()
        self.got.append(({name.lower(): value for name, value in request.headers.items()}, body))
        await asyncio.sleep(self.seconds)
        return self.answer()

    def sent(self, order_id: str) -> int:
        """How many posts are about this order."""
        return sum(json.loads(body)["order_id"] == order_id for _, body in self.got)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver that listens until the block ends."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post(PATH, receiver.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.port = runner.addresses[0][1]
    yield receiver
    await runner.cleanup()
