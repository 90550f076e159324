"""A database that stops answering costs each call its own time, and nothing is left of it afterwards."""

import asyncio
import os
import signal
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from common.settings import ServiceSettings
from dev.stack.parts.mongod import Mongod
from dev.stack.processes import free_port, is_listening, wait_ready
from services.inventory.main import build
from services.inventory.tests.client import InventoryClient
from tests.support.service_client import code, fresh, replicas_of

CALLS = 300
"""More than the driver has threads or connections: some of the calls wait in this process."""


@pytest.fixture(scope="module")
def mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mongod]:
    """A MongoDB of this file's own, since it is stopped."""
    folder: Path = tmp_path_factory.mktemp("stopped")
    mongod = Mongod(data=folder / "data", port=free_port(), log=folder / "mongod.log")
    mongod.start()
    try:
        wait_ready([mongod])
        yield mongod
    finally:
        mongod.stop()


@pytest_asyncio.fixture(loop_scope="session", params=["pymongo", "motor"])
async def inventory(request: pytest.FixtureRequest, mongod: Mongod) -> AsyncIterator[InventoryClient]:
    settings = ServiceSettings(
        mongodb_url=mongod.url,
        mongodb_driver=request.param,
        database_prefix=f"t_{uuid.uuid4().hex[:8]}_",
        log_level="CRITICAL",
    )
    async with replicas_of(build, settings) as (clients, app):
        yield InventoryClient(clients, app.database)


async def test_calls_to_a_silent_database_are_answered_503_in_time(inventory: InventoryClient, mongod: Mongod) -> None:
    product = fresh("p")
    await inventory.stock(product, CALLS)
    seconds: list[float] = []

    async def call() -> httpx.Response:
        began = time.monotonic()
        answer = await inventory.release(fresh("o"))
        seconds.append(time.monotonic() - began)
        return answer

    os.kill(mongod.pid, signal.SIGSTOP)
    try:
        answers = await asyncio.gather(*(call() for _ in range(CALLS)))
        assert {code(answer) for answer in answers} == {(503, "unavailable")}
        # Each has 4 s; the rest is for a slow machine. One time-out after the other would take several times that.
        assert max(seconds) < 15
        assert (await inventory.ready()).status_code == 503
    finally:
        os.kill(mongod.pid, signal.SIGCONT)
    await comes_back(inventory, product)


def wait_until_listening(port: int) -> None:
    while not is_listening(port):
        time.sleep(0.1)


async def comes_back(inventory: InventoryClient, product: str) -> None:
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        if (await inventory.reserve(fresh("o"), {product: 1})).status_code == 200:
            return
        await asyncio.sleep(0.1)
    pytest.fail("the service didn't come back with its database")


async def test_a_database_that_was_started_once_without_its_replica_set_is_found_again(
    inventory: InventoryClient, mongod: Mongod
) -> None:
    """The driver forgets a server for good that is no member of the set, and this one is all that it knows."""
    product = fresh("p")
    await inventory.stock(product, 5)
    command = mongod.command
    at = command.index("--replSet")
    await asyncio.to_thread(mongod.stop)
    mongod.command = [*command[:at], *command[at + 2 :]]
    mongod.start()
    try:
        await asyncio.to_thread(wait_until_listening, mongod.port)
        for _ in range(2):  # the first one's look at the server may have been before it was there
            assert (await inventory.ready()).status_code == 503
    finally:
        await asyncio.to_thread(mongod.stop)
        mongod.command = command
        mongod.start()
        await asyncio.to_thread(wait_ready, [mongod])
    await comes_back(inventory, product)
