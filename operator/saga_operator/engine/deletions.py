"""The deletions of finished sagas: seen at once, by a watch of their metadata that begins now.

The other watch leaves finished sagas out, and they are too many to be listed again and again. Here only their changes
come by, two for each saga: that it has ended, and that its finalizer is off. Both are let by unread.
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Final
from urllib.parse import urlencode

import aiohttp

from common.kube import OrderSagas
from saga_operator.engine.records.finalizers import FinalizerQueue
from saga_operator.resource.body import ENDED, Resource

log = logging.getLogger(__name__)

SECONDS: Final = 300
"""Of one watch; then it is resumed, with the credentials as they are then."""
SILENT: Final = 70.0
"""Seconds without a word, if only a bookmark, after which a watch is dead."""
AGAIN: Final = 2.0
"""Seconds until it is tried again."""
GONE: Final = 410
UNAUTHORIZED: Final = 401
METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
LONGEST_LINE: Final = 2**21
"""Bytes; etcd takes 1.5 MiB."""


class Deletions:
    """Has the finalizer taken off finished sagas whose deletion is requested."""

    def __init__(self, sagas: OrderSagas, finalizers: FinalizerQueue, missed: Callable[[], None]) -> None:
        """`missed` is called when some may have been missed, and somebody has to look at all that are finished."""
        self._sagas = sagas
        self._finalizers = finalizers
        self._missed = missed
        self._version = ""

    async def run(self) -> None:
        """Watch until cancelled. While the API server is in trouble, it is tried again."""
        said = ""
        while True:
            try:
                if not self._version:
                    self._version = await self._sagas.version_now()
                    self._missed()
                began = time.monotonic()
                async for line in self._lines():
                    self._take_note(line)
                said = ""
                if time.monotonic() < began + AGAIN:  # it lasts minutes, as a rule
                    await asyncio.sleep(AGAIN)
            except Exception as error:  # whatever stands in the API server's place may say anything
                if (why := f"{error!r}") != said:
                    said = why
                    log.info("the deletions of finished sagas can't be watched just now: %s", why)
                await asyncio.sleep(getattr(error, "retry_after", None) or AGAIN)

    def _take_note(self, line: bytes) -> None:
        event = json.loads(line)
        found = event["object"]
        if event["type"] == "ERROR":
            self._version = "" if found.get("code") == GONE else self._version
            raise ValueError(found.get("message", "an error without a message"))
        self._version = str(found["metadata"]["resourceVersion"])
        if event["type"] in ("ADDED", "MODIFIED"):
            resource = Resource(found)
            if resource.deleting and resource.has_finalizer:
                self._finalizers.add(resource.name, resource.uid, urgent=True)

    async def _lines(self) -> AsyncIterator[bytes]:
        access = await self._sagas.client.access()
        query = {"watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": str(SECONDS), "fieldSelector": ENDED}
        headers = {"Accept": METADATA}
        if access.authorization:
            headers["Authorization"] = access.authorization
        url = f"{access.server.rstrip('/')}{self._sagas.path}?{urlencode(query | {'resourceVersion': self._version})}"
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=access.tls or True),
                timeout=aiohttp.ClientTimeout(total=None, connect=5.0, sock_read=SILENT),
                read_bufsize=LONGEST_LINE,
                proxy=access.proxy,
                trust_env=False,
            ) as session,
            session.get(url, headers=headers, server_hostname=access.tls_server_name or None) as answer,
        ):
            if answer.status == GONE:
                self._version = ""
            elif answer.status == UNAUTHORIZED:
                await self._sagas.client.access(anew=True)
            answer.raise_for_status()
            async for line in answer.content:
                if line.strip():
                    yield line
