"""Whatever a participant answers, byte for byte: an outcome, a status that can be written, an Event, a next call.

The answers come over a real socket, since the HTTP client has limits and errors of its own.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.order_saga import CORRELATION_ID
from saga_operator import metrics
from saga_operator.engine.calls.participants import CallContext, Participants
from saga_operator.process import reasons
from saga_operator.process.decide import Do, Undo
from saga_operator.process.evolve import evolve
from saga_operator.process.saga import Saga
from saga_operator.process.steps import BY_NAME, ORDER_SAGA
from saga_operator.resource.body import Resource
from saga_operator.resource.kube_events import events_between
from saga_operator.resource.status import saga_of, status_of
from saga_operator.settings import Settings
from tests.support import yamls
from tests.support.outside import anything, nested, texts
from tests.support.samples import order

ROOT = Path(__file__).resolve().parents[3]
CRD = yamls.load((ROOT / "crds" / "ordersaga.yaml").read_text())
STATUS = jsonschema_rs.validator_for(
    CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"], ignore_unknown_formats=True
)
NOW = 1_800_000_010.0
CONTEXT = CallContext(7, "c-1")


class Stranger:
    """A server that answers every request with the same bytes, and remembers the heads that it was sent."""

    def __init__(self) -> None:
        self.answer = b""
        self.heads: list[bytes] = []
        self.port = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Stranger"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(self.answer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def response(status: int, body: bytes, headers: dict[bytes, bytes]) -> bytes:
    headers = {b"Content-Type": b"application/json", **headers}
    head = b"".join(name + b": " + value + b"\r\n" for name, value in headers.items())
    length = b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body)
    return b"HTTP/1.1 %d Odd\r\n" % status + head + length + body


@pytest.fixture(scope="module")
async def stranger() -> AsyncIterator[Stranger]:
    async with Stranger().listening() as stranger:
        yield stranger


@pytest.fixture(scope="module")
async def participants(stranger: Stranger) -> AsyncIterator[Participants]:
    url = f"http://127.0.0.1:{stranger.port}"
    names = {step.participant for step in ORDER_SAGA}
    urls: dict[str, Any] = {f"{name}_url": url for name in names}
    participants = Participants(Settings(call_timeout=2.0, **urls), lambda: NOW)
    yield participants
    await participants.aclose()


def resource(**annotations: str) -> Resource:
    body = order("o-1")
    body["metadata"] |= {
        "namespace": "shop",
        "uid": "u-1",
        "resourceVersion": "1",
        "generation": 1,
        "creationTimestamp": "2027-01-15T08:00:00Z",
        "annotations": annotations,
    }
    return Resource(body)


def texts_in(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts_in(each)]
    if isinstance(value, list):
        return [text for each in value for text in texts_in(each)]
    return [value] if isinstance(value, str) else []


def must_be_writable(saga: Saga) -> None:
    """The status fits the definition, can be sent, and is read as it was written."""
    status = status_of(saga, now=NOW, generation=1, previous={})
    json.dumps(status, ensure_ascii=False, allow_nan=False).encode()
    STATUS.validate(status)
    assert all(text.isprintable() for text in texts_in(status))
    saga_of(Resource({**resource().raw, "status": status}))


SAGA = saga_of(resource())
ROLLING_BACK = SAGA.roll_back("shipping", "Cancelled", "a user cancelled the order")
ACTIONS = [(Do(step), SAGA) for step in ORDER_SAGA] + [
    (Undo(step), ROLLING_BACK) for step in ORDER_SAGA if step.undo is not None
]

dates = st.sampled_from(
    [
        b"Wed, 21 Oct 2026 07:28:00 GMT",
        b"Wed, 21 Oct 2026 07:28:00",
        b"Wed, 21 Oct 2026 07:28:00 -9999",
        b"Wed, 21 Oct 99999999999999999999 07:28:00 GMT",
        b"Wed, 21 Oct 2026 07:28:99999999999 GMT",
        *(b",", b"1 1 1", b"21-Oct-", b"5"),
    ]
)
header_values = st.one_of(
    st.sampled_from(
        [
            *(
                b"-1",
                b"nan",
                b"1e400",
                b"inf",
                b"1_0",
                b"9" * 400,
                "١٢".encode(),
                b"Wed, 21 Oct 2099 07:28:00 GMT",
                b"0.5",
            ),
            *(b"//evil.example/x", b"/\\evil.example", b"/" + b"a" * 7000, b"http://[", b"/a b", b"/%ff?\xff", b"/x#y"),
        ]
    ),
    st.binary(max_size=64).map(lambda raw: bytes(octet for octet in raw if octet >= 32 and octet != 127)),
)
problems = st.fixed_dictionaries(
    {"code": st.one_of(texts(), anything()), "detail": st.one_of(texts(), anything())},
    optional={
        "order_id": st.one_of(st.just("o-1"), anything()),
        "payment_id": anything(long=True),
        "effect": st.one_of(st.sampled_from(["undone", "none"]), anything()),
        "closed": anything(),
    },
)
bodies = st.one_of(
    problems.map(lambda problem: json.dumps(problem).encode()),
    anything().map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=200),
    st.sampled_from([b"", nested(10_000).encode(), b'{"code": ' + b"9" * 5000 + b"}", b'{"code":"a","code":NaN}']),
)

answers = st.builds(
    response,
    st.sampled_from([200, 201, 202, 204, 301, 400, 403, 404, 408, 409, 412, 418, 422, 429, 500, 503, 599, 999]),
    bodies,
    st.one_of(
        st.dictionaries(st.sampled_from([b"Retry-After", b"Location", b"Content-Type", b"X-Odd"]), header_values),
        st.fixed_dictionaries({b"Retry-After": dates, b"Date": dates}),
    ),
)


@settings(
    max_examples=400, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(action=st.sampled_from(ACTIONS), answer=answers)
async def test_any_answer_becomes_an_outcome_that_can_be_recorded_told_and_gone_on_from(
    stranger: Stranger, participants: Participants, action: tuple[Do | Undo, Saga], answer: bytes
) -> None:
    stranger.answer = answer
    outcome = await participants.perform(*action, CONTEXT)
    before = action[1]
    after = evolve(before, outcome)
    must_be_writable(after)
    metrics.call_ended(action[0], outcome)
    for event in events_between(before, after):
        event.message.encode()
    again = await participants.perform(action[0], after, CONTEXT)  # the next call can be made, to the Location as well
    assert getattr(again, "reason", "") != reasons.NOT_SENT


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=st.one_of(st.binary(max_size=300), st.just(b"HTTP/1.1 200 OK\r\nx: \x1b[2J\x00\n\xf0\x9f\r\n\r\n")))
async def test_an_answer_that_is_no_http_at_all_is_no_answer(
    stranger: Stranger, participants: Participants, answer: bytes
) -> None:
    stranger.answer = answer
    outcome = await participants.perform(*ACTIONS[0], CONTEXT)
    must_be_writable(evolve(SAGA, outcome))


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(annotation=texts())
async def test_whatever_the_correlation_annotation_says_the_call_is_made(
    stranger: Stranger, participants: Participants, annotation: str
) -> None:
    stranger.answer = response(200, b'{"order_id": "o-1"}', {})
    stranger.heads.clear()
    context = CallContext(7, resource(**{CORRELATION_ID: annotation}).correlation_id)
    outcome = await participants.perform(Do(BY_NAME["order"]), SAGA, context)
    assert outcome.shown_as == "Succeeded"
    assert b"\r\nx-correlation-id: " in stranger.heads[0].lower()
