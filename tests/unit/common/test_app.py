"""What every service has in common, seen over HTTP. There is no database here: that is one of the cases."""

import json
import logging
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from fastapi import APIRouter

from common.errors import NotFound, Refused
from common.logs import configure_logging
from common.mongo import Index
from common.settings import ServiceSettings
from common.web.app import create_app
from common.wire import Body, Quantity

router = APIRouter(prefix="/api/things")


class Thing(Body):
    name: str
    quantity: Quantity = 1


@router.get("/broken")
async def broken() -> None:
    raise ZeroDivisionError("a secret of the code")


@router.get("/refused")
async def refused() -> None:
    raise Refused("no_more", "there are no more things; come back tomorrow")


@router.get("/{name}")
async def one(name: str) -> Thing:
    raise NotFound(f"there is no thing {name}")


@router.get("")
async def every() -> list[Thing]:
    return []


@router.post("")
async def put(thing: Thing) -> Thing:
    return thing


SETTINGS = ServiceSettings(
    mongodb_url="mongodb://127.0.0.1:1/?directConnection=true",
    # PyMongo loses the socket of a connection that is being made while its client is closed, which would be a warning.
    mongodb_driver="motor",
    mongodb_timeout_ms=100,
    max_body_bytes=1000,
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = create_app("thing", "Things.", routers=[router], indexes=[Index.on("things", "name")], settings=SETTINGS)
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://t") as client:
        yield client


def problem(answer: httpx.Response) -> tuple[int, str, bool]:
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert set(body) >= {"type", "title", "status", "detail", "code", "retryable"}
    assert body["status"] == answer.status_code
    return answer.status_code, body["code"], body["retryable"]


async def test_a_service_without_its_database_lives_and_says_what_is_missing(client: httpx.AsyncClient) -> None:
    health = await client.get("/health")
    assert health.status_code == 200
    assert "indexes" in health.json()["background"]
    ready = await client.get("/ready")
    assert problem(ready) == (503, "unavailable", True)
    assert "ORDERSAGA_MONGODB_URL" in ready.json()["detail"]
    assert int(ready.headers["Retry-After"]) >= 1


async def test_the_front_page_names_the_service_and_links_to_its_pages(client: httpx.AsyncClient) -> None:
    page = (await client.get("/")).json()
    assert page["name"] == "thing-service"
    for link in page["links"].values():
        assert (await client.get(link)).status_code in (200, 503)


async def test_an_unexpected_error_tells_the_caller_to_retry_and_nothing_else(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await client.get("/api/things/broken")
    assert problem(answer) == (500, "internal", True)
    assert "secret" not in answer.text
    assert "a secret of the code" in caplog.text, "the log has it"


async def test_what_the_framework_refuses_is_a_problem_too(client: httpx.AsyncClient) -> None:
    assert problem(await client.get("/nowhere")) == (404, "not_found", False)
    assert problem(await client.get("/api/things/x")) == (404, "not_found", False)
    not_allowed = await client.delete("/api/things")
    assert problem(not_allowed) == (405, "method_not_allowed", False)
    assert not_allowed.headers["allow"] == "GET, POST"
    assert problem(await client.get("/api/things/refused")) == (409, "no_more", False)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b'{"name": 1}', b'{"name": "x", "extra": 1}'])
async def test_a_body_that_cannot_be_right_is_invalid(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/api/things", content=body, headers={"Content-Type": "application/json"})
    assert problem(answer) == (422, "invalid", False)


async def test_a_body_without_its_content_type_is_told_so(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/things", content=b'{"name": "x"}')
    assert problem(answer) == (422, "invalid", False)
    assert "Content-Type: application/json" in answer.json()["detail"]


async def test_a_body_that_is_too_large_is_refused_whether_its_length_is_announced_or_not(
    client: httpx.AsyncClient,
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 100

    headers = {"Content-Type": "application/json"}
    assert problem(await client.post("/api/things", content=b" " * 1001, headers=headers)) == (413, "too_large", False)
    assert problem(await client.post("/api/things", content=pieces(), headers=headers)) == (413, "too_large", False)
    fits = json.dumps({"name": "x"}).encode().ljust(1000)
    assert (await client.post("/api/things", content=fits, headers=headers)).status_code == 200


async def test_a_correlation_id_is_kept_or_made(client: httpx.AsyncClient) -> None:
    assert (await client.get("/health", headers={"X-Correlation-ID": "abc"})).headers["x-correlation-id"] == "abc"
    made = (await client.get("/health", headers={"X-Correlation-ID": "not\tone"})).headers["x-correlation-id"]
    assert made
    assert made != "not\tone"


async def test_requests_are_counted_by_route_template_never_by_path(client: httpx.AsyncClient) -> None:
    for n in range(3):
        await client.get(f"/api/things/{n}")
    text = (await client.get("/metrics")).text
    assert 'ordersaga_http_requests_total{code="not_found",method="GET",route="/api/things/{name}"' in text
    assert "/api/things/2" not in text
    assert 'ordersaga_http_request_duration_seconds_bucket{le="0.005",method="GET",route="/api/things/{name}"' in text


async def test_every_route_documents_its_problems(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    assert "ProblemBody" in document["components"]["schemas"]
    answers = document["paths"]["/api/things"]["post"]["responses"]
    assert "application/problem+json" in answers["422"]["content"]


async def test_a_route_documents_no_answer_that_it_cannot_give(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    assert set(paths["/health"]["get"]["responses"]) == {"200"}
    assert set(paths["/ready"]["get"]["responses"]) == {"200", "503"}
    read = paths["/api/things/{name}"]["get"]["responses"]
    assert "413" not in read
    assert "key" not in read["422"]["description"] + read["503"]["description"]


async def test_a_line_of_the_log_says_which_order_and_step(
    client: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("thing", log_format="json", level="INFO")
    try:
        headers = {
            "Idempotency-Key": "shop/o-1/payment/do",
            "X-Correlation-ID": "abc",
            "Saga-Attempt": "3",
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
        }
        await client.post("/api/things", json={"name": "x"}, headers=headers)
        lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    finally:
        configure_logging("thing", level="WARNING")
    (line,) = [line for line in lines if line["logger"] == "ordersaga.access"]
    expected = {
        "level": "INFO",
        "service": "thing",
        "message": "POST /api/things 200",
        "correlation_id": "abc",
        "saga": "shop/o-1",
        "order": "o-1",
        "step": "payment/do",
        "attempt": 3,
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    }
    assert expected.items() <= line.items()
    assert {"time", "duration_ms"} <= set(line)
    assert logging.getLogger("uvicorn.access").disabled
