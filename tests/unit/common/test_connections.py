"""A row of requests on one connection, whose client reads everything, with an app that answers when it is told to."""

import asyncio
from typing import Any

from uvicorn import Config
from uvicorn.server import ServerState

from common.web.connections import PIECE, punctual

GET = b"GET / HTTP/1.1\r\nHost:\r\n\r\n"


class Client:
    """A transport whose other end reads everything."""

    def __init__(self) -> None:
        self.said = b""
        self.is_paused = self.is_closed = False

    def write(self, data: bytes) -> None:
        self.said += data

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str) -> Any:
        return self if name == "socket" else None

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", 1

    getpeername = getsockname

    def setsockopt(self, *_: Any) -> None:
        raise OSError("this is no socket")

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed


async def test_of_a_row_without_an_end_only_a_piece_is_parsed_and_no_more_is_read() -> None:
    """Each request that waits costs a hundred times its bytes. Apps read on, which says nothing of the next request."""
    turns = asyncio.Semaphore(0)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await turns.acquire()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    config = Config(app, lifespan="off", log_config=None)
    config.load()
    connection = punctual(5.0)(config, ServerState(), {})
    client = Client()
    connection.connection_made(client)  # type: ignore[arg-type]
    row, most = 5000, PIECE // len(GET) + 1
    connection.data_received(GET * row)
    for answered in range(row):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(connection.pipeline) <= most
        assert client.is_paused or row - answered <= 2 * most
        turns.release()
    for _ in range(2 * most):
        await asyncio.sleep(0)
    assert client.said.count(b"HTTP/1.1 204") == row
    assert not client.is_paused
    connection.connection_lost(None)
