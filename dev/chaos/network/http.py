"""What a proxy in front of one of our servers needs: to listen, to pass messages on, to break an answer off."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from common.wire import Json

T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Headers = CIMultiDict[str] | CIMultiDictProxy[str]

PER_CONNECTION: Final = frozenset({"connection", "content-length", "host", "keep-alive", "transfer-encoding"})
"""Headers that each side of the proxy writes for itself."""
BODY_LIMIT: Final = 2**24
"""Bytes of a request; more than any of our servers takes."""


@dataclass(frozen=True, slots=True)
class Message:
    """The headers and the body of a request or an answer."""

    headers: Headers
    body: bytes

    def json(self) -> Json:
        """The body if it is a JSON object, else an empty one."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class Request(Message):
    """A request as it came in."""

    method: str
    target: str
    """Path and query, still percent-encoded."""

    @property
    def path(self) -> str:
        """Without the query."""
        return self.target.partition("?")[0]

    @classmethod
    async def read(cls, incoming: web.Request) -> "Request":
        """The whole of it."""
        return cls(incoming.headers, await incoming.read(), incoming.method, incoming.raw_path)


@dataclass(frozen=True, slots=True)
class Answer(Message):
    """An answer as it is going back."""

    status: int
    reason: str

    def response(self) -> web.Response:
        """For aiohttp to send."""
        return web.Response(body=self.body, status=self.status, reason=self.reason, headers=self.headers)

    def encode(self) -> bytes:
        """As bytes on the wire, for an answer that is sent in part only."""
        lines = [f"HTTP/1.1 {self.status} {self.reason}", *(f"{key}: {value}" for key, value in self.headers.items())]
        return "\r\n".join([*lines, f"Content-Length: {len(self.body)}", "", ""]).encode("latin-1") + self.body


def passed_on(headers: Mapping[str, str]) -> CIMultiDict[str]:
    """The headers that are passed on to the other side."""
    return CIMultiDict((key, value) for key, value in headers.items() if key.lower() not in PER_CONNECTION)


def broken_off(incoming: web.Request, part: bytes = b"") -> web.Response:
    """Close the caller's connection after these bytes. The result is for aiohttp only: it can't be sent any more."""
    if incoming.transport is not None:
        incoming.transport.write(part)
        incoming.transport.abort()
    return web.Response()


async def listen(handler: Handler, port: int = 0) -> web.AppRunner:
    """A server on 127.0.0.1 that gives every request to `handler`; port 0: a free one, see `runner.addresses`."""
    app = web.Application(client_max_size=BODY_LIMIT)
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner


class LoopThread:
    """An event loop in a thread of its own, while the main thread waits for processes or runs a test."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, T], seconds: float = 60) -> T:
        """Run it in the loop and wait for its result. Raises TimeoutError, and what `work` raises."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(seconds)

    def begin(self, work: Coroutine[Any, Any, object]) -> None:
        """Run it in the loop without waiting for it."""
        asyncio.run_coroutine_threadsafe(work, self.loop)

    def close(self) -> None:
        """Stop the loop; what still runs in it should have been ended before."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()
