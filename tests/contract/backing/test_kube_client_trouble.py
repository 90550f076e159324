"""The API server client when what answers is slow, endless, or no API server at all. No real one is needed."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from common.kube import AnswerTooLarge, ApiUnavailable, KubeClient, KubeError, Leases, ObjectInvalid, OrderSagas
from common.kube import client as limits
from common.kube.config import Access
from tests.support.samples import order

Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(answering: Answering, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Something that listens where the API server should be; its URL."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answering(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()


def client_of(url: str, kubeconfig: Path | None = None) -> KubeClient:
    access = Access(server=url, tls=None, tls_digest="", authorization=None)
    return KubeClient(access, user_agent="ordersaga-test/1", kubeconfig=kubeconfig)


async def read_request(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = next((int(line[15:]) for line in head.lower().split("\r\n") if line.startswith("content-length:")), 0)
    return head, await reader.readexactly(length)


def answer(body: bytes, status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def always(reply: Callable[[], bytes]) -> Answering:
    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader)
            writer.write(reply())
            await writer.drain()

    return answering


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_a_call_whose_connection_breaks_is_not_made_again(method: str) -> None:
    """It may have been done."""
    got: list[str] = []

    async def answers_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(answer(b"{}"))
        head, _ = await read_request(reader)
        got.append(head.split()[0])

    async with server(answers_once) as url, client_of(url) as client:
        await client.get("/api")
        with pytest.raises(ApiUnavailable):
            await client.request(method, "/api", body={"kind": "X"})
        assert got == [method]


async def test_a_dripping_answer_is_given_up_after_the_time_for_the_whole_call() -> None:
    async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with server(dripping) as url, client_of(url) as client:
        with pytest.raises(ApiUnavailable, match=r"within 0.5 s"):
            await asyncio.wait_for(client.get("/api", seconds=0.5), 20)


async def test_the_proxy_that_the_configuration_names_is_used_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    heads: list[str] = []

    async def proxying(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await read_request(reader))[0])
        writer.write(answer(b"{}"))
        await writer.drain()

    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with server(proxying) as url:
        through = Access(
            server="http://api.internal:6443",
            tls=None,
            tls_digest="",
            authorization="Bearer t",
            proxy=url.replace("//", "//me:secret@"),
        )
        async with KubeClient(through, user_agent="ordersaga-test/1") as client:
            assert await client.get("/api", {"limit": "1", "continue": "a+b="}) == {}
        async with client_of(url) as client:
            assert await client.get("/api") == {}
    assert heads[0].startswith("GET http://api.internal:6443/api?limit=1&continue=a%2Bb%3D HTTP/1.1")
    assert "proxy-authorization: basic bwu6c2vjcmv0" in heads[0].lower()
    assert "authorization: bearer t" in heads[0].lower()
    assert heads[1].startswith("GET /api HTTP/1.1")


async def test_the_certificate_is_that_of_the_server_name_which_the_configuration_gives() -> None:
    authority, presented = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("api.internal").configure_cert(presented)
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    async with server(always(lambda: answer(b"{}")), tls=presented) as url:
        access = Access(server=url, tls=trusted, tls_digest="", authorization=None)
        async with KubeClient(replace(access, tls_server_name="api.internal"), user_agent="ordersaga-test/1") as client:
            assert await client.get("/api") == {}
        async with KubeClient(access, user_agent="ordersaga-test/1") as client:
            with pytest.raises(ApiUnavailable, match="certificate"):
                await client.get("/api")


async def test_a_redirect_is_an_error_and_a_cookie_is_not_kept() -> None:
    heads: list[str] = []

    async def moving(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            heads.append((await read_request(reader))[0])
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: /other\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\n{}")
            await writer.drain()

    async with server(moving) as url, client_of(url) as client:
        for _ in range(2):
            with pytest.raises(ApiUnavailable):
                await client.get("/api")
    assert [head.split(" ")[1] for head in heads] == ["/api", "/api"]
    assert "cookie" not in heads[1].lower()


@pytest.mark.parametrize("address", ["api.internal", "ftp://api.internal", "http://", "http://x:port"])
def test_an_address_that_is_none_is_told_at_once(address: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - from_config says what to do about it
        client_of(address)


async def test_an_endless_answer_is_not_kept_in_memory() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"100000\r\n" + b" " * 2**20 + b"\r\n")
            await writer.drain()

    async with server(endless) as url, client_of(url) as client:
        with pytest.raises(AnswerTooLarge):
            await client.get("/api")


async def test_a_list_of_huge_objects_is_read_in_smaller_pages() -> None:
    large = [{**order(f"o-{n}", finalizers=()), "status": {}} for n in range(20)]
    for number, item in enumerate(large):
        item["metadata"] |= {"uid": f"u-{number}", "resourceVersion": str(number), "namespace": "shop"}
        item["metadata"]["annotations"] = {"note": "x" * (limits.BODY_LIMIT // 10)}
    asked = []

    async def paging(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head, _ = await read_request(reader)
            query = dict(pair.split("=") for pair in head.split(" ")[1].partition("?")[2].split("&"))
            start, limit = int(query.get("continue", 0)), int(query["limit"])
            asked.append(limit)
            metadata = {"resourceVersion": "9", "continue": str(start + limit) if start + limit < len(large) else ""}
            writer.write(answer(json.dumps({"items": large[start : start + limit], "metadata": metadata}).encode()))
            await writer.drain()

    async with server(paging) as url, client_of(url) as client:
        names = [item["metadata"]["name"] async for page in OrderSagas(client, "shop").list() for item in page.items]
    assert names == [item["metadata"]["name"] for item in large]
    assert asked[0] == 500
    assert asked[-1] < 10


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["metadata", "spec", "items", "name", "uid", "resourceVersion", "continue", "details", "causes"]
            )
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(content=JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40), data=st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_answers_in_the_api_servers_place_is_a_kube_error_or_an_object(content: bytes, data: Any) -> None:
    status = data.draw(st.sampled_from(["200 OK", "201 Created", "403 Forbidden", "409 Conflict", "422 X", "503 X"]))

    async def ask() -> None:
        async with server(always(lambda: answer(content, status))) as url, client_of(url) as client:
            sagas, leases = OrderSagas(client, "shop"), Leases(client, "shop")
            for call in (
                sagas.get("o-1"),
                sagas.replace_status("o-1", "u", "1", {}),
                leases.get("l"),
                leases.create("l", {}),
            ):
                try:
                    found = await call
                except KubeError:
                    continue
                assert found["metadata"]["name"]
                assert found["metadata"]["resourceVersion"]
            try:
                async for page in sagas.list():
                    assert all(item["metadata"]["name"] for item in page.items)
                    break
            except KubeError:
                pass

    asyncio.run(ask())


async def test_half_a_character_is_sent_as_a_question_mark_and_what_is_no_json_is_refused_at_once() -> None:
    seen = []

    async def noting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            seen.append((await read_request(reader))[1])
            writer.write(answer(b'{"metadata": {"name": "o-1", "uid": "u", "resourceVersion": "1"}}'))
            await writer.drain()

    async with server(noting) as url, client_of(url) as client:
        await OrderSagas(client, "shop").patch("o-1", {"status": {"message": "mailbox \ud83d"}})
        with pytest.raises(ObjectInvalid):
            await OrderSagas(client, "shop").replace_status("o-1", "u", "1", {"at": float("nan")})
    assert seen == [b'{"status":{"message":"mailbox ?"}}']


BROKEN = (
    "",
    "x",
    "[1, 2]",
    'clusters: [{name: "x',
    "clusters:\n- name: x\n  clus",
    "{}",
    "\x00",
    "clusters: 7",
    "a: b: c",
)


@pytest.mark.parametrize("text", BROKEN)
async def test_a_kubeconfig_that_is_being_rewritten_costs_nothing(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(text)
    with pytest.raises(ApiUnavailable) as refused:
        KubeClient.from_config(kubeconfig, user_agent="ordersaga-test/1")
    assert refused.value.reason == "NotConfigured"
    monkeypatch.setattr(limits, "CREDENTIALS_SECONDS", -1.0)
    async with (
        server(always(lambda: answer(b'{"kind": "APIVersions"}'))) as url,
        client_of(url, kubeconfig) as client,
    ):
        assert await client.get("/api") == {"kind": "APIVersions"}


async def test_new_connections_are_made_when_asked_and_the_old_ones_end_with_their_last_call() -> None:
    open_now = made = 0
    go = asyncio.Event()

    async def counting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now, made
        open_now, made = open_now + 1, made + 1
        try:
            while True:
                head, _ = await read_request(reader)
                if "/slow" in head:
                    await go.wait()
                writer.write(answer(b"{}"))
                await writer.drain()
        finally:
            open_now -= 1

    async with server(counting) as url, client_of(url) as client:
        slow = asyncio.create_task(client.get("/slow"))
        await client.get("/api")
        for _ in range(5):
            await client.renew_connections()
            await client.get("/api")
        assert made == 7
        go.set()
        assert await slow == {}
        async with asyncio.timeout(10):
            while open_now > 1:  # noqa: ASYNC110 - a server's connections set no event
                await asyncio.sleep(0.01)
