"""A trial: one claim's calls, recorded, with orders of its own."""

import asyncio
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from ordersaga.conformance.exchange import Exchange
from ordersaga.conformance.subject import Body, Direction, Subject

PATIENCE = 20.0
"""Seconds to go on asking while an answer is 409 `running` or 202: providers settle in seconds."""
LONGEST_PAUSE = 1.0
"""Seconds between two such questions, whatever Retry-After says: somebody waits for this report."""
SHOWN_HEADERS = ("content-type", "location", "retry-after", "x-correlation-id")


class BrokenError(Exception):
    """The claim doesn't hold; the message says what was expected and what came."""


class NotTriedError(Exception):
    """The claim can't be tried with what is known of the participant; the message says what would be needed."""


class Trial:
    """The calls of one claim. Replicas of the participant take turns, as behind a load balancer."""

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
        """How often a race is tried: races are a matter of luck."""
        self.timeline: list[Exchange] = []
        self._longest_pause = longest_pause
        self._replicas = replicas
        self._run = run
        self._turn = 0
        self._orders = 0
        self._started = time.monotonic()

    def new_order(self) -> str:
        """An order id that nobody has used."""
        self._orders += 1
        return f"{self._run}-{self._orders}"

    async def do(self, order_id: str, **options: Any) -> Exchange:
        """One call of the do, whatever it answers; options as for `call`."""
        if self.subject.prepare is not None:
            await self.subject.prepare(order_id)
        return await self.call("do", order_id, **options)

    async def undo(self, order_id: str, **options: Any) -> Exchange:
        """One call of the undo, whatever it answers; options as for `call`."""
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
        """The call's final answer, asked for as an engine does: again while it is `running`, at its Location on 202."""
        call = self.do if direction == "do" else self.undo
        until = time.monotonic() + PATIENCE
        answer = await call(order_id, body=body)
        while answer.running or answer.status == 202:
            if time.monotonic() > until:
                raise BrokenError(f"{direction}: still {answer.said()} after {PATIENCE:.0f} s")
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
        """Raises BrokenError unless an effect of that order stands, or none does; nothing if nobody can tell."""
        if self.subject.live is not None and await self.subject.live(order_id) is not expected:
            raise BrokenError(f"{when}: {'there is no effect' if expected else 'an effect is left'} (order {order_id})")

    async def expect_ledger(self, order_id: str, when: str, *, lengths: Sequence[int]) -> None:
        """Raises BrokenError unless so many things happened out there, none of them twice."""
        if self.subject.ledger is None:
            return
        kinds = list(await self.subject.ledger(order_id))
        if len(kinds) != len(set(kinds)):
            raise BrokenError(f"{when}: something happened twice out there: {', '.join(kinds)} (order {order_id})")
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
        known: dict[str, Any] = {
            "label": label,
            "order_id": order_id,
            "method": method,
            "path": path,
            "sent": sent,
            "body": body,
            "at": began - self._started,
        }
        content: dict[str, Any] = {"json": body} if isinstance(body, dict) else {"content": body}
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
    """The beginning of all order ids of one run, so that a participant may be tried again and again."""
    return f"k-{uuid.uuid4().hex[:8]}"


def expect(answer: Exchange, status: int | Sequence[int], code: str, when: str) -> Exchange:
    """That answer; raises BrokenError if it is another one. An empty `code` doesn't matter."""
    statuses = [status] if isinstance(status, int) else list(status)
    if answer.status not in statuses or (code and answer.code != code):
        expected = f"{' or '.join(map(str, statuses))} {code}".strip()
        raise BrokenError(f"{when}: expected {expected}, got {answer.said()}")
    return answer


def expect_success(answer: Exchange, when: str, *, effect: str = "") -> Exchange:
    """That answer; raises BrokenError unless it is 200 or 201 with a JSON object (of an undo: with that effect)."""
    expect(answer, (200, 201), "", when)
    if not isinstance(answer.answer, dict):
        raise BrokenError(f"{when}: the answer's body has to be a JSON object")
    if effect and answer.effect != effect:
        raise BrokenError(f'{when}: expected "effect": "{effect}", got {answer.effect or "none at all"!r}')
    return answer


def expect_same(answer: Exchange, first: Exchange, when: str) -> None:
    """Raises BrokenError unless both answers are the same in status and body."""
    if (answer.status, answer.answer) != (first.status, first.answer):
        raise BrokenError(f"{when}: the repeated call is answered differently: {answer.said()}, first {first.said()}")


def _read(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return response.text
