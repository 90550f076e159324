"""One exchange with a peer that keeps no rule of HTTP: it costs one time-out at the most, and little memory.

Each peer is a few lines on a raw socket, since a library would not send what these send.
"""

import asyncio
import contextlib
import gzip
import itertools
import resource
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from common.exchange import ANSWER_LIMIT, OLDEST_CONNECTION, Answer, Exchanges, NoAnswer, NotSent
from saga_operator.engine.calls.participants import Participants
from saga_operator.resource.body import Resource
from saga_operator.settings import Settings

TIMEOUT = 0.6
"""Seconds for a whole exchange in these tests."""
PATIENCE = 20.0
"""Seconds in which it must surely have ended, also on a busy machine. The peers go on for much longer."""
GOOD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Peer:
    """A server; `closed` is set when the first connection has been closed by the caller."""

    url: str = ""
    connections: int = 0
    closed: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def peer(behaviour: Behaviour, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    """Each connection behaves like this, until the caller closes it."""
    server_peer = Peer()
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        server_peer.connections += 1
        try:
            await behaviour(reader, writer)
            while await reader.read(65536):
                pass
            server_peer.closed.set()
        except OSError:
            server_peer.closed.set()
        except asyncio.CancelledError:
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    server_peer.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield server_peer
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


async def request_of(reader: asyncio.StreamReader) -> bytes:
    """The head of a request; its body is read as well."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    return head + await reader.readexactly(length)


def says(*parts: bytes, pause: float = 0.0, for_ever: bytes = b"") -> Behaviour:
    """Read the request, then send these parts, with a pause after each; then the last thing again and again."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        while for_ever:
            writer.write(for_ever)
            await writer.drain()
            await asyncio.sleep(pause)

    return behave


async def reads_nothing(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


async def closes_in_the_middle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request_of(reader)
    writer.write(HEAD + b'Content-Length: 100\r\n\r\n{"order_id":')
    await writer.drain()
    writer.close()


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request_of(reader)
    writer.transport.abort()


HOSTILE: dict[str, Behaviour] = {
    "drips its body": says(HEAD + b"Content-Length: 100000\r\n\r\n", pause=0.25, for_ever=b" "),
    "drips a chunked body": says(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", pause=0.25, for_ever=b"1\r\n \r\n"),
    "drips its headers": says(b"HTTP/1.1 200 OK\r\n", pause=0.25, for_ever=b"X: y\r\n"),
    "drips one header": says(b"HTTP/1.1 200 OK\r\nX: ", pause=0.25, for_ever=b"y"),
    "drips the status line": says(pause=0.25, for_ever=b"H"),
    "sends 3 GiB": says(HEAD + b"Content-Length: 3221225472\r\n\r\n", for_ever=b"x" * 1_000_000),
    "sends without a length": says(HEAD + b"\r\n", for_ever=b"x" * 1_000_000),
    "sends one endless chunk": says(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n", for_ever=b"x" * 1_000_000
    ),
    "sends a compressed bomb": says(
        HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(bytes(50_000_000), compresslevel=9)
    ),
    "sends headers for ever": says(b"HTTP/1.1 200 OK\r\n", for_ever=b"X-Header: " + b"y" * 1000 + b"\r\n"),
    "sends one endless header": says(b"HTTP/1.1 200 OK\r\nX: ", for_ever=b"y" * 100_000),
    "sends 100 Continue for ever": says(pause=0.001, for_ever=b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "sends 103 Early Hints for ever": says(pause=0.05, for_ever=b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
    "reads nothing": reads_nothing,
    "says nothing": says(),
    "promises more than it sends": says(HEAD + b"Content-Length: 100\r\n\r\n{}"),
    "closes in the middle": closes_in_the_middle,
    "resets the connection": resets,
    "sends garbage chunks": says(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\ngarbage\r\n"),
    "sends a chunk that is too short": says(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}garbage\r\n0\r\n\r\n"),
    "doesn't speak HTTP": says(b"220 mail.example.com ESMTP Postfix\r\n"),
    "speaks TLS": says(b"\x15\x03\x01\x00\x02\x02\x28"),
    "sends zeros": says(bytes(1000)),
    "has two lengths": says(HEAD + b"Content-Length: 2\r\nContent-Length: 9\r\n\r\n{}"),
    "has a length that is no number": says(HEAD + b"Content-Length: many\r\n\r\n{}"),
}


@pytest.mark.parametrize("behaviour", HOSTILE.values(), ids=HOSTILE)
async def test_a_peer_without_rules_costs_one_time_out(behaviour: Behaviour) -> None:
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with peer(behaviour) as hostile:
        exchanges = Exchanges(hostile.url, timeout=TIMEOUT)
        try:
            async with asyncio.timeout(PATIENCE):
                while not hostile.connections:  # on a machine that stands still the time may be over before one is made
                    with pytest.raises(NoAnswer):
                        await exchanges.exchange(
                            "POST", "/x", headers={}, body={"order_id": "o-1", "items": "x" * 250_000}
                        )
                if behaviour is not reads_nothing:
                    await hostile.closed.wait()
        finally:
            await exchanges.aclose()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    assert grown < 100_000, f"{grown} KiB more than before"


async def test_an_answer_as_large_as_the_limit_is_read_and_a_larger_one_is_not() -> None:
    def of(size: int) -> Behaviour:
        return says(HEAD + b"Content-Length: %d\r\n\r\n" % size + b"x" * size)

    async def size(limit: int, of_answer: int) -> int:
        async with peer(of(of_answer)) as server, aclosing(Exchanges(server.url, timeout=PATIENCE)) as exchanges:
            return len((await exchanges.exchange("POST", "/x", headers={}, limit=limit)).body)

    assert await size(ANSWER_LIMIT, ANSWER_LIMIT) == ANSWER_LIMIT
    assert await size(2 * ANSWER_LIMIT, ANSWER_LIMIT + 1) == ANSWER_LIMIT + 1
    with pytest.raises(NoAnswer, match="more than 65536 bytes"):
        await size(ANSWER_LIMIT, ANSWER_LIMIT + 1)


async def test_a_compressed_answer_is_neither_asked_for_nor_taken() -> None:
    heads: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await request_of(reader))
        body = gzip.compress(b'{"order_id": "o-1"}')
        writer.write(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    async with peer(behave) as compressing, contextlib.aclosing(Exchanges(compressing.url, timeout=PATIENCE)) as calls:
        with pytest.raises(NoAnswer, match="encoded"):
            await calls.exchange("POST", "/x", headers={})
    assert b"accept-encoding: identity" in heads[0].lower()


async def answers_for_ever(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError):
        while True:
            await request_of(reader)
            writer.write(GOOD)


async def test_a_connection_is_used_again_until_it_is_old() -> None:
    async with peer(answers_for_ever) as server:
        exchanges = Exchanges(server.url, timeout=PATIENCE)
        for _ in range(5):
            await exchanges.exchange("POST", "/x", headers={})
        assert server.connections == 1
        await exchanges.aclose()


async def test_an_old_connection_is_closed_although_it_is_never_idle() -> None:
    """Behind a Service, a connection stays with the replica that it was made to."""
    async with peer(answers_for_ever) as server:
        exchanges = Exchanges(server.url, timeout=PATIENCE, oldest=0.2)
        until = time.monotonic() + PATIENCE
        while server.connections < 3 and time.monotonic() < until:
            await exchanges.exchange("POST", "/x", headers={})
        assert server.connections == 3
        async with asyncio.timeout(PATIENCE):
            await server.closed.wait()
        await exchanges.aclose()


async def test_a_replica_that_is_added_gets_its_share_under_constant_load() -> None:
    """A balancer sends each new connection to the next replica, and knows nothing of calls."""
    replicas, calls, turns = ["a"], {"a": 0, "b": 0}, itertools.count()

    async def balanced(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        replica = replicas[next(turns) % len(replicas)]
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                await request_of(reader)
                calls[replica] += 1
                writer.write(GOOD)

    async def calling(exchanges: Exchanges, until: float) -> None:
        while time.monotonic() < until and calls["b"] < 100:
            await exchanges.exchange("POST", "/x", headers={})

    async with peer(balanced) as server, aclosing(Exchanges(server.url, timeout=PATIENCE, oldest=0.5)) as exchanges:
        await exchanges.exchange("POST", "/x", headers={})
        replicas.append("b")
        until = time.monotonic() + PATIENCE
        await asyncio.gather(*(calling(exchanges, until) for _ in range(8)))
    assert calls["b"] >= 100


def test_services_renew_their_connections_well_within_a_minute() -> None:
    assert OLDEST_CONNECTION <= 30.0


async def test_a_participant_behind_a_renewed_authority_is_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "authorities.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))

    def renewed(server: ssl.SSLContext) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(bundle))
        authority.issue_cert("127.0.0.1").configure_cert(server)

    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    renewed(tls)
    async with peer(answers_for_ever, tls=tls) as server:
        exchanges = Exchanges(server.url, timeout=PATIENCE, oldest=0.0, trusted=0.0)
        for _ in range(3):
            assert (await exchanges.exchange("POST", "/x", headers={})).status == 200
            renewed(tls)
        assert (await exchanges.exchange("POST", "/x", headers={})).status == 200
        bundle.write_text("")  # at this moment it is written again
        assert (await exchanges.exchange("POST", "/x", headers={})).status == 200
        await exchanges.aclose()


async def test_a_call_in_flight_keeps_its_old_connection() -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        await asyncio.sleep(1.0)
        writer.write(GOOD)

    async with peer(slow) as server:
        exchanges = Exchanges(server.url, timeout=PATIENCE, oldest=0.1)
        first = asyncio.create_task(exchanges.exchange("POST", "/x", headers={}))
        await asyncio.sleep(0.3)
        second = asyncio.create_task(exchanges.exchange("POST", "/x", headers={}))
        answers: list[Answer] = await asyncio.gather(first, second)
        assert [answer.status for answer in answers] == [200, 200]
        await exchanges.aclose()


async def test_calls_go_to_another_address_from_the_next_one_on_and_those_in_flight_end_where_they_began() -> None:
    answered = asyncio.Event()

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        await answered.wait()
        writer.write(GOOD)

    async with peer(late) as before, peer(says(GOOD)) as after:
        exchanges = Exchanges(before.url, timeout=PATIENCE)
        in_flight = asyncio.create_task(exchanges.exchange("GET", "/", headers={}))
        while not before.connections:  # noqa: ASYNC110 - it is a number
            await asyncio.sleep(0.01)
        exchanges.change(url=after.url, timeout=PATIENCE, credentials=None)
        assert (await exchanges.exchange("GET", "/", headers={})).status == 200
        assert after.connections == 1
        answered.set()
        assert (await in_flight).status == 200
        await asyncio.wait_for(before.closed.wait(), PATIENCE)
        await exchanges.aclose()


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/x", {"X-Correlation-ID": "Auftrag-Müller"}),
        ("/x", {"X-Correlation-ID": "a\nb"}),
        ("/x", {"X-Correlation-ID": "a\x00b"}),
        ("/x", {"X-Correlation-ID": "x" * 200_000}),
        ("/x", {"X-Correlation-ID": "\ud800"}),
        ("/a\nb", {}),
        ("/" + "x" * 100_000, {}),
    ],
)
async def test_what_does_not_fit_into_a_request_is_never_sent(path: str, headers: dict[str, str]) -> None:
    async with peer(answers_for_ever) as server:
        exchanges = Exchanges(server.url, timeout=PATIENCE)
        with pytest.raises(NotSent):
            await exchanges.exchange("POST", path, headers=headers, body={})
        assert server.connections == 0
        await exchanges.aclose()


async def test_a_body_that_is_no_json_is_never_sent() -> None:
    exchanges = Exchanges("http://127.0.0.1:1", timeout=PATIENCE)
    with pytest.raises(NotSent):
        await exchanges.exchange("POST", "/x", headers={}, body={"order_id": object()})
    await exchanges.aclose()


async def test_nobody_listens() -> None:
    exchanges = Exchanges("http://127.0.0.1:1", timeout=PATIENCE)
    with pytest.raises(NoAnswer):
        await exchanges.exchange("POST", "/x", headers={}, body={})
    await exchanges.aclose()


@pytest.mark.parametrize(
    "said",
    [
        b"<html>Please log in</html>",
        b"{}",
        b"[]",
        b'{"uid":"another"}',
    ],
)
async def test_a_page_in_the_order_service_s_place_has_kept_no_story(said: bytes) -> None:
    """The resource is deleted once its story is kept: nobody could tell it again."""
    metadata = {"name": "o-1", "namespace": "shop", "uid": "u-1", "creationTimestamp": "2026-01-01T00:00:00Z"}
    finished = Resource({"metadata": metadata, "spec": {"orderID": "o-1"}, "status": {"phase": "Completed"}})
    for body, kept in ((said, False), (b'{"order_id":"o-1","uid":"u-1"}', True)):
        async with peer(says(HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))) as shop:
            settings = Settings(namespace="shop", order_url=shop.url, call_timeout=PATIENCE)
            async with aclosing(Participants(settings, time.time)) as participants:
                with contextlib.nullcontext() if kept else pytest.raises(OSError, match="without the saga"):
                    await participants.archive(finished)
