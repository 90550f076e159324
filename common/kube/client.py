"""One pool of connections to the API server.

It speaks JSON over HTTP and repeats nothing by itself: every caller knows better than this module what a conflict or a
silent server means to it. Status codes become exceptions that say what to do (see `common.kube.errors`).
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import aiohttp
from yarl import URL

from common.exchange import Answer, AnswerTooLong, phrase_of, read_whole
from common.kube.config import Access, KubeConfigError, load_access
from common.kube.errors import AnswerTooLarge, ApiUnavailable, ObjectInvalid, error_of
from common.wire import Json

log = logging.getLogger(__name__)


JSON: Final = "application/json"
METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""In a header Accept: the metadata of an object alone."""
METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""The metadata alone of the objects in a list: a fifth of the API server's work, and a third of the bytes."""

CONNECT_SECONDS = 3.0  # TLS included; the API server is one hop away
CALL_SECONDS = 10.0  # for a whole call, from the wait for a connection to the last byte: more is trouble, not work
BODY_LIMIT = 16 * 2**20  # of an answer: ten of the largest objects that etcd takes, or 500 orders of an ordinary size
POOL_LIMIT = 64  # about what one API server handles at once for us; more would only queue there
CREDENTIALS_SECONDS = 60.0  # mounted tokens are replaced at 80 % of their life, which is at least ten minutes
CREDENTIALS_PATIENCE = 5.0  # for files, and for a program that a kubeconfig names; then the call goes on without
TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)  # the rest: see `KubeClient.request`
ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


@dataclass(slots=True)
class _Pool:
    """Connections that are made with the same certificates, and the calls on them."""

    access: Access
    calls: int = 0
    retired: bool = False
    _session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """Made when it is first used, inside the event loop."""
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=POOL_LIMIT, ssl=self.access.tls or True, keepalive_timeout=60)
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, timeout=TIMEOUT
            )
            # aiohttp would send a PUT or a DELETE again that may have been done: its caller would see a conflict
            self._session._retry_connection = False
        return self._session

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()


OnAnswer = Callable[[str, float], None]
"""Called with an answer's header Date (empty without one) and with the seconds that it took."""
OnCall = Callable[[str, int, float], None]
"""Called after each request, answered or not: its method, the status (0 without an answer), the seconds to its end."""


class KubeClient:
    """One pool of connections to one API server. Made without I/O; usable once an event loop runs.

    The configuration is read again once a minute and after a 401: tokens and certificates are rotated.
    """

    def __init__(
        self,
        access: Access,
        *,
        user_agent: str,
        kubeconfig: Path | None = None,
        on_answer: OnAnswer | None = None,
        on_call: OnCall | None = None,
    ) -> None:
        self._access = access
        self._on_answer = on_answer
        self._on_call = on_call
        self._kubeconfig = kubeconfig
        self._read_at = time.monotonic()
        self._reading: asyncio.Task[Access] | None = None
        _check_urls(access)
        self._pool = _Pool(access)
        self._pools = [self._pool]
        self._headers = {"User-Agent": user_agent, "Accept-Encoding": "identity"}

    @classmethod
    def from_config(
        cls,
        kubeconfig: Path | None = None,
        *,
        user_agent: str,
        on_answer: OnAnswer | None = None,
        on_call: OnCall | None = None,
    ) -> Self:
        """A client for the explicit kubeconfig, `$KUBECONFIG` or the pod's service account. Reads files (blocking).

        `on_answer` is told of each answer: when the API server wrote it (its header Date) and how many seconds it took;
        `on_call` of each request.

        Raises:
            ApiUnavailable: reason `NotConfigured`; the message says how to configure it.
        """
        try:
            access = load_access(kubeconfig)
            return cls(access, user_agent=user_agent, kubeconfig=kubeconfig, on_answer=on_answer, on_call=on_call)
        except (KubeConfigError, ValueError) as error:
            raise ApiUnavailable(0, "NotConfigured", str(error)) from error

    @property
    def server(self) -> str:
        """URL of the API server, for messages."""
        return self._access.server

    async def access(self, *, anew: bool = False) -> Access:
        """The configuration, at most a minute old; with `anew` it is read now. The one before if it can't be read."""
        if anew or time.monotonic() - self._read_at > CREDENTIALS_SECONDS:
            await self._read_credentials()
        return self._access

    async def get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        accept: str = JSON,
        seconds: float = CALL_SECONDS,
    ) -> Json:
        """GET `path` (from `/api` or `/apis` on), `accept`ed as objects, or as their metadata alone."""
        return await self.request("GET", path, params=params, accept=accept, seconds=seconds)

    async def post(self, path: str, body: Json) -> Json:
        """POST; the created object. Fields that the schema doesn't know are refused, not dropped."""
        return await self.request("POST", path, body=body, params={"fieldValidation": "Strict"})

    async def put(self, path: str, body: Json, *, seconds: float = CALL_SECONDS) -> Json:
        """PUT; the object's metadata.resourceVersion makes it conditional."""
        return await self.request("PUT", path, body=body, seconds=seconds)

    async def patch_merge(self, path: str, body: Json) -> Json:
        """JSON merge patch; with metadata.resourceVersion in it, it is conditional (409 `Conflict`)."""
        return await self.request("PATCH", path, body=body, content_type="application/merge-patch+json")

    async def delete(self, path: str, *, uid: str | None = None, resource_version: str | None = None) -> Json:
        """DELETE, if it still is the object with that uid and at that version (otherwise 409 `Conflict`)."""
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        body = {"preconditions": {key: value for key, value in preconditions.items() if value is not None}}
        return await self.request("DELETE", path, body=body)

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Json | None = None,
        params: Mapping[str, str] | None = None,
        content_type: str = JSON,
        accept: str = JSON,
        seconds: float = CALL_SECONDS,
    ) -> Json:
        """One call, one answer. Only a 401 is asked again, once, and only with other credentials: it did nothing.

        `seconds` is for all of it. Whatever goes wrong is a `KubeError`, also if the configuration can't be read, the
        request can't be built, or what answers is no API server.

        Raises:
            ObjectInvalid: the body is no JSON.
            AnswerTooLarge: see `BODY_LIMIT`.
            KubeError: one of its subclasses, by the answer.
        """
        try:
            content = None if body is None else _json_of(body)
        except (ValueError, TypeError, RecursionError) as error:
            raise ObjectInvalid(0, "NotSent", f"{method} {path}: the body is no JSON: {error}") from error
        headers = {"Accept": accept} | ({} if content is None else {"Content-Type": content_type})
        try:
            async with asyncio.timeout(seconds):
                if time.monotonic() - self._read_at > CREDENTIALS_SECONDS:
                    await self._read_credentials()
                used = self._access
                answer = await self._send(method, path, content, params, headers)
                if answer.status == 401:
                    await self._read_credentials()
                    if (used.authorization, used.tls_digest) != (self._access.authorization, self._access.tls_digest):
                        answer = await self._send(method, path, content, params, headers)
        except TimeoutError as error:
            what = f"{method} {path}: no answer from {self.server} within {seconds:g} s"
            raise ApiUnavailable(0, "NoAnswer", what) from error
        if not 200 <= answer.status < 300:
            raise error_of(answer)
        try:
            found = json.loads(answer.body)
        except (ValueError, RecursionError) as error:
            raise ApiUnavailable(0, "NoAnswer", f"{method} {path}: the answer is not JSON") from error
        if not isinstance(found, dict):
            raise ApiUnavailable(0, "NoAnswer", f"{method} {path}: the answer is no object of an API server")
        return found

    async def renew_connections(self) -> None:
        """Make the next call on a new connection; calls in flight end on theirs."""
        await self._change_pool(self._access)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._reading is not None:
            self._reading.cancel()
        for pool in self._pools:
            await pool.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _send(
        self,
        method: str,
        path: str,
        content: bytes | None,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str],
    ) -> Answer:
        access, pool = self._access, self._pool
        headers = {**self._headers, **headers}
        if access.authorization:
            headers["Authorization"] = access.authorization
        pool.calls += 1
        status, began = 0, time.monotonic()
        try:
            url = URL(access.server + path)
            response = await pool.session.request(
                method,
                url.with_query(params) if params else url,
                headers=headers,
                data=content,
                allow_redirects=False,
                proxy=access.proxy,
                server_hostname=access.tls_server_name,
            )
            if self._on_answer is not None:
                self._on_answer(response.headers.get("Date", ""), time.monotonic() - began)
            body = await read_whole(response, BODY_LIMIT)
            status = response.status
            return Answer(response.status, response.headers, body, phrase_of(response))
        except AnswerTooLong as error:
            what = f"{method} {url.path}: the answer has more than {BODY_LIMIT} bytes"
            raise AnswerTooLarge(0, "AnswerTooLarge", what) from error
        # Not only aiohttp's errors: a token that is just being rewritten may make a request that can't be sent.
        except Exception as error:
            what = str(error) or type(error).__name__
            raise ApiUnavailable(0, "NoAnswer", f"{method} {path}: no answer from {self.server}: {what}") from error
        finally:
            if self._on_call is not None:
                self._on_call(method, status, time.monotonic() - began)
            pool.calls -= 1
            if pool.retired:
                await self._close_if_idle(pool)

    async def _read_credentials(self) -> None:
        """Read the configuration again, whoever asks for it only once at a time; keep the old one if that fails."""
        self._read_at = time.monotonic()
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(asyncio.to_thread(load_access, self._kubeconfig))
        await asyncio.wait({self._reading}, timeout=CREDENTIALS_PATIENCE)
        try:
            if not self._reading.done():
                raise KubeConfigError("reading them takes too long")
            fresh = replace(self._reading.result(), server=self._access.server)
            _check_urls(fresh)
            if fresh.tls_digest != self._access.tls_digest:
                # A certificate belongs to its connections, so new ones are needed.
                await self._change_pool(fresh)
            self._access = fresh
        except (KubeConfigError, ValueError) as error:
            log.warning("Going on with the credentials from before: %s", error)

    async def _change_pool(self, access: Access) -> None:
        """New connections from now on; calls in flight finish on the old ones, which are closed after the last."""
        before, self._pool = self._pool, _Pool(access)
        self._pools.append(self._pool)
        before.retired = True
        await self._close_if_idle(before)

    async def _close_if_idle(self, pool: _Pool) -> None:
        if pool.calls == 0 and pool in self._pools:
            self._pools.remove(pool)
            await pool.aclose()


def _check_urls(access: Access) -> None:
    """Raises ValueError for an address of the API server, or of a proxy, that can't be one."""
    for name, address in (("server", access.server), ("proxy-url", access.proxy)):
        if address is not None:
            url = URL(address)
            if url.scheme not in ("http", "https") or not url.host:
                raise ValueError(f"{name} is no address of a server: {address[:200]!r}")


def _json_of(body: Json) -> bytes:
    """As UTF-8. Half a character, which UTF-8 can't express, becomes a question mark: no text may stop a write."""
    return ENCODER.encode(body).encode("utf-8", "replace")
