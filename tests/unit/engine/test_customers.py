"""The customers of undone orders are told through the gates of any other call to the notification service."""

import asyncio
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any, cast

import pytest

from common.order_saga import ARCHIVED
from saga_operator.clock import Clock
from saga_operator.engine.calls.breaker import CircuitBreaker
from saga_operator.engine.calls.call_gate import CallGate
from saga_operator.engine.calls.participants import CallContext
from saga_operator.engine.telling.customers import Customers
from saga_operator.process import reasons
from saga_operator.process.decide import Do
from saga_operator.process.events import DoRefused, EpochRefused, InProgress, NoUsableAnswer, Outcome, Succeeded
from saga_operator.process.saga import Saga
from saga_operator.resource.body import Resource
from saga_operator.resource.kube_events import KubernetesEvent
from saga_operator.resource.times import from_wire
from tests.support.samples import order
from tests.unit.engine.network import simulated

NOW = from_wire("2026-11-30T08:00:05Z")
DONE = {"completionTime": "2026-11-30T08:00:05Z"}
CALL: dict[str, Any] = {"step": "notification", "started": NOW, "at": NOW}
SENT = Succeeded(**CALL)


def lost(reason: str = reasons.NO_ANSWER) -> NoUsableAnswer:
    return NoUsableAnswer(**CALL, undo=False, reason=reason)


class Epochs:
    """The Lease of somebody who is sure of it."""

    epoch = 7

    def __init__(self) -> None:
        self.raised_above: list[int] = []

    def absences(self, now: float) -> tuple[()]:
        return ()

    async def held(self) -> None:
        """At once."""

    async def raise_epoch(self, above: int) -> None:
        self.raised_above.append(above)


class World:
    """A notification service that answers as it is told; the breaker and the gate before it are real."""

    def __init__(self) -> None:
        self.answer: Callable[[str], Outcome] = lambda _: SENT
        self.calls: list[tuple[str, int, str]] = []
        self.events: list[KubernetesEvent] = []
        self.epochs = Epochs()
        self.breaker = CircuitBreaker("notification", now=lambda: NOW, concurrency=32, rate=0.0)
        sender = SimpleNamespace(add=lambda _, event: self.events.append(event))
        self.customers = Customers(cast(Any, self), self.breaker, CallGate(self.epochs), Clock(), cast(Any, sender))

    def after_the_end(self, _: object) -> str:
        """Nothing is traced."""
        return ""

    async def perform(self, action: Do, saga: Saga, context: CallContext) -> Outcome:
        await asyncio.sleep(0.01)
        body = action.step.body(saga.order)
        self.calls.append((saga.order.order_id, context.epoch, str(body["notification_type"])))
        return self.answer(saga.order.order_id)


def story(told: Callable[[World], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        world = World()
        running = asyncio.create_task(world.customers.run())
        await told(world)
        running.cancel()
        await asyncio.wait([running])

    simulated(run())


def undone(name: str = "o-1", reason: str = "CardDeclined") -> Resource:
    raw = order(name)
    raw["metadata"] |= {"namespace": "shop", "uid": f"u-{name}", "creationTimestamp": "2026-11-30T08:00:00Z"}
    names = ("order", "inventory", "payment", "shipping", "confirmation", "notification")
    steps = [{"name": each, "state": "Skipped", "compensation": DONE} for each in names]
    return Resource(
        raw | {"status": {"phase": "Compensated", "failure": {"step": "payment", "reason": reason}, "steps": steps}}
    )


def test_a_customer_is_told_once_and_then_nothing_is_due() -> None:
    async def told(world: World) -> None:
        world.customers.ended(undone())
        assert await world.customers.done(undone()) is False
        await asyncio.sleep(1)
        assert await world.customers.done(undone()) is True
        assert world.calls == [("o-1", 7, "order_cancelled")]

    story(told)


def test_of_an_order_of_which_nobody_is_to_be_told_nothing_is_due() -> None:
    async def told(world: World) -> None:
        assert await world.customers.done(undone(reason=reasons.ORDER_ID_USED)) is True
        await asyncio.sleep(1)
        assert world.calls == []

    story(told)


def test_of_an_order_with_an_archive_whose_finalizer_somebody_has_put_back_nothing_is_due() -> None:
    async def told(world: World) -> None:
        saga = undone()
        saga.raw["metadata"]["annotations"] = {ARCHIVED: saga.uid}
        assert await world.customers.done(saga) is True
        await asyncio.sleep(1)
        assert world.calls == []

    story(told)


def test_while_the_service_is_paused_nobody_is_told_and_afterwards_everybody_is() -> None:
    async def told(world: World) -> None:
        world.breaker.pause("maintenance")
        for number in range(10):
            world.customers.ended(undone(f"o-{number}"))
        await asyncio.sleep(3600)
        assert world.calls == []
        assert not world.customers.is_open
        world.breaker.resume()
        await asyncio.sleep(60)
        assert len(world.calls) == 10
        assert world.customers.is_open

    story(told)


def test_a_service_that_is_down_is_not_overrun_and_misses_nothing() -> None:
    async def told(world: World) -> None:
        world.answer = lambda _: lost()
        for number in range(100):
            world.customers.ended(undone(f"o-{number}"))
        await asyncio.sleep(600)
        assert world.breaker.is_open
        assert len(world.calls) < 100
        world.answer = lambda _: SENT
        await asyncio.sleep(300)
        assert {name for name, *_ in world.calls} == {f"o-{number}" for number in range(100)}
        for number in range(100):
            assert await world.customers.done(undone(f"o-{number}"))

    story(told)


def test_a_refusal_ends_it() -> None:
    async def told(world: World) -> None:
        world.answer = lambda _: DoRefused(**CALL, reason="Bounced")
        world.customers.ended(undone())
        await asyncio.sleep(3600)
        assert len(world.calls) == 1
        assert await world.customers.done(undone()) is True

    story(told)


@pytest.mark.parametrize(
    "outcome",
    [
        lost(),
        lost(reasons.PARTICIPANT_ERROR),
        lost(reasons.NOT_SENT),
        InProgress(**CALL, undo=False, retry_after=1.0),
        EpochRefused(**CALL, undo=False, message="stale_epoch", seen=17),
    ],
    ids=lambda outcome: f"{outcome.shown_as} {getattr(outcome, 'reason', '')}".strip(),
)
def test_whatever_is_no_answer_is_asked_again_and_holds_up_no_other(outcome: Outcome) -> None:
    async def told(world: World) -> None:
        world.answer = lambda name: outcome if name == "o-odd" else SENT
        for name in ("o-odd", "o-1", "o-2"):
            world.customers.ended(undone(name))
        await asyncio.sleep(60)
        assert [name for name, *_ in world.calls].count("o-odd") > 1
        assert await world.customers.done(undone("o-1"))
        world.answer = lambda _: SENT
        await asyncio.sleep(400)
        assert await world.customers.done(undone("o-odd"))
        assert bool(world.epochs.raised_above) is isinstance(outcome, EpochRefused)

    story(told)


def test_what_a_person_s_deletion_left_untold_is_said() -> None:
    async def told(world: World) -> None:
        world.breaker.pause("maintenance")
        assert await world.customers.done(undone()) is False
        world.customers.missed(undone())
        assert [event.reason for event in world.events] == ["CustomerNotTold"]

    story(told)


def test_at_the_end_of_a_namespace_messages_are_waited_for_all_together_only_so_long() -> None:
    async def told(world: World) -> None:
        loop = asyncio.get_running_loop()
        world.customers.hurry()
        began = loop.time()
        assert await world.customers.done(undone("o-well")) is True
        world.breaker.pause("the service is gone")
        for number in range(50):
            assert await world.customers.done(undone(f"o-{number}")) is False
        assert loop.time() - began < 3.0

    story(told)
