"""Requests that no client of ours makes: a service answers what is wrong with them, and nothing of theirs stays."""

import asyncio
import json
import logging
import re
import sys
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends

from common.logs import configure_logging
from common.settings import ServiceSettings
from common.web.app import Service, create_app
from common.web.idempotency import SagaKey, saga_key
from common.wire import Body, OrderBody, StorableJson
from tests.support.asgi import Asked, ask

router = APIRouter(prefix="/api/things")
JSON = (b"Content-Type", b"application/json")
KEY = (b"Idempotency-Key", b"shop/o-1/inventory/do")


class Kept(Body):
    content: StorableJson


@router.post("/reserve")
async def reserve(body: OrderBody, key: Annotated[SagaKey, Depends(saga_key("inventory", "do"))]) -> OrderBody:
    key.call(body)
    return body


@router.put("/kept")
async def keep(body: Kept) -> Kept:
    return body


@pytest.fixture(scope="module")
def app() -> Service:
    settings = ServiceSettings(mongodb_url="mongodb://127.0.0.1:1/", mongodb_timeout_ms=50, request_timeout_seconds=0.3)
    return create_app("thing", "Things.", routers=[router], settings=settings)


async def put(app: Service, content: str) -> Asked:
    body = b'{"content": ' + content.encode() + b"}"
    return await ask(app, "PUT", "/api/things/kept", headers=[JSON], chunks=[body])


def problem(answer: Asked) -> tuple[int, str]:
    body = json.loads(answer.body)
    assert answer.headers[b"content-type"] == b"application/problem+json"
    assert body["detail"].isprintable()
    assert len(body["detail"]) <= 2048
    return answer.status, body["code"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"order_id": "\\ud800"}',
        b'{"order_id": "o-1", "\\ud800": 1}',
        b'{"order_id": "o-1", "\\u0000\\u001b[2J\\u202e": 1}',
        b'{"order_id": "o-1", "' + b"x" * 200_000 + b'": 1}',
        b'{"order_id": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"order_id": ' + b"9" * 5000 + b"}",
        b'{"order_id": NaN}',
        b'{"order_id": "\xff"}',
    ],
    ids=["surrogate", "name", "control", "long", "deep", "digits", "nan", "utf-8"],
)
async def test_a_body_that_no_encoder_writes_is_invalid(app: Service, body: bytes) -> None:
    answer = await ask(app, "POST", "/api/things/reserve", headers=[JSON, KEY], chunks=[body])
    assert problem(answer) == (422, "invalid")


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ('{"order_id": "o-1", "order_id": "o-1"}', "order_id"),
        ('{"order_id": "o-1", "order\\u005fid": "o-2"}', "order_id"),
        ('{"order_id": "o-1", "lines": [{"quantity": 1}, {"quantity": 1, "quantity": 100}]}', "quantity"),
        ('{"order_id": "o-1", "' + "x" * 5000 + '": 1, "' + "x" * 5000 + '": 2}', "x" * 100),
        ("{" + "".join(f'"{n}":0,' for n in range(5_000)) + '"4999":1}', "4999"),
    ],
    ids=["plain", "spelt otherwise", "inside", "long", "late"],
)
async def test_a_name_that_an_object_has_twice_means_nothing(app: Service, body: str, name: str) -> None:
    answer = await ask(app, "POST", "/api/things/reserve", headers=[JSON, KEY], chunks=[body.encode()])
    assert problem(answer) == (422, "invalid")
    assert "twice" in json.loads(answer.body)["detail"]
    assert name in json.loads(answer.body)["detail"]


@pytest.mark.parametrize("body", ["{%s}", '{"order_id": {%s}}', '{"order_id": [%s]}'], ids=["plain", "inside", "many"])
async def test_a_body_with_thousands_of_names_is_refused_before_each_is_judged(app: Service, body: str) -> None:
    """20,000 findings took a third of a second, in which the service answered nobody."""
    pair = '{"n%d": 0}' if "[" in body else '"n%d": 0'
    sent = (body % ", ".join(pair % number for number in range(10_000))).encode()
    answer = await ask(app, "POST", "/api/things/reserve", headers=[JSON, KEY], chunks=[sent])
    assert problem(answer) == (422, "invalid")
    assert "6000 names" in json.loads(answer.body)["detail"]


async def test_a_header_that_comes_twice_means_nothing(app: Service) -> None:
    body = b'{"order_id": "o-1"}'
    for headers, expected in (
        ([KEY, (b"idempotency-key", b"shop/o-2/inventory/do")], (400, "idempotency_key_invalid")),
        ([KEY, (b"Saga-Epoch", b"1"), (b"saga-epoch", b"2")], (422, "invalid")),
    ):
        answer = await ask(app, "POST", "/api/things/reserve", headers=[JSON, *headers], chunks=[body])
        assert problem(answer) == expected
        assert "twice" in json.loads(answer.body)["detail"]


async def test_only_an_id_is_repeated_as_the_order_of_a_refused_body(app: Service) -> None:
    for given, repeated in (('"o-1", "x": 1', "o-1"), ('"\\u202eo", "x": 1', None), ("5", None)):
        body = f'{{"order_id": {given}}}'.encode()
        answer = await ask(app, "POST", "/api/things/reserve", headers=[JSON, KEY], chunks=[body])
        assert json.loads(answer.body).get("order_id") == repeated


@pytest.mark.parametrize(
    "content",
    [
        '{"a": "\\ud83d"}',
        '{"\\ud83d": 1}',
        '{"a\\u0000b": 1}',
        '{"$set": 1}',
        '{"a.b": 1}',
        '{"a": 18446744073709551616}',
        '{"a": [NaN]}',
        '{"a": 1e400}',
        '{"a":' * 40 + "1" + "}" * 40,
    ],
)
async def test_what_the_database_cannot_keep_is_invalid(app: Service, content: str) -> None:
    assert problem(await put(app, content)) == (422, "invalid")


async def test_what_it_can_keep_is_kept_as_it_is(app: Service) -> None:
    content = '{"a": ["\\u0000", 9223372036854775807, 1.5, null, true, "M\\u00fcller", {"b": {}}]}'
    answer = await put(app, content)
    assert answer.status == 200
    assert json.loads(answer.body)["content"] == json.loads(content)


async def test_methods_that_nobody_knows_are_one_label(app: Service) -> None:
    for number in range(50):
        await ask(app, f"M{number:05}", "/health")
    exposed = app.metrics.render()[0].decode()
    assert set(re.findall(r'http_requests_total\{[^}]*method="([^"]*)"', exposed)) <= {
        "_OTHER",
        "GET",
        "POST",
        "PUT",
        "DELETE",
    }
    assert 'method="_OTHER"' in exposed


async def test_a_slash_too_many_is_not_found_and_leads_nowhere(app: Service) -> None:
    answer = await ask(app, "POST", "/api/things/reserve/", headers=[(b"Host", b"shop.example.com"), JSON, KEY])
    assert problem(answer) == (404, "not_found")
    assert b"location" not in answer.headers


@pytest.mark.parametrize("host", [b"[", b"a b", b"\xff", b"//"])
async def test_a_host_that_is_none_does_no_harm(app: Service, host: bytes) -> None:
    assert problem(await ask(app, "GET", "/nowhere", headers=[(b"Host", host)])) == (404, "not_found")
    assert problem(await ask(app, "DELETE", "/health", headers=[(b"Host", host)])) == (405, "method_not_allowed")


async def test_a_length_of_a_thousand_digits_is_too_large(app: Service) -> None:
    headers = [JSON, KEY, (b"Content-Length", b"9" * 5000)]
    assert problem(await ask(app, "POST", "/api/things/reserve", headers=headers)) == (413, "too_large")


async def test_a_body_that_drips_is_given_up(app: Service) -> None:
    sent = []

    async def drip() -> dict[str, object]:
        await asyncio.sleep(0.05)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/things/reserve",
        "raw_path": b"/api/things/reserve",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"transfer-encoding", b"chunked")],
        "server": ("127.0.0.1", 80),
    }
    async with asyncio.timeout(10):
        await app(scope, drip, send)  # type: ignore[arg-type]
    answer = Asked(sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"])  # type: ignore[arg-type, call-overload]
    assert problem(answer) == (408, "request_timeout")
    assert answer.headers[b"connection"] == b"close"
    assert json.loads(answer.body)["retryable"] is True


@pytest.mark.parametrize("log_format", ["text", "json"])
async def test_nothing_in_a_request_begins_a_line_of_the_log(
    app: Service, log_format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        configure_logging("thing", log_format=log_format)
        before = len(capsys.readouterr().err)
        path = "/a%0A12:00:00.000%20ERROR%20forged%1B%5B2J%E2%80%AE" + "x" * 20_000
        key = (b"Idempotency-Key", b"shop\x1b[2J/o-1/inventory/do")
        await ask(app, "GET", path, headers=[key])
        lines = capsys.readouterr().err[before:].splitlines()
    finally:
        logging.getLogger().handlers = [h for h in logging.getLogger().handlers if h.name != "ordersaga"]
    assert len(lines) == 1
    assert lines[0].isprintable()
    assert "\\u001b" not in lines[0]
    assert "\\u202e" not in lines[0]
    assert len(lines[0]) < 10_000


async def test_the_text_of_an_error_stays_in_its_own_lines(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        configure_logging("thing", log_format="text")
        try:
            raise ValueError("a\n12:00:00.000 ERROR forged \x1b[2J \ud83d")
        except ValueError:
            text = "it failed\n12:00:00.000 ERROR forged"
            record = logging.LogRecord("test", logging.ERROR, __file__, 1, text, None, sys.exc_info())
            # Ours alone: the report of this test, which pytest's own handler adds to, can't hold half a character.
            next(each for each in logging.getLogger().handlers if each.name == "ordersaga").handle(record)
        lines = capsys.readouterr().err.splitlines()
    finally:
        logging.getLogger().handlers = [h for h in logging.getLogger().handlers if h.name != "ordersaga"]
    assert "it failed 12:00" in lines[0]
    assert all(line.startswith("  | ") for line in lines[1:])
    assert all(line.isprintable() for line in lines)
