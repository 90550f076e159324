"""Messages on their way to a receiver that fails in many ways, on a clock of their own."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client import Counter as Count

from saga_operator.engine.telling import outbox
from saga_operator.engine.telling.outbox import TAKEN, Answered, Outbox, Result, Tally
from tests.unit.engine.network import simulated

MINUTE = 60.0


@dataclass(frozen=True)
class Note:
    id: str
    kind: str = "note"

    def about(self) -> dict[str, str]:
        return {"order": self.id}


class Receiver:
    """Answers as it is told, and remembers every attempt."""

    def __init__(self) -> None:
        self.answers: Callable[[str], Answered] = lambda _: TAKEN
        self.takes_seconds = 0.01
        self.attempts: list[tuple[float, str]] = []
        self.taken: list[str] = []
        self.most_at_once = self._now_there = 0

    async def receive(self, note: Note) -> Answered:
        self.attempts.append((asyncio.get_running_loop().time(), note.id))
        self._now_there += 1
        self.most_at_once = max(self.most_at_once, self._now_there)
        await asyncio.sleep(self.takes_seconds)
        self._now_there -= 1
        answered = self.answers(note.id)
        if answered is TAKEN:
            self.taken.append(note.id)
        return answered

    def tried(self, id_: str) -> list[float]:
        return [at for at, tried in self.attempts if tried == id_]


class World:
    def __init__(self, capacity: int = 100) -> None:
        self.receiver, self.registry = Receiver(), CollectorRegistry()
        kinds = {"labelnames": ["type"], "registry": self.registry}
        tally = Tally(
            Count("sent", "", **kinds),
            Count("failed", "", **kinds),
            Gauge("waiting", "", **kinds),
            Gauge("oldest", "", registry=self.registry),
        )
        self.box: Outbox[Note] = Outbox(
            self.receiver.receive, "them", tally, ["note"], concurrency=4, capacity=capacity
        )
        self.done: list[str] = []
        self.box.when_all_is_taken = self.done.append

    def add(self, *sagas: str, **how: bool) -> None:
        for saga in sagas:
            self.box.add(saga, [Note(f"{saga}/started"), Note(f"{saga}/ended")], **how)

    def value(self, name: str) -> float:
        labels = {} if name == "oldest" else {"type": "note"}
        return self.registry.get_sample_value(name, labels) or 0.0


def story(told: Callable[[World], Coroutine[Any, Any, None]], **options: int) -> None:
    async def run() -> None:
        world = World(**options)
        running = asyncio.create_task(world.box.run())
        await asyncio.sleep(0)
        await told(world)
        running.cancel()
        await asyncio.wait([running])

    simulated(run())


def away(_: str) -> Answered:
    return Answered(Result.AWAY, "no answer")


def names(number: int) -> list[str]:
    return [f"o-{n}" for n in range(number)]


def test_messages_are_sent_at_once_some_at_a_time_and_those_of_a_saga_in_their_order() -> None:
    async def told(world: World) -> None:
        world.add(*names(10))
        await asyncio.sleep(1)
        assert len(world.receiver.taken) == 20
        assert world.receiver.most_at_once == 4
        for name in names(10):
            assert [id_ for id_ in world.receiver.taken if id_.startswith(f"{name}/")] == [
                f"{name}/started",
                f"{name}/ended",
            ]
            assert world.box.has_taken(name, f"{name}/ended")
        assert sorted(world.done) == names(10)
        assert (world.value("sent_total"), world.value("waiting"), world.value("oldest")) == (20, 0, 0)

    story(told)


def test_what_is_taken_or_waits_is_not_sent_twice_and_what_is_forgotten_is() -> None:
    async def told(world: World) -> None:
        world.add("o-1")
        world.add("o-1")
        await asyncio.sleep(1)
        world.add("o-1")
        await asyncio.sleep(1)
        assert len(world.receiver.attempts) == 2
        world.box.forget("o-1")
        assert not world.box.knows("o-1")
        world.add("o-1")
        await asyncio.sleep(1)
        assert Counter(world.receiver.taken) == {"o-1/started": 2, "o-1/ended": 2}

    story(told)


def test_a_receiver_that_is_away_for_ten_minutes_misses_nothing_and_is_not_overrun() -> None:
    async def told(world: World) -> None:
        world.receiver.answers = away
        world.add(*names(20))
        await asyncio.sleep(10 * MINUTE)
        assert not world.box.is_open
        assert world.value("waiting") == 40
        assert world.value("oldest") == pytest.approx(10 * MINUTE, abs=1)
        assert len(world.receiver.attempts) < 60, "one at a time, ever less often"
        assert world.value("failed_total") == len(world.receiver.attempts)
        world.receiver.answers = lambda _: TAKEN
        await asyncio.sleep(outbox.LONGEST_PAUSE + 1)
        assert len(world.receiver.taken) == len(set(world.receiver.taken)) == 40
        assert world.box.is_open

    story(told)


def test_a_receiver_that_hangs_gets_no_more_than_a_few_at_once_and_then_one() -> None:
    async def told(world: World) -> None:
        world.receiver.answers, world.receiver.takes_seconds = away, 10.0
        world.add(*names(50))
        await asyncio.sleep(10 * MINUTE)
        assert world.receiver.most_at_once == 4
        begun = [at for at, _ in world.receiver.attempts[4:]]
        assert all(later - earlier >= 10.0 for earlier, later in itertools.pairwise(begun))

    story(told)


def test_those_that_fail_together_count_as_one_failure() -> None:
    async def told(world: World) -> None:
        world.receiver.answers = away
        world.add(*names(8))
        await asyncio.sleep(1)
        assert len(world.receiver.attempts) > 4, "it is tried again within a second"

    story(told)


@pytest.mark.parametrize("result", [Result.AWAY, Result.REFUSED])
def test_the_receiver_may_ask_for_time_but_not_for_a_day(result: Result) -> None:
    async def told(world: World) -> None:
        world.receiver.answers = lambda _: Answered(result, "429", retry_after=120.0)
        world.add("o-1")
        await asyncio.sleep(119)
        assert len(world.receiver.attempts) == 1
        world.receiver.answers = lambda _: Answered(result, "429", retry_after=86_400.0)
        await asyncio.sleep(3)
        assert len(world.receiver.attempts) == 2
        await asyncio.sleep(outbox.LONGEST_OWN_PAUSE)
        assert len(world.receiver.attempts) == 3

    story(told)


def test_a_message_that_is_refused_holds_up_its_own_saga_alone() -> None:
    def answers(id_: str) -> Answered:
        return Answered(Result.REFUSED, "it answered 400") if id_ == "o-0/started" else TAKEN

    async def told(world: World) -> None:
        world.receiver.answers = answers
        world.add(*names(20))
        await asyncio.sleep(1)
        assert len(world.receiver.taken) == 38
        assert world.box.is_open
        await asyncio.sleep(60 * MINUTE)
        assert 10 <= len(world.receiver.tried("o-0/started")) <= 20
        assert not world.receiver.tried("o-0/ended"), "the start comes first"
        world.receiver.answers = lambda _: TAKEN
        await asyncio.sleep(outbox.LONGEST_OWN_PAUSE)
        assert world.receiver.taken[-2:] == ["o-0/started", "o-0/ended"]

    story(told)


def test_a_message_that_brings_the_receiver_down_is_found_out() -> None:
    """It answers 500 to this one, as to everything when it is broken."""

    def answers(id_: str) -> Answered:
        return Answered(Result.AWAY, "it answered 500") if id_.startswith("o-bad/") else TAKEN

    async def told(world: World) -> None:
        world.receiver.answers = answers
        world.add("o-bad")
        for number in range(60):
            world.add(f"o-{number}")
            await asyncio.sleep(MINUTE)
        assert len(world.receiver.taken) == 120
        tried = world.receiver.tried("o-bad/started")
        assert len([at for at in tried if at > 30 * MINUTE]) <= 7
        assert world.box.is_open

    story(told)


@pytest.mark.parametrize("error", [ZeroDivisionError, asyncio.CancelledError])
def test_an_error_nobody_has_thought_of_costs_its_own_message_alone_and_that_is_tried_again(
    error: type[BaseException],
) -> None:
    def answers(id_: str) -> Answered:
        if id_.startswith("o-bad/"):
            raise error
        return TAKEN

    async def told(world: World) -> None:
        world.receiver.answers = answers
        world.add("o-bad", *names(10))
        await asyncio.sleep(1)
        assert len(world.receiver.taken) == 20
        world.receiver.answers = lambda _: TAKEN
        await asyncio.sleep(outbox.OWN_PAUSE)
        assert len(world.receiver.taken) == 22

    story(told)


def test_it_is_bounded_and_what_has_no_room_is_left_out_from_the_first_on() -> None:
    async def told(world: World) -> None:
        world.receiver.answers = away
        world.add(*names(1000))
        assert len(world.box) == 5
        assert not world.box.is_open
        world.add("o-stuck", always=True)
        assert len(world.box) == 7, "a failure has room where others have none"
        world.receiver.answers = lambda _: TAKEN
        await asyncio.sleep(MINUTE)
        assert sorted(world.receiver.taken) == [
            *("o-0/ended", "o-0/started", "o-1/ended", "o-1/started", "o-2/started"),
            *("o-stuck/ended", "o-stuck/started"),
        ], "never an end without its start"
        assert world.box.is_open

    story(told, capacity=5)


def test_what_may_be_a_repetition_comes_after_what_is_new_and_at_a_bounded_rate() -> None:
    async def told(world: World) -> None:
        for number in range(1000):
            world.box.add(f"o-old-{number}", [Note(f"o-old-{number}/started")], repeated=True)
        await asyncio.sleep(10)
        most = outbox.REPEATS_AT_ONCE + 10 * outbox.REPEATS_PER_SECOND
        assert most * 0.9 <= len(world.receiver.taken) <= most + 1
        began = asyncio.get_running_loop().time()
        world.add("o-new")
        world.box.add("o-old-999", [Note("o-old-999/ended")])  # it has ended meanwhile: now it is new
        await asyncio.sleep(1)
        for id_ in ("o-new/ended", "o-old-999/started", "o-old-999/ended"):
            assert world.receiver.tried(id_)[0] < began + 0.1
        await asyncio.sleep(MINUTE)
        assert len(set(world.receiver.taken)) == len(world.receiver.taken) == 1003

    story(told, capacity=5000)


def test_one_may_wait_for_a_saga_but_only_so_long() -> None:
    async def told(world: World) -> None:
        loop = asyncio.get_running_loop()
        world.add("o-1")
        await world.box.settled("o-1", 5.0)
        assert world.box.has_taken("o-1", "o-1/ended")
        assert loop.time() < 1
        world.receiver.answers = away
        world.add("o-2")
        began = loop.time()
        await world.box.settled("o-2", 5.0)
        assert loop.time() == pytest.approx(began + 5.0)

    story(told)


def test_of_many_sagas_the_last_ones_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "REMEMBERED", 10)

    async def told(world: World) -> None:
        for name in names(30):
            world.add(name)
            await asyncio.sleep(1)
        assert [name for name in names(30) if world.box.knows(name)] == names(30)[-10:]

    story(told)
