"""The circuit breaker of one participant: when it opens, and how it closes again."""

import asyncio
from collections.abc import Iterator
from itertools import count

from saga_operator.engine.breaker import SAGAS_TO_OPEN, CircuitBreaker
from saga_operator.process import reasons
from saga_operator.process.events import NoUsableAnswer, Outcome, Succeeded


class Network:
    """Sagas that call one participant as workers do; `answers` says of each call in turn whether it is answered."""

    def __init__(self, answers: Iterator[bool]) -> None:
        self.breaker = CircuitBreaker("payment", now=asyncio.get_running_loop().time, concurrency=16, rate=0)
        self.called: list[str] = []
        self._answers = answers

    async def call(self, saga: str, *, gone: bool = False, undo: bool = False) -> None:
        """Call until there is an answer; a saga that is `gone` makes no call when it is woken."""
        while True:
            if not self.breaker.allows():
                woken = asyncio.Event()
                self.breaker.wait(saga, woken.set, undo=undo)
                await woken.wait()
                if gone:
                    return
                continue
            async with self.breaker.call():
                self.called.append(saga)
                await asyncio.sleep(0.001)
                outcome = _outcome(next(self._answers))
            self.breaker.record_outcome(saga, outcome)
            if isinstance(outcome, Succeeded):
                return

    async def go_down(self) -> None:
        """Enough different sagas get no answer."""
        for number in range(SAGAS_TO_OPEN):
            self.breaker.record_outcome(f"o-down-{number}", _outcome(answered=False))
        assert self.breaker.is_open


async def test_one_lost_answer_in_three_does_not_keep_a_participant_from_coming_back() -> None:
    network = Network(number % 3 != 2 for number in count())
    await network.go_down()
    async with asyncio.timeout(10), asyncio.TaskGroup() as sagas:
        for number in range(200):
            sagas.create_task(network.call(f"o-{number}"))
    assert not network.breaker.is_open


async def test_a_participant_that_answers_one_call_in_ten_stays_closed_off() -> None:
    network = Network(number % 10 == 0 for number in count())
    await network.go_down()
    async with asyncio.TaskGroup() as sagas:
        tasks = [sagas.create_task(network.call(f"o-{number}")) for number in range(50)]
        await asyncio.sleep(5)
        assert network.breaker.is_open
        assert len(network.called) < 20
        for task in tasks:
            task.cancel()


async def test_a_probe_for_a_saga_that_is_gone_does_not_hold_up_the_others() -> None:
    network = Network(True for _ in count())
    await network.go_down()
    async with asyncio.timeout(10), asyncio.TaskGroup() as sagas:
        for number in range(3):
            sagas.create_task(network.call(f"o-gone-{number}", gone=True))
        await asyncio.sleep(0)
        sagas.create_task(network.call("o-alive"))
    assert network.called == ["o-alive"]


async def test_who_has_something_to_undo_comes_first_when_a_participant_returns() -> None:
    network = Network(True for _ in count())
    await network.go_down()
    async with asyncio.timeout(10), asyncio.TaskGroup() as sagas:
        for number in range(3):
            sagas.create_task(network.call(f"o-{number}"))
        await asyncio.sleep(0)
        sagas.create_task(network.call("o-cancelled", undo=True))
    assert network.called[0] == "o-cancelled"


def _outcome(answered: bool) -> Outcome:
    if answered:
        return Succeeded(step="payment", started=0, at=0)
    return NoUsableAnswer(step="payment", started=0, at=0, undo=False, reason=reasons.NO_ANSWER)


async def test_a_participant_that_is_back_gets_what_has_waited_in_turn() -> None:
    network = Network(True for _ in count())
    await network.go_down()
    woken = 0

    def wake() -> None:
        nonlocal woken
        woken += 1

    breaker = network.breaker
    for number in range(1_000):
        breaker.wait(f"o-{number}", wake, undo=False)
    async with asyncio.timeout(10):
        while breaker.is_open:
            await asyncio.sleep(0.01)
            if breaker.allows():
                async with breaker.call():
                    pass
                breaker.record_outcome("o-alive", _outcome(answered=True))
    assert 0 < woken < 200


async def test_those_who_wait_are_called_although_others_keep_a_participant_busy() -> None:
    network = Network(True for _ in count())
    await network.go_down()
    async with asyncio.timeout(20), asyncio.TaskGroup() as sagas:
        tasks = [sagas.create_task(network.call(f"o-{number}")) for number in range(500)]
        await asyncio.sleep(0)
        others = count()
        while not all(task.done() for task in tasks):
            sagas.create_task(network.call(f"o-new-{next(others)}"))
            await asyncio.sleep(0.001)
    assert not network.breaker.is_open
