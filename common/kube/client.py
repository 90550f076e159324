"""One pool of connections to the API server.

It speaks JSON over HTTP and repeats nothing by itself: every caller knows better than this module what a conflict or a
silent server means to it. Status codes become exceptions that say what to do (see `common.kube.errors`).

httpx is used over aiohttp's transport, because httpcore costs several milliseconds of CPU per call when many are in
flight.
"""

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from common.kube.config import Access, KubeConfigError, load_access
from common.kube.errors import ApiUnavailable, error_of
from common.wire import Json

log = logging.getLogger(__name__)


CONNECT_SECONDS = 3.0  # TLS included; the API server is one hop away
READ_SECONDS = 10.0  # no single read of ours takes longer, unless the API server is in trouble
POOL_SECONDS = 10.0  # for a free connection when all are in use, connecting included (aiohttp counts both)
POOL_LIMIT = 64  # about what one API server handles at once for us; more would only queue there
CREDENTIALS_SECONDS = 60.0  # mounted tokens are replaced at 80 % of their life, which is at least ten minutes


class KubeClient:
    """One pool of connections to one API server. Made without I/O; usable once an event loop runs.

    The configuration is read again once a minute and after a 401: tokens and certificates are rotated.
    """

    def __init__(self, access: Access, *, user_agent: str, kubeconfig: Path | None = None) -> None:
        self._access = access
        self._kubeconfig = kubeconfig
        self._read_at = time.monotonic()
        self._http = self._connect(access, user_agent)
        self._retired: list[httpx.AsyncClient] = []
        self._user_agent = user_agent

    @classmethod
    def from_config(cls, kubeconfig: Path | None = None, *, user_agent: str) -> Self:
        """A client for the explicit kubeconfig, `$KUBECONFIG` or the pod's service account. Reads files (blocking).

        Raises:
            ApiUnavailable: reason `NotConfigured`; the message says how to configure it.
        """
        try:
            return cls(load_access(kubeconfig), user_agent=user_agent, kubeconfig=kubeconfig)
        except KubeConfigError as error:
            raise ApiUnavailable(0, "NotConfigured", str(error)) from error

    @property
    def server(self) -> str:
        """URL of the API server, for messages."""
        return self._access.server

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Json:
        """GET `path` (from `/api` or `/apis` on)."""
        return await self.request("GET", path, params=params)

    async def post(self, path: str, body: Json) -> Json:
        """POST; the created object. Fields that the schema doesn't know are refused, not dropped."""
        return await self.request("POST", path, body=body, params={"fieldValidation": "Strict"})

    async def put(self, path: str, body: Json) -> Json:
        """PUT; the object's metadata.resourceVersion makes it conditional."""
        return await self.request("PUT", path, body=body)

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
        content_type: str = "application/json",
    ) -> Json:
        """One call, one answer. Only a 401 is asked again, once, and only with other credentials: it did nothing.

        Raises:
            KubeError: one of its subclasses, by the answer.
        """
        if time.monotonic() - self._read_at > CREDENTIALS_SECONDS:
            await self._read_credentials()
        response = await self._send(method, path, body, params, content_type)
        if response.status_code == 401 and await self._read_credentials():
            response = await self._send(method, path, body, params, content_type)
        if response.is_success:
            try:
                answer: Json = response.json()
            except (ValueError, RecursionError) as error:
                raise ApiUnavailable(0, "NoAnswer", f"{method} {path}: the answer is not JSON") from error
            return answer
        raise error_of(response)

    async def aclose(self) -> None:
        """Close the connections."""
        for http in (self._http, *self._retired):
            await http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _send(
        self, method: str, path: str, body: Json | None, params: Mapping[str, str] | None, content_type: str
    ) -> httpx.Response:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = content_type
        if self._access.authorization:
            headers["Authorization"] = self._access.authorization
        extensions = {"sni_hostname": self._access.tls_server_name} if self._access.tls_server_name else {}
        request = self._http.build_request(
            method, path, content=_json(body), params=params, headers=headers, extensions=extensions
        )
        try:
            return await self._http.send(request)
        # aiohttp's own errors as well: httpx-aiohttp translates most of them, not all.
        except (httpx.TransportError, aiohttp.ClientError, OSError) as error:
            what = str(error) or type(error).__name__
            raise ApiUnavailable(0, "NoAnswer", f"{method} {path}: no answer from {self.server}: {what}") from error

    async def _read_credentials(self) -> bool:
        """Read the configuration again; True if the credentials are other ones now."""
        self._read_at = time.monotonic()
        try:
            fresh = await asyncio.to_thread(load_access, self._kubeconfig)
        except KubeConfigError as error:
            log.warning("Going on with the credentials from before: %s", error)
            return False
        before, self._access = self._access, replace(fresh, server=self._access.server)
        if fresh.tls_digest != before.tls_digest:
            # A certificate belongs to its connections, so new ones are needed; calls in flight finish on the old ones.
            self._retired.append(self._http)
            self._http = self._connect(fresh, self._user_agent)
            return True
        return fresh.authorization != before.authorization

    @staticmethod
    def _connect(access: Access, user_agent: str) -> httpx.AsyncClient:
        def session() -> aiohttp.ClientSession:
            return aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=POOL_LIMIT, ssl=access.tls or True, keepalive_timeout=60),
                cookie_jar=aiohttp.DummyCookieJar(),
            )

        proxy = httpx.Proxy(access.proxy) if access.proxy else None
        transport = AiohttpTransport(verify=access.tls or True, client=session, proxy=proxy, trust_env=False)
        return httpx.AsyncClient(
            transport=transport,
            base_url=access.server,
            headers={"User-Agent": user_agent},
            timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS, pool=POOL_SECONDS),
            trust_env=False,
        )


def _json(body: Json | None) -> bytes | None:
    """The body as it travels. Half a character becomes a question mark: it mustn't make a write impossible."""
    if body is None:
        return None
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
