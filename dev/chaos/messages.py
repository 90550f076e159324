"""HTTP/1.1 messages as far as a proxy on one machine needs them: a head and a body."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

HEAD_LIMIT = 64 * 1024
"""Bytes; asyncio's own limit for a line."""


@dataclass(frozen=True)
class Message:
    """A request or an answer."""

    first: str
    """The request line or the status line."""
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def method(self) -> str:
        """Of a request."""
        return self.first.split(" ", 2)[0]

    @property
    def path(self) -> str:
        """Of a request, without its query."""
        return self.first.split(" ", 2)[1].partition("?")[0]

    @property
    def status(self) -> int:
        """Of an answer."""
        return int(self.first.split(" ", 2)[1])

    def header(self, name: str) -> str:
        """A header's value, or an empty string."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    def json(self) -> dict[str, Any]:
        """The body if it is a JSON object, else an empty one."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def encode(self, connection: str) -> bytes:
        """On the wire, with this header `Connection` and the body's length."""
        dropped = ("connection", "content-length", "transfer-encoding", "keep-alive")
        kept = [(key, value) for key, value in self.headers if key.lower() not in dropped]
        lines = [self.first, *(f"{key}: {value}" for key, value in kept), f"Connection: {connection}"]
        if self.body or not self.first.startswith(("GET ", "DELETE ")):
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


async def read_message(reader: asyncio.StreamReader) -> Message | None:
    """The next message, or None if the other side has closed the connection (also in the middle of a message)."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        headers = tuple((key, value.strip()) for key, _, value in (line.partition(":") for line in lines))
        fields = {key.lower(): value for key, value in headers}
        if "content-length" in fields:
            body = await reader.readexactly(int(fields["content-length"]))
        elif fields.get("transfer-encoding", "").lower() == "chunked":
            body = await _chunks(reader)
        else:
            body = await reader.read() if first.startswith("HTTP/") else b""
    except (asyncio.IncompleteReadError, OSError):
        return None
    return Message(first, headers, body)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")
    return body
