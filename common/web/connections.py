"""Connections that have to get on: whoever begins a request has to end its head, and what is left of its body, and has
to read its answer (`common.web.outgoing`).

uvicorn has a time-out for connections that are idle between two requests, and none for one whose head drips, or whose
body goes on when it has its answer: each would hold a connection for ever. (A body that drips before the answer is
answered 408, see `common.web.middleware`.) Its fast parser, httptools, has no bounds of its own either: for the size of
a head, and for the requests that come in a row without waiting for their answers. And it takes some heads that others
understand otherwise: what two servers in a row read differently is how a request is smuggled past the first one.
"""

import asyncio
from typing import Any, ClassVar, Literal, cast

import httptools
from starlette.types import Receive
from uvicorn import Config
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from common.listening import EVERYWHERE
from common.web.outgoing import Outgoing

LARGEST_HEAD = 64 * 1024
"""Bytes of a head, or of all that surrounds the pieces of a body. Proxies take 8 to 32 KiB."""
PIECE = 1024
"""Bytes that are parsed at a time: most calls of a saga have fewer. The parser can't be stopped within a piece, which
holds up to forty requests.
"""
_Stage = Literal["between", "head", "body"]
"""What of a request is expected next; "between": nothing of it has come."""


class _RefusedHeadError(Exception):
    """The parser takes this head, but not everybody reads it in the same way."""


class _Flow(FlowControl):
    """Reading stays paused while requests wait for their turn, whatever the one before them reads."""

    is_held = False

    def resume_reading(self) -> None:
        if not self.is_held:
            super().resume_reading()

    def hold(self) -> None:
        """Read nothing until `release`."""
        self.is_held = True
        self.pause_reading()

    def release(self) -> None:
        """Read again."""
        self.is_held = False
        self.resume_reading()


class PunctualConnection(HttpToolsProtocol):
    """uvicorn's connection, closed when nothing but pieces has come or gone for `seconds`."""

    seconds: ClassVar[float]
    _closing: asyncio.TimerHandle | None = None
    _answering: RequestResponseCycle | None = None
    """The request whose turn it is or was; `cycle` is the newest one."""
    _stage: _Stage = "between"
    _overhead = 0
    """Bytes of the head or of what surrounds the body since the last byte of a body."""
    _held = b""
    """What came after requests that wait for their turn. It is parsed when they had it."""
    _is_over = False
    """What came last is no request: nothing more is parsed, and the connection ends after the answers before it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """As uvicorn makes it."""
        super().__init__(*args, **options)
        self.access_log = False  # common.web.middleware writes that line

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A first request is expected."""
        super().connection_made(cast("asyncio.Transport", Outgoing(transport, self.seconds)))
        self.flow = _Flow(self.transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        """Some bytes: if they don't make a whole head, its time runs."""
        self._unset_keepalive_if_required()
        began = self._stage
        self._take(data)
        if self._is_answering():
            self._relax()
        elif self._stage == "between" and began != "between":
            self._relax()  # the rest of a body whose answer is out already
            self._wait_for_the_next()
        else:
            self._expect()

    def on_response_complete(self) -> None:
        """The answer is out; what is left of the body has to end as well. Then it is the turn of what was held."""
        super().on_response_complete()
        if self.transport.is_closing() or self.pipeline:
            return
        if self._is_over:
            self._refuse()
            return
        held, self._held = self._held, b""
        cast("_Flow", self.flow).release()
        if held:
            self._unset_keepalive_if_required()
            self._take(held)
        if self._stage != "between" and not self._is_answering():
            self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is expected any more."""
        self._relax()
        self._unset_keepalive_if_required()
        self._is_over, self._held = True, b""
        self.pipeline.clear()
        self._hang_up()
        cast("Outgoing", self.transport).ended()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _is_answering(self) -> bool:
        return self._answering is not None and not self._answering.response_complete

    def _hang_up(self) -> None:
        """Whoever answers learns that nobody listens any more."""
        if self._answering is not None:
            self._answering.disconnected = True
            self._answering.message_event.set()

    def _take(self, data: bytes) -> None:
        """Parse it, piece by piece, until requests wait for their turn."""
        at, end = 0, len(data)
        while at < end and not self._is_over:
            if self.pipeline:
                self._held += data[at:]
                cast("_Flow", self.flow).hold()
                return
            piece = data[at : at + PIECE]  # data itself, if it is that short
            try:
                self.parser.feed_data(piece)
                at += len(piece)
            except httptools.HttpParserUpgrade as upgrade:
                at += upgrade.args[0]
                self._go_on_as_before()
            except httptools.HttpParserError:
                self._refuse()
                return
            self._overhead = self._overhead + len(piece) if self._stage != "between" else 0
            if self._overhead > LARGEST_HEAD:
                self._refuse()

    def _go_on_as_before(self) -> None:
        """The client would like to speak another protocol; this side speaks HTTP/1.1 alone, and goes on with it.

        The parser takes all that follows for the other protocol's. So another one reads the body, which would be taken
        for the next request otherwise.
        """
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        if self._stage == "body":
            length = b"\r\n".join(b"%b: %b" % field for field in self.headers if field[0] in _LENGTHS)
            self.parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n\r\n" % length)  # of this head nothing else is used

    def _refuse(self) -> None:
        """What came last is no request: 400, after the answers to those before it, and the end of the connection."""
        self._is_over = True
        if self._stage == "body" and self.pipeline:
            self.pipeline.popleft()
        elif self._stage == "body" and self._answering is not None and self._answering.response_started:
            self.transport.close()
        elif self._stage == "body" or not self._is_answering():
            self._hang_up()
            self.logger.warning(message := "Invalid HTTP request received.")
            self.send_400_response(message)
        self._stage = "between"
        if not self.transport.is_closing():
            cast("_Flow", self.flow).hold()

    # The parser's own calls

    def on_message_begin(self) -> None:
        """A request begins; the second parser of `_go_on_as_before` begins none."""
        if self._stage == "between":
            self._stage = "head"
            super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A piece of the request's target."""
        if self._stage == "head":
            self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head. Those after a body are nobody's, and no part of it."""
        if self._stage == "head":
            name = name.lower()
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is there: it is answered from here on, if everybody reads it in the same way."""
        if self._stage == "head":
            self._check()
            super().on_headers_complete()
            self._stage, self._overhead = "body", 0

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._overhead = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is there as a whole."""
        if self.parser.should_upgrade() and any(name in _LENGTHS for name, _ in self.headers):
            return  # its body comes
        self._stage = "between"
        super().on_message_complete()

    def _should_upgrade(self) -> bool:
        return False

    def _check(self) -> None:
        """Raises _RefusedHeadError for what the parser lets pass; it refuses two lengths, and a length in two ways."""
        version = self.parser.get_http_version()
        hosts = 0
        for name, value in self.headers:
            if name == b"host":
                hosts += 1
            elif name == b"transfer-encoding" and (value.lower() != b"chunked" or version != "1.1"):
                raise _RefusedHeadError("its length can't be known")
        if version not in {"1.0", "1.1"} or hosts > 1 or (not hosts and version == "1.1"):
            raise _RefusedHeadError("HTTP/1.1 has one Host")
        if self.parser.get_method() == b"CONNECT" or b"#" in self.url:
            raise _RefusedHeadError("there is no such target")

    def _wait_for_the_next(self) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _expect(self) -> None:
        if self._closing is None:
            self._closing = self.loop.call_later(self.seconds, self.transport.close)

    def _relax(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None


_LENGTHS = frozenset({b"content-length", b"transfer-encoding"})


def punctual(seconds: float) -> type[PunctualConnection]:
    """The class of connections whose requests have so many seconds for their head."""
    return type("PunctualConnection", (PunctualConnection,), {"seconds": seconds})


def config_of(receive: Receive) -> Config | None:
    """The configuration of the uvicorn that begins the lifespan behind `receive`; None for another server."""
    config = getattr(getattr(receive, "__self__", None), "config", None)
    return config if isinstance(config, Config) else None


def listen_everywhere(config: Config | None) -> None:
    """Let a server that is to listen at `::` listen to IPv4 as well, which its event loop would leave out.

    It begins to listen when the lifespan has begun. An empty host is a socket for each family that there is.
    """
    if config is not None and config.host == EVERYWHERE:
        config.host = ""


def make_punctual(receive: Receive, seconds: float) -> bool:
    """Let the server that begins the lifespan behind `receive` make such connections, whatever parser it was to take.
    Whether there is such a server: then this process is a service's own.

    uvicorn takes no such class on its command line, and every way to start a service ends there; it looks the class up
    for each new connection. Another server stays as it is.
    """
    config = config_of(receive)
    if config is None or config.http_protocol_class not in {H11Protocol, HttpToolsProtocol}:
        return False
    config.http_protocol_class = punctual(seconds)
    config.encoded_headers = [each for each in config.encoded_headers if each[0] != b"server"]  # nobody needs to know
    return True
