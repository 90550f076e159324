"""One participant, or another service, over HTTP: a request and its whole answer, or the reason why there is none.

Everything has a bound. The deadline is for the whole exchange: connecting, sending, headers and body. An answer that
drips, or is larger than the limit, is no answer, and its connection is closed. Redirects aren't followed, cookies
aren't kept, and the environment's proxies aren't used.
"""

import asyncio
import contextlib
import json
import logging
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import Final, Protocol

import aiohttp
from yarl import URL

from common.authorities import TRUSTED, Authorities
from common.text import seconds as seconds_of
from common.tracing.calls import calling
from common.tracing.current import here
from common.wire import Json

log = logging.getLogger("ordersaga.tls")

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
IDLE: Final = 30.0
"""Seconds that a connection is kept open without a call."""
CLOSE_WITHIN: Final = 0.5
"""Seconds for closing connections cleanly. A peer that doesn't read would hold up more than its own time-out."""
NOT_LET_IN: Final = frozenset({401, 403})
"""Who calls isn't believed, or may not: that says nothing of an order, and none is to suffer from it."""
SAY_AGAIN: Final = 60.0
"""Seconds between two lines in the log about the same certificate: each call would have one."""
ENCODER: Final = json.JSONEncoder(separators=(",", ":"))


class NotSent(Exception):  # noqa: N818 - it reads as what happened
    """The request could not be built, so nothing was sent: the call's own trouble, not the participant's."""


class NoAnswer(Exception):  # noqa: N818 - it reads as what happened
    """No whole answer. The participant may have got the call."""


class AnswerTooLong(Exception):  # noqa: N818 - it reads as what happened
    """More bytes than the limit; the connection is closed."""


class Credentials(Protocol):
    """What says who calls. It may be replaced at any time."""

    def header(self) -> str | None:
        """The value of `Authorization`; None if there is none."""

    def read(self) -> None:
        """Look for a newer one: this one was refused."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    """Names in any case."""
    body: bytes = b""
    phrase: str = ""
    """The words beside the status."""

    @property
    def retry_after(self) -> float | None:
        """Seconds. A date (RFC 9110 §10.2.3), as a gateway writes it, counts from the answer's own Date: its clock."""
        asked, written = self.headers.get("Retry-After"), self.headers.get("Date")
        found = seconds_of(asked)
        if found is not None or not asked or not written:
            return found
        try:
            return seconds_of((parsedate_to_datetime(asked) - parsedate_to_datetime(written)).total_seconds())
        except (ValueError, TypeError, OverflowError, IndexError):  # no dates; or one of them without a time zone
            return None


@dataclass(slots=True)
class _Pool:
    """Connections that were opened at about the same time; by the monotonic clock no call begins on them after
    `until`.
    """

    session: aiohttp.ClientSession
    until: float
    users: int = 0


_Request = tuple[str, URL, dict[str, str], bytes | None]
"""Method, address, headers, body."""


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
        credentials: Credentials | None = None,
        ca_file: Path | None = None,
        ours: bool = False,
    ) -> None:
        """`timeout`: seconds for a whole exchange, and `connect` for a new connection within it; `connections`: at
        most so many (0: its callers bound them); `oldest`: seconds after which a connection surely isn't used again;
        `trusted`: seconds after which new connections have the authorities read again (SSL_CERT_FILE, the system's);
        `ca_file`: more of them, read again as soon as they have changed;
        `credentials`: ours there, looked for again after a 401; `ours`: a part of the shop, which learns of our traces.
        """
        self._url = url
        self._timeout = timeout
        self._connect = connect
        self._connections = connections
        self._oldest = oldest
        self._ours = ours
        self._credentials = credentials
        # identity: a compressed answer may be a thousand times as large as what was read of it
        self._headers = {"User-Agent": user_agent, "Accept": "application/json", "Accept-Encoding": "identity"}
        self._ca_file, self._trusted = ca_file, trusted
        self._authorities = self._authorities_for(url)
        self._said = ("", float("-inf"))
        self._pool: _Pool | None = None

    def change(self, *, url: str, timeout: float, credentials: Credentials | None) -> None:
        """Exchanges that begin from now on go there. Those in flight end on their connections."""
        if url != self._url:
            self._authorities = self._authorities_for(url)
            if self._pool is not None:
                self._pool.until = float("-inf")
        self._url, self._timeout, self._credentials = url, timeout, credentials

    async def aclose(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            await self._pool.session.close()

    def _authorities_for(self, url: str) -> Authorities | None:
        return Authorities(self._ca_file, trusted=self._trusted) if url.startswith("https:") else None

    async def exchange(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        body: Json | bytes | None = None,
        limit: int = ANSWER_LIMIT,
        seconds: float | None = None,
    ) -> Answer:
        """Send a request, with `body` as its JSON, and read the whole answer, up to `limit` bytes of its body.

        `body` in bytes is sent as it is, and `headers` say what it is. `seconds`: the time for this exchange, where it
        isn't the usual one.

        Raises:
            NotSent: it could not be built.
            NoAnswer: there is no whole answer within the time-out and the bounds.
        """
        within = self._timeout if seconds is None else seconds
        above = here()
        if above is None:
            return await self._whole(self._request(method, path, headers, body), limit, within)
        with calling(above, method, self._url, path) as call:
            told = {**headers, **call.headers} if self._ours else headers
            answer = await self._whole(self._request(method, path, told, body), limit, within)
            call.answered(answer.status)
        return answer

    async def _whole(self, request: _Request, limit: int, within: float) -> Answer:
        """The whole answer, within so many seconds."""
        try:
            async with asyncio.timeout(within):
                pool, before = self._pool_now()
                try:
                    return await self._on(pool, before, request, limit)
                except aiohttp.ClientConnectorCertificateError:  # nothing was sent
                    if pool is self._pool and not self._trusts_others():
                        raise
                pool, before = self._pool_now()
                return await self._on(pool, before, request, limit)
        except TimeoutError as error:
            raise NoAnswer(f"no whole answer within {within:g} s") from error
        except AnswerTooLong as error:
            raise NoAnswer(str(error)) from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise NoAnswer(self._not_believed(error)) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NoAnswer(str(error) or type(error).__name__) from error

    async def _on(self, pool: _Pool, before: _Pool | None, request: _Request, limit: int) -> Answer:
        """The answer, over one of the pool's connections."""
        try:
            if before is not None:
                await _close(before)
            method, url, heads, content = request
            response = await pool.session.request(method, url, headers=heads, data=content, allow_redirects=False)
            answer = await _answer_of(response, limit)
        finally:
            pool.users -= 1
            if pool is not self._pool and not pool.users:
                await _close(pool)
        if answer.status == HTTPStatus.UNAUTHORIZED and self._credentials is not None:
            self._credentials.read()
        return answer

    def _request(self, method: str, path: str, headers: Mapping[str, str], body: Json | bytes | None) -> _Request:
        try:
            heads = {**self._headers, **headers}
            for name, value in headers.items():
                if not (value.isascii() and value.isprintable() and len(value) <= HEADER_LIMIT):
                    raise ValueError(f"{name} is not a header: {value[:HEADER_LIMIT]!r}")
            if not (path.isascii() and path.isprintable() and len(path) <= PATH_LIMIT):
                raise ValueError(f"it is not a path: {path[:HEADER_LIMIT]!r}")
            content = body if body is None or isinstance(body, bytes) else ENCODER.encode(body).encode()
            if content is not None:
                heads.setdefault("Content-Type", "application/json")
            if self._credentials is not None and (authorization := self._credentials.header()):
                heads["Authorization"] = authorization
            return method, URL(self._url + path), heads, content
        except Exception as error:
            raise NotSent(str(error) or type(error).__name__) from error

    def _trusts_others(self) -> bool:
        """Whether the file of authorities has changed: then the next connections are made with the new ones."""
        if self._authorities is None or not self._authorities.have_changed():
            return False
        if self._pool is not None:
            self._pool.until = float("-inf")
        return True

    def _not_believed(self, error: aiohttp.ClientConnectorCertificateError) -> str:
        why = getattr(error.certificate_error, "verify_message", "") or str(error.certificate_error)
        said = f"the certificate of {error.host}:{error.port} isn't believed: {why}"
        now = time.monotonic()
        if said != self._said[0] or now - self._said[1] > SAY_AGAIN:
            self._said = (said, now)
            log.warning("%s; calls wait until it is", said)
        return said

    def _pool_now(self) -> tuple[_Pool, _Pool | None]:
        """The pool for one more user, and the one before if that has to be closed now.

        When a pool is old, the next one takes its place, and its last user closes it. The age is chosen at random, so
        that several processes don't renew at once: a replica that is added is found within 12 s on average.
        """
        now, before = time.monotonic(), None
        if self._pool is None or now > self._pool.until:
            until = now + self._oldest * random.uniform(0.5, 1.0)  # noqa: S311 - nothing secret
            before, self._pool = self._pool, _Pool(self._session(), until)
        self._pool.users += 1
        return self._pool, before if before is not None and not before.users else None

    def _session(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=self._connections,
            keepalive_timeout=IDLE,
            ssl=self._authorities.context() if self._authorities is not None else True,
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
