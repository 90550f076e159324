"""Heads and rows of requests that a fast parser takes, or bounds that it doesn't have, over real connections."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from fastapi import APIRouter, Request, Response

from common.settings import ServiceSettings
from common.web.app import create_app
from common.web.connections import LARGEST_HEAD
from tests.contract.answers.test_placing_with_other_services import listening

PATIENCE = 60.0
"""Seconds after which a test gives a service up; its own bounds here are one second."""
GET = b"GET /seen HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /seen HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"

router = APIRouter()


@router.api_route("/seen", methods=["GET", "POST"])
async def seen(request: Request) -> Response:
    """What the service takes for this request's body and fields."""
    body = (await request.body()).decode()
    fields = sorted(f"{name}: {value}" for name, value in request.headers.items())
    return Response(json.dumps({"body": body, "fields": fields}), media_type="application/json")


@router.get("/slow/{number}")
async def slow(number: int) -> Response:
    await asyncio.sleep(0.05)
    return Response(f"<{number}>")


@pytest.fixture(scope="module")
async def port() -> AsyncIterator[int]:
    settings = ServiceSettings(
        mongodb_url="mongodb://127.0.0.1:1/", request_timeout_seconds=1.0, max_body_bytes=100_000, log_level="ERROR"
    )
    async with listening(create_app("thing", "Things.", routers=[router], settings=settings)) as url:
        yield int(url.rsplit(":", 1)[1])


async def said(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """All that the service says until it closes the connection, which it does in time."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(PATIENCE):
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause)
            return await reader.read()
    finally:
        writer.close()


def statuses(answers: bytes) -> list[int]:
    return [int(part[:3]) for part in answers.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize(
    "request_",
    [
        POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        POST + b"Content-Length: 5, 5\r\n\r\nhello",
        POST + b"Content-Length: +5\r\n\r\nhello",
        POST + b"Content-Length : 5\r\n\r\nhello",
        POST + b"Content-Length: 5\r\n" + CHUNKED + b"0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: identity\r\n\r\nhello",
        POST + b"Transfer-Encoding: chunked\r\n" + CHUNKED + b"0\r\n\r\n",
        POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        b"POST /seen HTTP/1.0\r\nHost: x\r\n" + CHUNKED + b"0\r\n\r\n",
        GET + b"X: a\r\n b\r\n\r\n",
        GET + b"X: a\rY: b\r\n\r\n",
        GET + b"X: a\0\r\n\r\n",
        GET + b"a b: c\r\n\r\n",
        GET.replace(b"\r\n", b"\n") + b"\n",
        b"GET /seen HTTP/1.1\r\n\r\n",
        GET + b"Host: y\r\n\r\n",
        b"GET /seen HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET /seen HTTP/2.0\r\nHost: x\r\n\r\n",
        b"GET /seen HTTP/0.9\r\nHost: x\r\n\r\n",
        b"GET /seen\r\n\r\n",
        b"GET /seen#part HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /\xc3\xa4 HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=[
        *("two lengths", "a list of lengths", "a signed length", "a space before the colon", "a length and chunks"),
        *("chunks and a length", "a second coding", "a coding after the chunks", "no coding", "chunked twice"),
        *("an odd space", "chunks in HTTP/1.0", "a folded field", "a bare CR", "a NUL", "a space in a name", "bare LF"),
        *("no Host", "two Hosts", "two Hosts in HTTP/1.0", "HTTP/2.0", "HTTP/0.9", "no version", "a fragment"),
        *("a tunnel", "a path that isn't ASCII"),
    ],
)
async def test_what_two_servers_could_read_differently_is_refused_and_nothing_after_it_is_read(
    port: int, request_: bytes
) -> None:
    answers = await said(port, request_ + GET + b"X-Smuggled: yes\r\n\r\n")
    assert statuses(answers) == [400]
    assert b"connection: close" in answers


@pytest.mark.parametrize(
    "body",
    [b"1\na\r\n0\r\n\r\n", b"0x1\r\na\r\n0\r\n\r\n", b"-1\r\n", b"1\r\nab0\r\n\r\n", b"f" * 17 + b"\r\n"],
    ids=["bare LF", "hexadecimal", "negative", "more than announced", "overflow"],
)
async def test_a_broken_piece_of_a_body_ends_its_request_and_the_connection(port: int, body: bytes) -> None:
    assert statuses(await said(port, POST + CHUNKED + body + GET + b"\r\n")) == [400]


@pytest.mark.parametrize("pause", [0.0, 0.1], ids=["at once", "later"])
async def test_a_row_is_answered_in_its_order_and_a_broken_request_after_it_last(port: int, pause: float) -> None:
    row = [b"GET /slow/%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(3)]
    for broken in (b"BROKEN\r\n\r\n", POST + CHUNKED + b"x\r\n", GET + b"Host: y\r\n\r\n"):
        answers = await said(port, b"".join(row), broken, pause=pause)
        assert statuses(answers) == [200, 200, 200, 400]
        assert answers.index(b"<0>") < answers.index(b"<1>") < answers.index(b"<2>")


async def test_what_comes_after_the_last_request_of_a_connection_is_not_answered(port: int) -> None:
    answers = await said(port, GET + b"Connection: close\r\n\r\n" + GET + b"\r\n")
    assert statuses(answers) == [200]


async def test_many_requests_in_a_row_are_all_answered(port: int) -> None:
    number = 3000
    row = POST + b"Content-Length: 2\r\n\r\n{}"
    answers = await said(port, row * number + GET + b"Connection: close\r\n\r\n")
    assert statuses(answers) == [200] * (number + 1)


@pytest.mark.parametrize(
    ("length", "body", "read"),
    [
        (b"Content-Length: 70\r\n\r\n", b"GET /slow/1 HTTP/1.1\r\nHost: x\r\n\r\n".ljust(70), 70),
        (CHUNKED, b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", 5),
        (b"\r\n", b"", 0),
    ],
    ids=["a body that looks like a request", "chunks", "no body"],
)
@pytest.mark.parametrize("pause", [0.0, 0.1], ids=["at once", "later"])
async def test_whoever_asks_for_another_protocol_is_answered_in_this_one(
    port: int, length: bytes, body: bytes, read: int, pause: float
) -> None:
    """As clients in Java do, which offer HTTP/2 with their first request."""
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    answers = await said(
        port, POST + upgrade + length, body[:20], body[20:], GET + b"Connection: close\r\n\r\n", pause=pause
    )
    assert statuses(answers) == [200, 200]
    first, _ = json.JSONDecoder().raw_decode(answers.split(b"\r\n\r\n", 1)[1].decode())
    assert len(first["body"]) == read


async def test_fields_after_a_body_are_none_of_the_head(port: int) -> None:
    answers = await said(
        port, POST + CHUNKED + b"0\r\nIdempotency-Key: later\r\n\r\n", GET + b"Connection: close\r\n\r\n"
    )
    assert statuses(answers) == [200, 200]
    assert b"later" not in answers


@pytest.mark.parametrize(
    ("begun", "drip"),
    [
        (GET, b"X-%d: a\r\n" % 1 * 100),
        (GET + b"X: ", b"a" * 1000),
        (GET[:5], b"a" * 1000),
        (POST + CHUNKED + b"0\r\nX: ", b"a" * 1000),
        (POST + CHUNKED + b"1;", b"a" * 1000),
    ],
    ids=["fields", "a field", "a target", "a field after the body", "an extension of a chunk"],
)
async def test_a_head_or_an_end_without_an_end_is_refused_at_a_bound(port: int, begun: bytes, drip: bytes) -> None:
    sent = len(begun)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(PATIENCE):
        answer = asyncio.create_task(reader.read())
        writer.write(begun)
        while not answer.done() and sent < 4 * LARGEST_HEAD:
            writer.write(drip)
            sent += len(drip)
            await writer.drain()
            await asyncio.wait({answer}, timeout=0.001)
        assert (await answer).startswith(b"HTTP/1.1 400")
    writer.close()
    assert sent >= LARGEST_HEAD


async def test_a_connection_on_which_only_line_breaks_come_does_not_stay(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(PATIENCE):
        reading = asyncio.create_task(reader.read())
        while not reading.done():
            writer.write(b"\r\n")
            await asyncio.wait({reading}, timeout=0.1)
        await asyncio.gather(reading, return_exceptions=True)
    writer.close()
