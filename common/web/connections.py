"""Connections that have to get on: whoever begins a request has to end its head, and what is left of its body.

uvicorn has a time-out for connections that are idle between two requests, and none for one whose head drips, or whose
body goes on when it has its answer: each would hold a connection for ever. (A body that drips before the answer is
answered 408, see `common.web.middleware`.)
"""

import asyncio
from typing import ClassVar

import h11
from starlette.types import Receive
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol


class PunctualConnection(H11Protocol):
    """uvicorn's connection, closed when nothing but pieces has come for `seconds`."""

    seconds: ClassVar[float]
    _closing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A first request is expected."""
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        """Some bytes: if they don't make a whole head, its time runs."""
        super().data_received(data)
        answering = self.cycle is not None and not self.cycle.response_complete
        idle = self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]
        if answering or idle:
            self._relax()
        else:
            self._expect()

    def on_response_complete(self) -> None:
        """The answer is out; what is left of the body has to end as well."""
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY:
            self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is expected any more."""
        self._relax()
        super().connection_lost(exc)

    def _expect(self) -> None:
        if self._closing is None:
            self._closing = self.loop.call_later(self.seconds, self.transport.close)

    def _relax(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None


def punctual(seconds: float) -> type[PunctualConnection]:
    """The class of connections whose requests have so many seconds for their head."""
    return type("PunctualConnection", (PunctualConnection,), {"seconds": seconds})


def make_punctual(receive: Receive, seconds: float) -> None:
    """Let the server that begins the lifespan behind `receive` make such connections.

    uvicorn takes no such class on its command line, and every way to start a service ends there; it looks the class up
    for each new connection. Another server, or another of uvicorn's protocols, stays as it is.
    """
    config = getattr(getattr(receive, "__self__", None), "config", None)
    if isinstance(config, Config) and config.http_protocol_class is H11Protocol:
        config.http_protocol_class = punctual(seconds)
