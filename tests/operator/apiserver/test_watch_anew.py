"""A watch that stands at a version which never was, since etcd was restored, is begun anew.

The resync hides it: it shows every wish as well, only much later.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web

from common.kube import Access, KubeClient
from saga_operator.echoes import Echoes
from saga_operator.engine.engine import Engine
from saga_operator.handlers import keep_watch
from saga_operator.heartbeats import Heartbeats
from saga_operator.watch_connection import WatchConnection

FUTURE = {"watch": "true", "resourceVersion": "900"}
"""What kopf asks for: it goes on from the last version that it saw."""
PATIENCE = 20.0


class ApiServer:
    """Answers each watch with nothing, and keeps it open; remembers from which version it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.url = ""

    async def watch(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.query["resourceVersion"])
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.sleep(3600)
        return response

    async def access(self, *, anew: bool = False) -> Access:
        return Access(self.url, None, "", None)


@pytest.fixture
async def api() -> AsyncIterator[ApiServer]:
    server, app = ApiServer(), web.Application()
    app.router.add_get("/ordersagas", server.watch)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


async def test_a_watch_is_begun_anew_from_the_start_once_etcd_was_found_to_be_restored(api: ApiServer) -> None:
    connection = WatchConnection(cast(KubeClient, api), Echoes())
    engine: Any = SimpleNamespace(restorations=0)
    began = asyncio.Event()
    keeping = asyncio.create_task(keep_watch(cast(Engine, engine), connection, Heartbeats(), began.set))
    async with asyncio.timeout(PATIENCE), (await connection.login()).aiohttp_session as session:
        await began.wait()
        (await session.get(f"{api.url}/ordersagas", params=FUTURE)).close()
        async with session.get(f"{api.url}/ordersagas", params=FUTURE) as going_on:
            assert api.asked == ["0", "900"], "the first watch shows everything, the next goes on"
            engine.restorations += 1
            with contextlib.suppress(Exception):  # as kopf finds it: its response is closed under its hands
                await going_on.content.read()
        (await session.get(f"{api.url}/ordersagas", params=FUTURE)).close()
        assert api.asked == ["0", "900", "0"]
    keeping.cancel()
