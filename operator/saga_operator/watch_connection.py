"""The connection on which kopf watches: with our own configuration, from where nothing is missed, for ever.

kopf makes no session of its own but sends what it sends through this one. So the watch reads the same configuration as
`KubeClient` and as often, certificates and proxies included; a definition that is deleted, a version that is forgotten
and a certificate that was replaced are met here, and the watch goes on.
"""

import asyncio
import logging
import time
from typing import Final, cast

import aiohttp
import kopf
from aiohttp import hdrs
from aiohttp.client_middlewares import ClientHandlerType

from common.kube import Access, KubeClient
from saga_operator.echoes import Echoes
from saga_operator.watch_events import WatchEvents

log = logging.getLogger(__name__)

RESUMED: Final = 10.0
"""Seconds between two times that the watch is resumed without having ended: an API server that is slow to answer isn't
made slower, and three looks at it fit into the time-out of a call.
"""
LOOK: Final = 1.0
"""Seconds between two looks whether the kind is there again: a wish is to be seen within two."""


class WatchConnection:
    """What kopf sends goes through here. Usable inside one event loop."""

    def __init__(self, client: KubeClient, echoes: Echoes) -> None:
        self._client = client
        self.echoes = echoes
        """What needn't be shown."""
        self._session: aiohttp.ClientSession | None = None
        self._tls_digest = ""
        self._anew = True
        self._response: aiohttp.ClientResponse | None = None
        self._read = 0
        self._heard_at = time.monotonic()
        self._resumed_at = float("-inf")
        self.kind_is_served = False
        """Whether the API server knew the resource's definition when it was last asked."""

    @property
    def heard_at(self) -> float:
        """Monotonic seconds: when the API server last said something on the watch, if only a bookmark.

        It sends those about once a minute. Bytes are counted at each look, so look more often than the result matters.
        """
        if self._response is not None and self._response.content.total_bytes != self._read:
            self._read, self._heard_at = self._response.content.total_bytes, time.monotonic()
        return self._heard_at

    def resume(self) -> None:
        """Go on with the watch over a new connection: the present one may lead nowhere, which looks like silence."""
        if self._response is not None and time.monotonic() - self._resumed_at > RESUMED:
            self._resumed_at = time.monotonic()
            self._response.close()

    def begin_anew(self) -> None:
        """Show everything again: the version that the watch stands at may be one that never was (a restored etcd)."""
        self._anew = True
        if self._response is not None:
            self._response.close()

    async def login(self) -> kopf.AiohttpSession:
        """A session with the configuration as it is now. kopf asks for one at the start, and when the last is closed.

        A session has the certificates that it was made with; the token is put in with each request.
        """
        access = await self._client.access()
        self._tls_digest = access.tls_digest
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=access.tls or True),
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=access.proxy,
            trust_env=False,
            middlewares=[self._send],
        )
        return kopf.AiohttpSession(server=access.server, aiohttp_session=self._session)

    async def _send(self, request: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
        access = await self._client.access()
        try:
            return await self._answered(request, handler, access)
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError):
            await self._client.access(anew=True)  # the next attempt has them
            raise

    async def _answered(
        self, request: aiohttp.ClientRequest, handler: ClientHandlerType, access: Access
    ) -> aiohttp.ClientResponse:
        is_watch = "watch" in request.url.query
        while True:
            await self._renew_session(access)
            if access.authorization:
                request.headers[hdrs.AUTHORIZATION] = access.authorization
            request.server_hostname = access.tls_server_name
            if is_watch:
                self._choose_version(request)
            response = await handler(request)
            if response.status == 401:
                response.close()
                await asyncio.sleep(LOOK)
                access = await self._client.access(anew=True)
            elif is_watch and response.status in (404, 410):
                self._anew = True
                self._note_kind(response.status != 404)
                response.close()
                await asyncio.sleep(LOOK)
                access = await self._client.access()
            else:
                if is_watch and response.status == 200:
                    self._note_kind(True)
                    self._anew, self._response, self._read = False, response, 0
                    self._heard_at = time.monotonic()
                    events = WatchEvents(response.content, self._broken, self.echoes)
                    response.content = cast(aiohttp.StreamReader, events)
                return response

    async def _broken(self) -> None:
        self._anew = True
        await asyncio.sleep(LOOK)

    async def _renew_session(self, access: Access) -> None:
        """If the certificates are other ones now: kopf logs in again when it finds its session closed."""
        if access.tls_digest != self._tls_digest and self._session is not None:
            log.info("the certificates were replaced: the watch takes a new connection")
            await self._session.close()
            raise RuntimeError("Session is closed")  # as aiohttp says it, which is what kopf looks for

    def _choose_version(self, request: aiohttp.ClientRequest) -> None:
        """A watch from the start is one from version 0.

        It begins with all resources that the selector lets through, one by one, from the API server's memory: a list
        would be read from etcd and filtered there, finished sagas included, by releases of Kubernetes before 1.34.
        """
        query = request.url.query
        if self._anew or "resourceVersion" not in query:
            url = request.url.without_query_params("sendInitialEvents", "resourceVersionMatch")
            request.url = url.update_query(resourceVersion="0")

    def _note_kind(self, served: bool) -> None:
        if self.kind_is_served and not served:
            log.warning("the API server doesn't know the definition of OrderSaga any more: waiting for it")
        self.kind_is_served = served
