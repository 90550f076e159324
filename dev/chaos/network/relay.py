"""A relay in front of the API server. It passes bytes on (they are TLS), and can close connections or silence them."""

import asyncio
import contextlib

CHUNK = 64 * 1024


class Relay:
    """Listens on one port and forwards to another. Lives in one event loop."""

    def __init__(self, port: int, target: int) -> None:
        self._port = port
        self._target = target
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)

    async def aclose(self) -> None:
        """Stop listening, and close all connections."""
        if self._server is not None:
            self._server.close()
        self.cut()
        await asyncio.gather(*(each.task for each in list(self._connections)), return_exceptions=True)

    def cut(self) -> None:
        """Close all connections."""
        for connection in self._connections:
            connection.task.cancel()

    def freeze(self) -> None:
        """The present connections stay open and carry nothing any more; new connections work."""
        for connection in self._connections:
            connection.flowing.clear()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(self._target, reader, writer)
        self._connections.add(connection)
        connection.task.add_done_callback(lambda _: self._connections.discard(connection))


class _Connection:
    def __init__(self, target: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.task = asyncio.create_task(self._run(target, reader, writer))

    async def _run(self, target: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        try:
            with contextlib.suppress(OSError):
                upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", target)
                writers.append(upstream_writer)
                both = [
                    asyncio.create_task(self._pump(reader, upstream_writer)),
                    asyncio.create_task(self._pump(upstream_reader, writer)),
                ]
                try:
                    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for task in both:
                        task.cancel()
                    await asyncio.gather(*both, return_exceptions=True)
        finally:
            for each in writers:
                each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                await self.flowing.wait()
                writer.write(data)
                await writer.drain()
            await self.flowing.wait()  # a frozen connection doesn't show its end either
