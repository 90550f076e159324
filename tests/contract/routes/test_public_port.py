"""A public port that isn't served any more ends the process, which says why: nothing else would notice."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Iterator

import pytest
import uvicorn

from common.settings import ServiceSettings
from common.web.public import listening
from dev.stack.processes import free_port


@pytest.fixture
def told_to_end() -> Iterator[asyncio.Event]:
    """Set when this process has told itself to end, in place of its end."""
    told = asyncio.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: told.set())
    yield told
    signal.signal(signal.SIGTERM, before)


async def app(scope: object, receive: object, send: object) -> None:
    """Never called."""


async def fails(*_: object) -> None:
    raise ValueError("a defect that nobody has thought of")


async def ends(*_: object) -> None:
    return


async def the_loop_still_accepts() -> None:
    """What comes next gets the number of the file that was closed: the event loop must have forgotten that one."""

    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(close, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert await asyncio.wait_for(reader.read(), 20) == b""
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(("fault", "why"), [(fails, "ValueError('a defect"), (ends, "None")])
async def test_a_public_port_that_dies_ends_the_process_which_says_why(
    fault: object,
    why: str,
    told_to_end: asyncio.Event,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(uvicorn.Server, "main_loop", fault)
    async with listening(app, ServiceSettings(public_port=free_port())) as public_port:
        assert public_port.why_not_served(), "not yet"
        await asyncio.wait_for(told_to_end.wait(), 20)
        assert public_port.why_not_served(), "a service whose customers don't get through isn't ready"
    said = [record.message for record in caplog.records if record.levelno == logging.CRITICAL]
    await the_loop_still_accepts()
    assert len(said) == 1
    assert "the public port" in said[0]
    assert why in said[0]


async def test_a_public_port_that_ends_with_the_service_is_no_news(
    told_to_end: asyncio.Event, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    async with listening(app, ServiceSettings(public_port=port)) as public_port, asyncio.timeout(20):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            await asyncio.sleep(0.01)
        assert public_port.why_not_served() is None
    assert not told_to_end.is_set()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
