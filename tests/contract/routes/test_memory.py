"""Each service as a process of its own: whatever bodies come, and however many, it lives and its memory is bounded."""

import asyncio
import gzip
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import httpx
import psutil
import pytest

from common.services import SERVICES
from dev.setup.paths import CHECKOUT
from dev.stack.processes import free_port
from dev.stack.pytest_plugin import TestControlPlane
from tests.contract.participants import PARTICIPANTS, Participant
from tests.support.outside import nested
from tests.support.service_client import fresh, own_databases

pytestmark = pytest.mark.slow

GROWTH = 48 * 1024 * 1024
"""Bytes that the process may hold more after all of it. Some send 256 KiB at the same time."""
AT_ONCE = 16
ROUNDS = {"payment": 24}
"""How often each body comes after the first ones. All services read bodies in the same way: one is tried for longer."""
FEW = 6
SLOWEST = 0.5
"""Seconds in which a body has to have come."""
MEBIBYTE = b" " * 2**20
SOON = 20.0
"""Seconds in which a body without an end is no longer taken, on a machine that other work holds up as well."""
ROWS = {row.name: row for row in PARTICIPANTS if row.name in SERVICES}


def bodies_for(row: Participant) -> dict[str, bytes]:
    """Whole requests by what their bodies are."""
    start = f"POST {row.do.path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    path = f"{start}Idempotency-Key: {row.do.key('o-1')}\r\n".encode()
    good = json.dumps(row.do.body("o-1"))
    assert good.startswith('{"')

    def whole(body: bytes, *fields: bytes) -> bytes:
        """A request with this body, and these fields more."""
        more = b"".join(field + b"\r\n" for field in fields)
        return path + more + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body

    def chunked(body: bytes) -> bytes:
        """The same in one piece whose length isn't announced."""
        return path + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body) + body + b"\r\n"

    def with_id(value: str) -> bytes:
        """A good body, but for the order's id, as it stands in JSON."""
        return whole(good.replace('"o-1"', value).encode())

    deleted = whole(good.encode()).replace(b"POST", b"DELETE", 1)
    return {
        "larger than a service takes": whole(MEBIBYTE),
        "larger, without saying so": chunked(MEBIBYTE * 8),
        "100,000 brackets": whole(nested(100_000).encode()),
        "250,000 numbers": whole(b"[" + b"1," * 125_000 + b"1]"),
        "20,000 names": whole(b"{" + b",".join(b'"%d":0' % n for n in range(20_000)) + b"}"),
        "a number of 200,000 digits": with_id("9" * 200_000),
        "a number of 65 bits": with_id(str(2**64)),
        "not a number": with_id("NaN"),
        "endlessly many": with_id("-Infinity"),
        "half of a character": with_id('"\\ud800"'),
        "40,000 halves": with_id('"' + "\\ud800" * 40_000 + '"'),
        "no UTF-8": whole(good.encode().replace(b"o-1", b"\xed\xa0\x80")),
        "NUL": with_id('"a\\u0000b"'),
        "an id twice": whole(f'{{"order_id": "o-2", {good[1:]}'.encode()),
        "another method": deleted,
        "a bomb of gzip": whole(gzip.compress(MEBIBYTE * 64), b"Content-Encoding: gzip"),
        "many fields of the head": whole(b"{}", *(b"X-%d: %s" % (n, b"a" * 500) for n in range(60))),
        "half of what it says": whole(good.encode())[:-20],
    }


@dataclass
class Process:
    """uvicorn with one service."""

    name: str
    port: int
    popen: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def held(self) -> int:
        """Bytes of memory."""
        return int(psutil.Process(self.popen.pid).memory_info().rss)


@pytest.fixture(scope="module")
def processes(mongodb_url: str, control_plane: TestControlPlane) -> Iterator[dict[str, Process]]:
    """All five, started side by side."""
    with ExitStack() as stack:
        settings = stack.enter_context(own_databases(mongodb_url, "memory"))
        ports = {name: free_port() for name in SERVICES}
        found = {}
        for name, port in ports.items():
            popen = subprocess.Popen(
                [sys.executable, "-m", "uvicorn", f"services.{name}.main:app", "--port", str(port), "--no-access-log"],
                cwd=CHECKOUT,
                env={
                    **os.environ,
                    **{f"ORDERSAGA_{each.upper()}_URL": f"http://127.0.0.1:{ports[each]}" for each in SERVICES},
                    "KUBECONFIG": str(control_plane.identity("order-service")),
                    "ORDERSAGA_MONGODB_URL": mongodb_url,
                    "ORDERSAGA_DATABASE_PREFIX": settings.database_prefix,
                    "ORDERSAGA_AUTHENTICATION": "development",
                    "ORDERSAGA_CLIENTS": "development",
                    "ORDERSAGA_REQUEST_TIMEOUT_SECONDS": str(SLOWEST),
                    "ORDERSAGA_LOG_LEVEL": "CRITICAL",
                },
            )
            stack.callback(popen.wait)
            stack.callback(popen.kill)
            found[name] = Process(name, port, popen)
        yield found


@pytest.fixture
async def client(processes: dict[str, Process], name: str) -> AsyncIterator[httpx.AsyncClient]:
    """Of a service that is ready, and knows what a good request needs."""
    async with httpx.AsyncClient(base_url=processes[name].url, timeout=60) as client:
        async with asyncio.timeout(60):
            while not await is_ready(client):  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(0.1)
        await ROWS[name].seed(client)
        yield client


async def is_ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/ready")).status_code == 200
    except httpx.TransportError:
        return False


async def sent(port: int, request: bytes) -> int:
    """The status of the answer; 0 if the connection ends without one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(60):
            writer.write(request)
            head = await reader.read(100)
            return int(head.split()[1]) if head.startswith(b"HTTP/1.1 ") else 0
    except ConnectionError:
        return 0
    finally:
        writer.close()


async def endless(port: int, row: Participant) -> tuple[int, float]:
    """The status of the answer to a body that doesn't end (0 without one), and for how many seconds it was taken."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST {row.do.path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Idempotency-Key: {row.do.key('o-1')}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    began = time.monotonic()
    answer = asyncio.create_task(reader.read())  # to the end of the connection
    with suppress(ConnectionError):
        async with asyncio.timeout(60):
            while not answer.done():
                writer.write(b"10000\r\n" + MEBIBYTE[:65_536] + b"\r\n")
                await writer.drain()
                await asyncio.sleep(0.001)
    found = await asyncio.gather(answer, return_exceptions=True)
    writer.close()
    text = found[0] if isinstance(found[0], bytes) else b""
    return (int(text.split()[1]) if text else 0), time.monotonic() - began


async def good(client: httpx.AsyncClient, row: Participant) -> int:
    """The status of the answer to a good request."""
    order_id = fresh("o")
    headers = {"Idempotency-Key": row.do.key(order_id)}
    return (await client.post(row.do.path, json=row.do.body(order_id), headers=headers)).status_code


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", SERVICES)
async def test_whatever_comes_in_is_refused_and_takes_no_memory_and_good_orders_go_on(
    name: str, processes: dict[str, Process], client: httpx.AsyncClient
) -> None:
    process, row = processes[name], ROWS[name]
    bodies = bodies_for(row)
    answers: dict[str, Counter[int]] = {what: Counter() for what in bodies}
    went_on = Counter[int]()

    async def flood(what: str, number: int) -> None:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one() -> None:
            async with gate:
                answers[what][await sent(process.port, bodies[what])] += 1

        await asyncio.gather(*(one() for _ in range(number)))

    for what in bodies:  # what a process takes once, for its first requests of a kind
        await flood(what, AT_ONCE if name in ROUNDS else FEW // 2)
    before = process.held
    for what in bodies:
        _, status = await asyncio.gather(flood(what, ROUNDS.get(name, FEW)), good(client, row))
        went_on[status] += 1
    without_end = await asyncio.gather(*(endless(process.port, row) for _ in range(3)))
    grown = process.held - before
    print(f"{name}: {answers}, {without_end}; grown by {grown / 2**20:.1f} MiB to {process.held / 2**20:.1f} MiB")
    assert went_on[200] + went_on[202] == len(bodies), went_on  # 202: it is busy, and the provider settles it later
    assert all(400 <= status < 500 or status == 0 for seen in answers.values() for status in seen), answers
    assert all(sum(n for status, n in seen.items() if status) > 0 for seen in answers.values()), answers
    assert all(status in (0, 413) and seconds < SOON for status, seconds in without_end), without_end
    assert grown < GROWTH
    assert process.popen.poll() is None, "the service has ended"
