"""What a line of the log has to say comes in one form, whoever writes it, and of a header only what is one."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi import APIRouter

from common.logs import configure_logging
from common.settings import ServiceSettings
from common.web.app import Service, create_app
from tests.support.asgi import ask

KEY = (b"Idempotency-Key", b"shop/o-1/payment/do")
TRACE = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture(scope="module")
def app() -> Service:
    settings = ServiceSettings(mongodb_url="mongodb://127.0.0.1:1/", mongodb_timeout_ms=50)
    return create_app("thing", "Things.", routers=[APIRouter()], settings=settings)


@contextmanager
def json_lines(capsys: pytest.CaptureFixture[str]) -> Iterator[list[dict[str, Any]]]:
    """What is logged in the block, at its end."""
    lines: list[dict[str, Any]] = []
    configure_logging("thing")
    capsys.readouterr()
    try:
        yield lines
        lines += map(json.loads, capsys.readouterr().err.splitlines())
    finally:
        logging.getLogger().handlers = [h for h in logging.getLogger().handlers if h.name != "ordersaga"]
        logging.captureWarnings(False)


async def line_of(app: Service, capsys: pytest.CaptureFixture[str], *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    with json_lines(capsys) as lines:
        await ask(app, "POST", "/api/things", headers=headers)
    (line,) = lines
    return line


@pytest.mark.parametrize(
    "attempt",
    [b"", b"0", b"-1", b"03", b"1e3", b"1000000", b"3 ", b"\xb2", b"3\r\nX: 1", b"9" * 5000, b"4111111111111111"],
)
async def test_an_attempt_is_a_small_number(app: Service, attempt: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    line = await line_of(app, capsys, KEY, (b"Saga-Attempt", attempt))
    assert line["order"] == "o-1"
    assert "attempt" not in line


async def test_an_attempt_is_one_of_a_sagas_call(app: Service, capsys: pytest.CaptureFixture[str]) -> None:
    assert (await line_of(app, capsys, KEY, (b"Saga-Attempt", b"999999")))["attempt"] == 999999
    for key in ((), ((b"Idempotency-Key", b"mine"),), ((b"Idempotency-Key", b"shop/o-1/payment/do/again"),)):
        line = await line_of(app, capsys, *key, (b"Saga-Attempt", b"3"))
        assert line.keys().isdisjoint({"attempt", "saga", "order", "step"})


async def test_a_client_s_key_brings_no_line_into_a_saga(app: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody calls for a saga at the public port: whoever follows one there would read what somebody else has sent."""
    line = await line_of(app.public, capsys, KEY, (b"Saga-Attempt", b"3"))
    assert line.keys().isdisjoint({"attempt", "saga", "order", "step"})


@pytest.mark.parametrize(
    "header", [TRACE.upper(), TRACE + b"-more", b"00-" + b"0" * 32 + TRACE[35:], b"x" * 60_000, b""]
)
async def test_a_traceparent_that_is_none_is_in_no_line(
    app: Service, header: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "trace_id" in await line_of(app, capsys, (b"traceparent", TRACE))
    assert "trace_id" not in await line_of(app, capsys, (b"traceparent", header))


def test_lines_of_others_have_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    others = ("uvicorn.error", "kopf.objects", "kopf.activities", "asyncio", "aiohttp.server", "pymongo.client")
    with json_lines(capsys) as lines:
        for name in others:
            logging.getLogger(name).error("something\nis wrong", extra={"object": {"kind": "OrderSaga"}})
        logging.getLogger("py.warnings").warning("%s", "old.py:1: DeprecationWarning: old\n  here\n")
    assert [line["logger"] for line in lines] == [*others, "py.warnings"]
    assert {line["message"] for line in lines} == {"something is wrong", "old.py:1: DeprecationWarning: old here"}
    assert all({"time", "level", "logger", "message", "service"} <= line.keys() for line in lines)
