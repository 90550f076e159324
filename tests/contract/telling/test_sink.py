"""The sink of events over real HTTP: what each of its answers means, and how the operator says who it is."""

import asyncio
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from saga_operator.engine.telling import sink as sinks
from saga_operator.engine.telling.outbox import TAKEN, Answered, Result
from saga_operator.engine.telling.sink import Sink
from saga_operator.resource.lifecycle import Kind, Lifecycle
from saga_operator.settings import Settings
from tests.support.event_sink import SECRET, ScriptedSink

EVENT = Lifecycle(
    "u-1/completed", Kind.COMPLETED, b'{"id":"u-1/completed","subject":"o-1","type":"io.ordersaga.order.completed.v1"}'
)


@pytest.fixture
def scripted() -> Iterator[ScriptedSink]:
    scripted = ScriptedSink()
    yield scripted
    scripted.stop()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(SECRET)
    return file


async def sent(url: str, *, times: int = 1, **settings: Any) -> Answered:
    sink = Sink(Settings(events_sink=url, **settings))
    try:
        for _ in range(times):
            answered = await sink.send(EVENT)
    finally:
        await sink.aclose()
    return answered


async def test_an_event_arrives_as_it_was_written_with_a_signature(scripted: ScriptedSink, secret: Path) -> None:
    assert await sent(scripted.url, events_secret=secret) is TAKEN
    assert [each.id for each in scripted.deliveries] == [EVENT.id]
    assert not scripted.unsigned


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_2xx_is_taken(status: int, scripted: ScriptedSink) -> None:
    scripted.status = status
    assert await sent(scripted.url) is TAKEN


@pytest.mark.parametrize(
    "status", [301, 302, 307, 308, 401, 403, 404, 405, 407, 408, 410, 425, 429, 500, 502, 503, 504, 0]
)
async def test_an_answer_that_any_event_would_get_says_that_the_sink_is_away(
    status: int, scripted: ScriptedSink
) -> None:
    scripted.status, scripted.headers = status, {"Location": scripted.url}
    answered = await sent(scripted.url)
    assert answered.result is Result.AWAY
    assert len(scripted.deliveries) == 1, "no redirect is followed"


@pytest.mark.parametrize("status", [400, 402, 406, 409, 413, 415, 418, 422, 451])
async def test_any_other_4xx_is_about_the_event(status: int, scripted: ScriptedSink) -> None:
    scripted.status = status
    assert (await sent(scripted.url)).result is Result.REFUSED


async def test_the_sink_may_ask_for_time(scripted: ScriptedSink) -> None:
    scripted.status, scripted.headers = 429, {"Retry-After": "17"}
    assert (await sent(scripted.url)).retry_after == 17.0


async def test_a_sink_that_hangs_or_is_not_there_is_away(
    scripted: ScriptedSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sinks, "TIMEOUT", 0.3)
    scripted.status = -1
    began = time.monotonic()
    assert (await sent(scripted.url)).result is Result.AWAY
    assert time.monotonic() - began < 3.0
    assert (await sent("http://127.0.0.1:9/")).result is Result.AWAY


async def test_a_bearer_token_goes_along_and_a_new_one_is_found_once_the_old_is_refused(
    scripted: ScriptedSink, secret: Path, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    sink = Sink(Settings(events_sink=scripted.url, events_secret=secret, events_token=token))
    await sink.send(EVENT)
    token.write_text("second")
    scripted.status = 401
    await sink.send(EVENT)
    scripted.status = 202
    assert await sink.send(EVENT) is TAKEN
    await sink.aclose()
    assert [each.authorization for each in scripted.deliveries] == ["Bearer first", "Bearer first", "Bearer second"]
    assert not scripted.unsigned


async def test_nothing_is_sent_unsigned_while_its_secret_is_missing(scripted: ScriptedSink, tmp_path: Path) -> None:
    sink = Sink(Settings(events_sink=scripted.url, events_secret=tmp_path / "secret"))
    assert (await sink.send(EVENT)).result is Result.AWAY
    assert not scripted.deliveries
    (tmp_path / "secret").write_text(SECRET)
    assert await sink.send(EVENT) is TAKEN
    await sink.aclose()
    assert not scripted.unsigned


async def test_a_sink_with_tls_is_believed_by_its_authority_alone_and_that_may_come_later(tmp_path: Path) -> None:
    authority, ca = trustme.CA(), tmp_path / "ca.crt"
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(tls)
    scripted = ScriptedSink(tls=tls)
    try:
        assert (await sent(scripted.url)).result is Result.AWAY
        trustme.CA().cert_pem.write_to_path(ca)
        sink = Sink(Settings(events_sink=scripted.url, events_ca_file=ca))
        assert (await sink.send(EVENT)).result is Result.AWAY
        assert not scripted.deliveries
        await asyncio.sleep(0.01)  # the file's time has to differ
        authority.cert_pem.write_to_path(ca)
        assert await sink.send(EVENT) is TAKEN
        await sink.aclose()
    finally:
        scripted.stop()


async def test_what_is_said_of_a_sink_has_no_secret_of_its_address() -> None:
    sink = Sink(Settings(events_sink="https://hooks.example.com/orders/s3cret?token=s3cret"))
    assert sink.name == "the sink at hooks.example.com:443"
    await sink.aclose()
