"""Long answers of the API server: watches, and lists that are read as they arrive."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlencode

import aiohttp

from common.kube.client import JSON, KubeClient
from common.wire import Json

SILENT: Final = 70.0
"""Seconds without a word, if only a bookmark (one a minute), after which a watch is dead."""
LONGEST_LINE: Final = 2**21
"""Bytes; etcd takes 1.5 MiB."""
UNAUTHORIZED: Final = 401


@asynccontextmanager
async def opened(
    client: KubeClient, path: str, query: Mapping[str, str], *, accept: str = JSON
) -> AsyncIterator[aiohttp.ClientResponse]:
    """An answer on a connection of its own, which is read as it arrives.

    Raises:
        aiohttp.ClientError, TimeoutError: the API server refuses it, or is silent. After a 401 the next one goes with
            other credentials, if there are any.
    """
    access = await client.access()
    headers = {"Accept": accept}
    if access.authorization:
        headers["Authorization"] = access.authorization
    url = f"{access.server.rstrip('/')}{path}?{urlencode(query)}"
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
        if answer.status == UNAUTHORIZED:
            await client.access(anew=True)
        answer.raise_for_status()
        yield answer


async def changes(
    client: KubeClient, path: str, query: Mapping[str, str], *, seconds: int, accept: str = JSON
) -> AsyncGenerator[tuple[str, Json]]:
    """The events of one watch, as (type, object), bookmarks among them, for so many seconds at the most.

    Raises:
        WatchRefused: the API server ends it with an error (410: the version is too old).
        ValueError, aiohttp.ClientError, TimeoutError: it broke off.
    """
    asked = {"watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds), **query}
    async with opened(client, path, asked, accept=accept) as answer:
        async for line in answer.content:
            if line.strip():
                event = json.loads(line)
                found: Json = event["object"]
                if event["type"] == "ERROR":
                    raise WatchRefused(found.get("code"), found.get("message", "an error without a message"))
                yield str(event["type"]), found


class WatchRefused(ValueError):  # noqa: N818 - it reads as what happened
    """The API server has ended a watch with an error. `code` is its HTTP status."""

    def __init__(self, code: object, message: str) -> None:
        super().__init__(message)
        self.code = code
