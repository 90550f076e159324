"""One participant over HTTP: a request and its whole answer, or the reason why there is none.

Everything has a bound. The deadline is for the whole exchange: connecting, sending, headers and body. An answer that
drips, or is larger than `ANSWER_LIMIT`, is no answer, and its connection is closed.
"""

import asyncio
import contextlib
import json
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from common.wire import Json

ANSWER_LIMIT: Final = 64 * 1024
"""Bytes of a body. The largest legal order has 100 lines of some 300 bytes: half of this."""
HEADER_LIMIT: Final = 1024
"""Characters of a header that we send. The longest key has some 350; servers refuse a head above 8 to 64 KiB."""
OLDEST_CONNECTION: Final = 60.0
"""Seconds. New connections find the replicas that were added since: under load a connection is never idle, so an idle
time alone would keep all calls at the replicas that were there first.
"""
TRUSTED: Final = 300.0
"""Seconds after which the authorities are read again: a private one is renewed while we run. Reading takes 10 to 30 ms.
"""
IDLE: Final = 30.0
"""Seconds that a connection is kept open without a call."""
CLOSE_WITHIN: Final = 0.5
"""Seconds for closing a connection cleanly. A peer that doesn't read would hold up more than its own time-out."""


class NotSent(Exception):  # noqa: N818 - it reads as what happened
    """The request could not be built, so nothing was sent: the call's own trouble, not the participant's."""


class NoAnswer(Exception):  # noqa: N818 - it reads as what happened
    """No whole answer. The participant may have got the call."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    """Names in any case."""
    body: bytes = b""
    phrase: str = ""
    """The words beside the status."""


@dataclass(slots=True)
class _Pool:
    """Connections that were opened in the same minute. `born`: monotonic seconds."""

    transport: AiohttpTransport
    born: float
    users: int = 0


class Exchanges:
    """Calls to one participant. Usable inside one event loop; how many at once is bounded by its callers."""

    def __init__(
        self, url: str, *, timeout: float, oldest: float = OLDEST_CONNECTION, trusted: float = TRUSTED
    ) -> None:
        """`timeout`: seconds for a whole exchange; `oldest`: seconds after which a connection isn't used again;
        `trusted`: seconds after which new connections have the authorities read again (SSL_CERT_FILE, the system's).
        """
        self._url = url
        self._timeout = timeout
        self._oldest = oldest
        self._trusted = trusted
        self._tls = ssl.create_default_context()
        self._tls_made = time.monotonic()
        self._pool: _Pool | None = None

    async def aclose(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            await self._pool.transport.aclose()

    async def exchange(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        body: Json | None = None,
        limit: int = ANSWER_LIMIT,
    ) -> Answer:
        """Send a request, with `body` as its JSON, and read the whole answer, up to `limit` bytes of its body.

        Raises:
            NotSent: it could not be built.
            NoAnswer: there is no whole answer within the time-out and the bounds.
        """
        request = self._request(method, path, headers, body)
        try:
            async with asyncio.timeout(self._timeout), self._connections() as transport:
                return await _answer_to(request, transport, limit)
        except TimeoutError as error:
            raise NoAnswer(f"no whole answer within {self._timeout:g} s") from error
        # httpx-aiohttp translates most of aiohttp's errors, not all of them
        except (httpx.HTTPError, aiohttp.ClientError, OSError, ValueError) as error:
            raise NoAnswer(str(error) or type(error).__name__) from error

    def _request(self, method: str, path: str, headers: Mapping[str, str], body: Json | None) -> httpx.Request:
        try:
            for name, value in headers.items():
                if not (value.isascii() and value.isprintable() and len(value) <= HEADER_LIMIT):
                    raise ValueError(f"{name} is not a header: {value[:HEADER_LIMIT]!r}")
            # identity: a compressed answer may be a thousand times as large as what was read of it
            fixed = {"User-Agent": "ordersaga-operator", "Accept": "application/json", "Accept-Encoding": "identity"}
            content = None if body is None else json.dumps(body, separators=(",", ":")).encode()
            if content is not None:
                fixed["Content-Type"] = "application/json"
            timeout = httpx.Timeout(self._timeout).as_dict()
            url = f"{self._url}{path}"
            return httpx.Request(
                method, url, headers={**fixed, **headers}, content=content, extensions={"timeout": timeout}
            )
        except Exception as error:
            raise NotSent(str(error) or type(error).__name__) from error

    def _authorities(self, now: float) -> ssl.SSLContext:
        """What certificates are checked with. A file that is empty or can't be read is just being written."""
        if self._url.startswith("https:") and now - self._tls_made > self._trusted:
            with contextlib.suppress(OSError):
                tls = ssl.create_default_context()
                if tls.cert_store_stats()["x509_ca"] or not self._tls.cert_store_stats()["x509_ca"]:
                    self._tls = tls
            self._tls_made = now
        return self._tls

    @asynccontextmanager
    async def _connections(self) -> AsyncIterator[AiohttpTransport]:
        """The pool to use now. When it is old, the next one takes its place, and its last user closes it."""
        now, old = time.monotonic(), None
        if self._pool is None or now - self._pool.born > self._oldest:
            old, self._pool = self._pool, _Pool(_transport(self._authorities(now)), now)
        if old is not None and not old.users:
            await old.transport.aclose()
        pool = self._pool
        pool.users += 1
        try:
            yield pool.transport
        finally:
            pool.users -= 1
            if pool is not self._pool and not pool.users:
                await pool.transport.aclose()


async def _answer_to(request: httpx.Request, transport: AiohttpTransport, limit: int) -> Answer:
    response = await transport.handle_async_request(request)
    try:
        encoding = response.headers.get("Content-Encoding", "identity")
        if encoding.lower() != "identity":
            raise NoAnswer(f"the answer is encoded ({encoding[:20]}), which was not asked for")
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > limit:
                raise NoAnswer(f"the answer has more than {limit} bytes")
    finally:
        # a connection whose answer was not read to its end is closed by this, not used again
        async with asyncio.timeout(CLOSE_WITHIN):
            await response.aclose()
    return Answer(response.status_code, response.headers, bytes(body), response.reason_phrase)


def _transport(tls: ssl.SSLContext) -> AiohttpTransport:
    """aiohttp's connections: httpcore costs several milliseconds of CPU a call under load (docs/adr/0004)."""

    def session() -> aiohttp.ClientSession:
        # no bound of its own: whoever waits for a connection would wait within the deadline of the call
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE, ssl=tls)
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    return AiohttpTransport(verify=tls, client=session, trust_env=False)
