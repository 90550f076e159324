"""A trial: the calls that try one promise, recorded, with orders of its own."""

import asyncio
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from common.wire import Json
from ordersaga.conformance.exchange import Exchange
from ordersaga.conformance.subject import Body, Direction, Subject

PATIENCE = 20.0
"""Seconds to repeat a call that is answered 409 `running` or 202: providers settle in seconds."""
LONGEST_PAUSE = 1.0
"""Seconds between two such calls, whatever Retry-After says: a person waits for the report."""
SHOWN_HEADERS = ("content-type", "location", "retry-after", "x-correlation-id")


class BrokenError(Exception):
    """The promise is broken; the message says what was expected and what came."""


class Trial:
    """The calls of one promise. Replicas of the participant take turns, as behind a load balancer."""

    def __init__(
        self,
        subject: Subject,
        replicas: Sequence[httpx.AsyncClient],
        *,
        run: str,
        rounds: int = 5,
        longest_pause: float = LONGEST_PAUSE,
    ) -> None:
        self.subject = subject
        self.rounds = rounds
        """How often a race is tried: one attempt may miss it."""
        self.timeline: list[Exchange] = []
        self._longest_pause = longest_pause
        self._replicas = replicas
        self._run = run
        self._turn = 0
        self._orders = 0
        self._started = time.monotonic()

    def new_order(self) -> str:
        """A new order id."""
        self._orders += 1
        return f"{self._run}-{self._orders}"

    async def do(self, order_id: str, **options: Any) -> Exchange:
        """One call of the do; its answer, whatever it is. Options as for `call`."""
        if self.subject.prepare is not None:
            await self.subject.prepare(order_id)
        return await self.call("do", order_id, **options)

    async def undo(self, order_id: str, **options: Any) -> Exchange:
        """One call of the undo; its answer, whatever it is. Options as for `call`."""
        return await self.call("undo", order_id, **options)

    async def call(
        self,
        direction: Direction,
        order_id: str,
        *,
        body: Body | None = None,
        extra: Mapping[str, Any] | None = None,
        raw: str | None = None,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Exchange:
        """One POST. `extra` fields are added to the body, `raw` replaces it; the key "" leaves the header out."""
        route = self.subject.route(direction)
        given = {**(body or route.body)(order_id), **(extra or {})}
        sent = {"Idempotency-Key": route.key(order_id, self.subject.namespace) if key is None else key}
        sent = {name: value for name, value in {**sent, **(headers or {})}.items() if value}
        return await self._exchange(
            direction, order_id, route.path, method="POST", sent=sent, body=given if raw is None else raw
        )

    async def settled(self, direction: Direction, order_id: str, *, body: Body | None = None) -> Exchange:
        """The final answer: the POST is repeated while it is `running`, and a 202 is followed, as the operator does."""
        call = self.do if direction == "do" else self.undo
        until = time.monotonic() + PATIENCE
        answer = await call(order_id, body=body)
        while answer.running or answer.status == 202:
            if time.monotonic() > until:
                raise BrokenError(f"{direction}: still {answer.summary()} after {PATIENCE:.0f} s")
            await asyncio.sleep(self._pause(answer))
            location = answer.headers.get("location", "")
            if answer.status == 202 and location.startswith("/"):
                answer = await self.look(order_id, location)
            else:
                answer = await call(order_id, body=body)
        return answer

    async def look(self, order_id: str, path: str) -> Exchange:
        """One GET."""
        return await self._exchange("look", order_id, path, sent={})

    async def expect_live(self, order_id: str, expected: bool, when: str) -> None:
        """Raise BrokenError unless an effect of that order stands, or none does. Nothing without `subject.live`."""
        if self.subject.live is not None and await self.subject.live(order_id) is not expected:
            raise BrokenError(f"{when}: {'there is no effect' if expected else 'an effect is left'} (order {order_id})")

    async def expect_ledger(self, order_id: str, when: str, *, lengths: Sequence[int]) -> None:
        """Raise BrokenError unless the ledger has one of these numbers of entries, and none of them twice."""
        if self.subject.ledger is None:
            return
        kinds = list(await self.subject.ledger(order_id))
        if len(kinds) != len(set(kinds)):
            raise BrokenError(f"{when}: the ledger has an entry twice: {', '.join(kinds)} (order {order_id})")
        if len(kinds) not in lengths:
            expected = " or ".join(map(str, lengths))
            happened = ", ".join(kinds) or "nothing"
            raise BrokenError(f"{when}: {expected} entries expected in the ledger, not: {happened} (order {order_id})")

    def _pause(self, answer: Exchange) -> float:
        try:
            return min(float(answer.headers.get("retry-after", "")), self._longest_pause)
        except ValueError:
            return min(0.1, self._longest_pause)

    async def _exchange(
        self, label: str, order_id: str, path: str, *, method: str = "GET", sent: Mapping[str, str], body: Any = None
    ) -> Exchange:
        self._turn += 1
        client = self._replicas[self._turn % len(self._replicas)]
        began = time.monotonic()
        known: Json = {
            "label": label,
            "order_id": order_id,
            "method": method,
            "path": path,
            "sent": sent,
            "body": body,
            "at": began - self._started,
        }
        content: Json = {"json": body} if isinstance(body, dict) else {"content": body}
        headers = {"Content-Type": "application/json", **sent} if method == "POST" else sent
        try:
            response = await client.request(method, path, headers=headers, **(content if body is not None else {}))
        except httpx.HTTPError as error:
            what = str(error) or type(error).__name__
            exchange = Exchange(**known, seconds=time.monotonic() - began, error=what)
        else:
            exchange = Exchange(
                **known,
                seconds=time.monotonic() - began,
                status=response.status_code,
                headers={name: response.headers[name] for name in SHOWN_HEADERS if name in response.headers},
                answer=_read(response),
            )
        self.timeline.append(exchange)
        return exchange


def new_run() -> str:
    """What the order ids of one run begin with; random, so that a participant may be tried repeatedly."""
    return f"k-{uuid.uuid4().hex[:8]}"


def expect(answer: Exchange, status: int | Sequence[int], code: str, when: str) -> Exchange:
    """The answer, if it has that status and code; an empty `code` allows any. Raises BrokenError otherwise."""
    statuses = [status] if isinstance(status, int) else list(status)
    if answer.status not in statuses or (code and answer.code != code):
        expected = f"{' or '.join(map(str, statuses))} {code}".strip()
        raise BrokenError(f"{when}: expected {expected}, got {answer.summary()}")
    return answer


def expect_success(answer: Exchange, when: str, *, effect: str = "") -> Exchange:
    """The answer, if it is 200 or 201 with a JSON object (of an undo: with that effect). Raises BrokenError."""
    expect(answer, (200, 201), "", when)
    if not isinstance(answer.answer, dict):
        raise BrokenError(f"{when}: the answer's body has to be a JSON object")
    if effect and answer.effect != effect:
        raise BrokenError(f'{when}: expected "effect": "{effect}", got {answer.effect or "none at all"!r}')
    return answer


def expect_same(answer: Exchange, first: Exchange, when: str) -> None:
    """Raise BrokenError unless both answers have the same status and body."""
    if (answer.status, answer.answer) != (first.status, first.answer):
        raise BrokenError(
            f"{when}: the repeated call is answered differently: {answer.summary()}, first {first.summary()}"
        )


def _read(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return response.text
