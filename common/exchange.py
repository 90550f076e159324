"""One participant, or another service, over HTTP: a request and its whole answer, or the reason why there is none.

Everything has a bound. The deadline is for the whole exchange: connecting, sending, headers and body. An answer that
drips, or is larger than the limit, is no answer, and its connection is closed. Redirects aren't followed, cookies
aren't kept, and the environment's proxies aren't used.
"""

import asyncio
import contextlib
import json
import random
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import aiohttp
from yarl import URL

from common.wire import Json

ANSWER_LIMIT: Final = 64 * 1024
"""Bytes of a body. The largest legal order has 100 lines of some 300 bytes: half of this."""
HEADER_LIMIT: Final = 1024
"""Characters of a header that we send. The longest key has some 350; servers refuse a head above 8 to 64 KiB."""
PATH_LIMIT: Final = 8 * 1024
"""Characters of a path with its query. The prices of a hundred products are asked for with 7,600."""
OLDEST_CONNECTION: Final = 30.0
"""Seconds. New connections find the replicas that were added since: under load a connection is never idle, so an idle
time alone would keep all calls at the replicas that were there first. Making one costs less than a call.
"""
TRUSTED: Final = 300.0
"""Seconds after which the authorities are read again: a private one is renewed while we run. Reading takes 10 to 30 ms.
"""
IDLE: Final = 30.0
"""Seconds that a connection is kept open without a call."""
CLOSE_WITHIN: Final = 0.5
"""Seconds for closing connections cleanly. A peer that doesn't read would hold up more than its own time-out."""
ENCODER: Final = json.JSONEncoder(separators=(",", ":"))


class NotSent(Exception):  # noqa: N818 - it reads as what happened
    """The request could not be built, so nothing was sent: the call's own trouble, not the participant's."""


class NoAnswer(Exception):  # noqa: N818 - it reads as what happened
    """No whole answer. The participant may have got the call."""


class AnswerTooLong(Exception):  # noqa: N818 - it reads as what happened
    """More bytes than the limit; the connection is closed."""


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
    """Connections that were opened at about the same time; by the monotonic clock no call begins on them after
    `until`.
    """

    session: aiohttp.ClientSession
    until: float
    users: int = 0


class Exchanges:
    """Calls to one participant. Usable inside one event loop."""

    def __init__(
        self,
        url: str,
        *,
        timeout: float,
        user_agent: str = "ordersaga",
        connect: float | None = None,
        connections: int = 0,
        oldest: float = OLDEST_CONNECTION,
        trusted: float = TRUSTED,
        authorization: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`timeout`: seconds for a whole exchange, and `connect` for a new connection within it; `connections`: at
        most so many (0: its callers bound them); `oldest`: seconds after which a connection surely isn't used again;
        `trusted`: seconds after which new connections have the authorities read again (SSL_CERT_FILE, the system's);
        `authorization`: the header of that name for a call that is made now, if there is one.
        """
        self._url = url
        self._timeout = timeout
        self._connect = connect
        self._connections = connections
        self._oldest = oldest
        self._trusted = trusted
        self._authorization = authorization
        # identity: a compressed answer may be a thousand times as large as what was read of it
        self._headers = {"User-Agent": user_agent, "Accept": "application/json", "Accept-Encoding": "identity"}
        self._tls = ssl.create_default_context() if url.startswith("https:") else None
        self._tls_made = time.monotonic()
        self._pool: _Pool | None = None

    async def aclose(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            await self._pool.session.close()

    async def exchange(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        body: Json | None = None,
        limit: int = ANSWER_LIMIT,
        seconds: float | None = None,
    ) -> Answer:
        """Send a request, with `body` as its JSON, and read the whole answer, up to `limit` bytes of its body.

        `seconds`: the time for this exchange, where it isn't the usual one.

        Raises:
            NotSent: it could not be built.
            NoAnswer: there is no whole answer within the time-out and the bounds.
        """
        url, heads, content = self._request(path, headers, body)
        within = self._timeout if seconds is None else seconds
        try:
            async with asyncio.timeout(within):
                pool, before = self._pool_now()
                try:
                    if before is not None:
                        await _close(before)
                    response = await pool.session.request(
                        method, url, headers=heads, data=content, allow_redirects=False
                    )
                    return await _answer_of(response, limit)
                finally:
                    pool.users -= 1
                    if pool is not self._pool and not pool.users:
                        await _close(pool)
        except TimeoutError as error:
            raise NoAnswer(f"no whole answer within {within:g} s") from error
        except AnswerTooLong as error:
            raise NoAnswer(str(error)) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NoAnswer(str(error) or type(error).__name__) from error

    def _request(
        self, path: str, headers: Mapping[str, str], body: Json | None
    ) -> tuple[URL, dict[str, str], bytes | None]:
        try:
            heads = {**self._headers, **headers}
            for name, value in headers.items():
                if not (value.isascii() and value.isprintable() and len(value) <= HEADER_LIMIT):
                    raise ValueError(f"{name} is not a header: {value[:HEADER_LIMIT]!r}")
            if not (path.isascii() and path.isprintable() and len(path) <= PATH_LIMIT):
                raise ValueError(f"it is not a path: {path[:HEADER_LIMIT]!r}")
            content = None if body is None else ENCODER.encode(body).encode()
            if content is not None:
                heads["Content-Type"] = "application/json"
            if authorization := self._authorization():
                heads["Authorization"] = authorization
            return URL(self._url + path), heads, content
        except Exception as error:
            raise NotSent(str(error) or type(error).__name__) from error

    def _authorities(self, now: float) -> ssl.SSLContext | None:
        """What certificates are checked with. A file that is empty or can't be read is just being written."""
        if self._tls is not None and now - self._tls_made > self._trusted:
            with contextlib.suppress(OSError):
                tls = ssl.create_default_context()
                if tls.cert_store_stats()["x509_ca"] or not self._tls.cert_store_stats()["x509_ca"]:
                    self._tls = tls
            self._tls_made = now
        return self._tls

    def _pool_now(self) -> tuple[_Pool, _Pool | None]:
        """The pool for one more user, and the one before if that has to be closed now.

        When a pool is old, the next one takes its place, and its last user closes it. The age is chosen at random, so
        that several processes don't renew at once: a replica that is added is found within 12 s on average.
        """
        now, before = time.monotonic(), None
        if self._pool is None or now > self._pool.until:
            until = now + self._oldest * random.uniform(0.5, 1.0)  # noqa: S311 - nothing secret
            before, self._pool = self._pool, _Pool(self._session(now), until)
        self._pool.users += 1
        return self._pool, before if before is not None and not before.users else None

    def _session(self, now: float) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=self._connections, keepalive_timeout=IDLE, ssl=self._authorities(now) or True
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            # the deadline of the exchange bounds all of it; aiohttp's own would be timers beside that one
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect),
        )


async def read_whole(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The answer's body, as it was sent. A connection whose answer wasn't read to its end is closed, not used again.

    Raises:
        AnswerTooLong: it has more than `limit` bytes.
    """
    content = response.content
    try:
        body = await content.readany()
        if not content.at_eof():
            parts = bytearray(body)
            while len(parts) <= limit and not content.at_eof():
                parts += await content.readany()
            body = bytes(parts)
        if len(body) > limit:
            raise AnswerTooLong(f"the answer has more than {limit} bytes")
    except BaseException:
        response.close()
        raise
    return body


async def _answer_of(response: aiohttp.ClientResponse, limit: int) -> Answer:
    headers = response.headers
    if "Content-Encoding" in headers:
        encoding = ", ".join(headers.getall("Content-Encoding"))
        if encoding.lower() != "identity":
            response.close()
            raise NoAnswer(f"the answer is encoded ({encoding[:20]}), which was not asked for")
    return Answer(response.status, headers, await read_whole(response, limit), phrase_of(response))


def phrase_of(response: aiohttp.ClientResponse) -> str:
    """The words beside the status, or the usual ones."""
    if response.reason:
        return response.reason
    try:
        return HTTPStatus(response.status).phrase
    except ValueError:
        return ""


async def _close(pool: _Pool) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_WITHIN):
            await pool.session.close()
