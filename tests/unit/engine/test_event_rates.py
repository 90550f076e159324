"""Events have a bounded rate: of all sagas together, and of removals."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from common.kube import Events
from common.wire import Json
from saga_operator.engine.records import event_sender
from saga_operator.engine.records.allowance import Allowance
from saga_operator.engine.records.event_sender import EventSender
from saga_operator.engine.removals import BURST, EVERY, PER_SECOND, Removals
from saga_operator.resource.body import Resource
from saga_operator.resource.kube_events import KubernetesEvent

LEASE = {"kind": "Lease", "metadata": {"name": "ordersaga-operator", "namespace": "shop", "uid": "u-lease"}}


def saga(number: int) -> Resource:
    return Resource({"metadata": {"name": f"o-{number}", "namespace": "shop", "uid": f"u-{number}"}})


class Told:
    """What Events were added: about which name, with which words."""

    def __init__(self) -> None:
        self.events: list[tuple[str, KubernetesEvent]] = []

    def add(self, resource: Resource, event: KubernetesEvent) -> None:
        self.events.append((resource.name, event))

    def about(self, name: str) -> list[str]:
        return [event.message for about, event in self.events if about == name]


def removals(now: list[float], *, lease: Json | None = LEASE) -> tuple[Removals, Told]:
    told = Told()
    return Removals(cast(Any, told), lambda: lease, lambda: now[0]), told


def test_a_few_removals_have_events_of_their_own() -> None:
    work, told = removals([0.0])
    for number in range(3):
        work.add(saga(number))
    work.tell()
    assert [name for name, _ in told.events] == ["o-0", "o-1", "o-2"]
    assert told.about("o-1") == ["its time to live is over; `kubectl saga history o-1` has its story"]


def test_each_of_many_removals_is_told_once() -> None:
    """A day of a shop of 100,000 orders a day."""
    now = [0.0]
    work, told = removals(now)
    for second in range(86_400):
        now[0] = float(second)
        work.add(saga(second))
        work.tell()
    now[0] += EVERY
    work.tell()
    own = [name for name, _ in told.events if name.startswith("o-")]
    others = told.about("ordersaga-operator")
    assert len(own) + sum(int(text.split()[0].replace(",", "")) for text in others) == 86_400
    assert len(own) <= BURST + 86_400 * PER_SECOND + 1
    assert len(others) <= 86_400 / EVERY + 1


def test_without_a_lease_many_removals_are_in_the_log_alone() -> None:
    work, told = removals([0.0], lease=None)
    for number in range(BURST + 5):
        work.add(saga(number))
    work.tell()
    assert len(told.events) == BURST


def test_one_more_removal_is_told_by_its_name() -> None:
    assert KubernetesEvent.of_many_removed(1, ["o-7"]).message.startswith("1 more finished saga was removed, ")
    assert "is over: o-7; " in KubernetesEvent.of_many_removed(1, ["o-7"]).message


async def test_thousands_of_sagas_with_the_same_trouble_do_not_flood_the_api_server() -> None:
    """At once so many as the burst; the queue is bounded, so that the last one is sent within seconds, or dropped."""
    sent = 0

    async def create(_: Json, **__: object) -> None:
        nonlocal sent
        sent += 1

    sender = EventSender(cast(Events, SimpleNamespace(create=create)))
    for number in range(event_sender.CAPACITY):
        sender.add(saga(number), KubernetesEvent("Warning", "CardDeclined", "text"))
    sending = asyncio.create_task(sender.run())
    await asyncio.sleep(0.3)
    sending.cancel()
    assert event_sender.BURST <= sent <= event_sender.BURST + 0.6 * event_sender.PER_SECOND


def test_what_is_not_spent_comes_back_up_to_the_burst() -> None:
    now = [0.0]
    allowance = Allowance(2, 0.5, lambda: now[0])
    assert [allowance.take() for _ in range(3)] == [True, True, False]
    assert allowance.pause() == 2.0
    now[0] = 1000.0
    assert [allowance.take() for _ in range(3)] == [True, True, False]
