"""The receiver of docs/events.md: run as it stands there, behind a real server, told by the operator's own sink."""

import asyncio
import base64
import json
import re
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import uvicorn

from dev.stack.ports import free_ports
from saga_operator.engine.telling.outbox import TAKEN, Result
from saga_operator.engine.telling.signature import signed
from saga_operator.engine.telling.sink import Sink
from saga_operator.resource.body import Resource
from saga_operator.resource.lifecycle import MEDIA_TYPE, due
from saga_operator.settings import Settings
from tests.support.samples import order

PAGE = (Path(__file__).resolve().parents[3] / "docs/events.md").read_text()
OLD, NEW, OTHER = (bytes([n]) * 32 for n in range(3))


def line(secret: bytes) -> str:
    return "whsec_" + base64.b64encode(secret).decode()


class Receiver:
    def __init__(self, url: str, database: Path) -> None:
        self.url, self._database = url, database

    def rows(self) -> list[tuple[str, str, str]]:
        with sqlite3.connect(self._database) as events:
            return events.execute("SELECT id, type, subject FROM events ORDER BY rowid").fetchall()


@pytest.fixture
async def receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Receiver]:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len([each for each in code.splitlines() if each.strip()]) <= 27
    monkeypatch.setenv("SECRETS", f"{line(NEW)} {line(OLD)}")
    monkeypatch.setenv("EVENTS", str(tmp_path / "events.db"))
    names: dict[str, object] = {"__name__": "receiver"}
    exec(compile(code, "docs/events.md", "exec", dont_inherit=True), names)  # noqa: S102 - it is ours
    (port,) = free_ports(1)
    server = uvicorn.Server(uvicorn.Config(names["app"], port=port, log_config=None))  # type: ignore[arg-type]
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event
            await asyncio.sleep(0.01)
    yield Receiver(f"http://127.0.0.1:{port}/orders", tmp_path / "events.db")
    server.should_exit = True
    await serving
    names["events"].close()  # type: ignore[attr-defined]


def completed() -> Resource:
    raw = order("o-1001")
    raw["metadata"] |= {"namespace": "shop", "uid": "u-1", "creationTimestamp": "2026-11-30T08:00:00Z"}
    return Resource(raw | {"status": {"phase": "Completed", "completionTime": "2026-11-30T08:00:05Z"}})


async def test_it_takes_each_event_once_and_old_and_new_secret_while_one_takes_the_place_of_the_other(
    receiver: Receiver, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text(line(OLD))
    sink = Sink(Settings(events_sink=receiver.url, events_secret=tmp_path / "secret"))
    first, last = due(completed(), "/ordersaga/shop")
    for event in (first, first, last):
        assert await sink.send(event) is TAKEN
    (tmp_path / "secret").write_text(line(NEW))
    assert await sink.send(last) is TAKEN
    await sink.aclose()
    assert receiver.rows() == [
        ("u-1/started", "io.ordersaga.order.started.v1", "o-1001"),
        ("u-1/completed", "io.ordersaga.order.completed.v1", "o-1001"),
    ]


async def test_it_takes_nothing_of_a_stranger(receiver: Receiver, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(line(OTHER))
    (event, _) = due(completed(), "/ordersaga/shop")
    for settings in ({}, {"events_secret": tmp_path / "secret"}):
        sink = Sink(Settings(events_sink=receiver.url, **settings))
        assert (await sink.send(event)).result is Result.AWAY
        await sink.aclose()
    old = Sink(Settings(events_sink=receiver.url, events_secret=tmp_path / "secret"), now=lambda: 1_700_000_000.0)
    (tmp_path / "secret").write_text(line(OLD))
    assert (await old.send(event)).result is Result.AWAY, "somebody repeats what they have heard"
    await old.aclose()
    forged = json.dumps({**json.loads(event.body), "subject": "o-2"}).encode()
    headers = signed((OLD,), event.id, 1_900_000_000, event.body) | {"Content-Type": MEDIA_TYPE}
    async with httpx.AsyncClient() as client:
        assert (await client.post(receiver.url, content=forged, headers=headers)).status_code == 401
    assert receiver.rows() == []
