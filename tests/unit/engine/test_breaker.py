"""The circuit breaker of one participant: when it opens, whose call probes, and how it closes again."""

import asyncio
import random
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saga_operator.engine.calls.breaker import CLAIM_WITHIN, CircuitBreaker
from saga_operator.engine.calls.verdict import FIRST_PROBE, LAST_PROBE, SAGAS_TO_OPEN, Verdict
from saga_operator.process import reasons
from saga_operator.process.events import DoRefused, EpochRefused, InProgress, NoUsableAnswer, Outcome
from saga_operator.process.order import LONGEST_RETRY_AFTER
from tests.unit.engine.network import HANG, Network, Saga, always, from_then_on, simulated

ONE_PROBE = LAST_PROBE[False]


def run(sagas: list[Saga], *, until: float, concurrency: int = 32, rate: float = 0.0) -> Network:
    """The network after all that."""
    networks: list[Network] = []

    async def main() -> None:
        network = Network(concurrency=concurrency, rate=rate)
        networks.append(network)
        await network.run(sagas, until=until)

    simulated(main())
    return networks[0]


def waited(saga: Saga, since: float = 0.0) -> float:
    """Seconds until its answer, from its arrival or from then on."""
    assert saga.answered is not None, f"{saga.name} was never answered"
    return saga.answered - max(since, saga.arrives)


def hopeless(number: int, *, seconds: float = 0.05, undo: bool = True) -> list[Saga]:
    return [Saga(f"o-hopeless-{n}", always("nothing", seconds), undo=undo) for n in range(number)]


def lossy(share: float, seed: int) -> Callable[[float], tuple[str, float]]:
    """Answers this share of its calls."""
    numbers = random.Random(seed)
    return lambda _: ("answer" if numbers.random() < share else "nothing", 0.05)


def test_an_outage_costs_each_saga_a_few_calls_and_the_participant_a_few_at_a_time() -> None:
    sagas = [Saga(f"o-{n}", from_then_on(60.0), arrives=n * 0.01) for n in range(500)]
    network = run(sagas, until=300.0)
    assert network.openings == 1
    assert max(saga.attempts for saga in sagas) <= 2
    assert sum(time < 60.0 for saga in sagas for time in saga.calls) < 60
    assert max(waited(saga, 60.0) for saga in sagas) < 2 * ONE_PROBE
    assert not network.breaker.is_open


def test_a_participant_that_is_back_is_not_overrun() -> None:
    """The calls at once double, beginning with one."""
    sagas = [Saga(f"o-{n}", from_then_on(60.0, seconds=1.0)) for n in range(500)]
    run(sagas, until=300.0)
    back = sorted(time for saga in sagas for time in saga.calls if time >= 60.0)
    first = back[0]
    assert sum(time < first + 1.0 for time in back) == 1
    assert sum(time < first + 2.0 for time in back) <= 1 + 2
    assert sum(time < first + 3.0 for time in back) <= 1 + 2 + 4


def test_fewer_sagas_than_five_never_open_it() -> None:
    sagas = hopeless(SAGAS_TO_OPEN - 1)
    network = run(sagas, until=300.0)
    assert network.openings == 0
    assert min(saga.attempts for saga in sagas) > 8


@pytest.mark.parametrize("seconds", [0.05, HANG])
@pytest.mark.parametrize("every", [1.0, 10.0, 60.0])
def test_hopeless_undos_do_not_keep_healthy_orders_waiting(seconds: float, every: float) -> None:
    """Five documents are damaged, so that each reject fails; the good orders that follow are answered by a probe."""
    good = [Saga(f"o-good-{n}", always("answer"), arrives=20.0 + n * every) for n in range(40)]
    network = run(hopeless(5, seconds=seconds) + good, until=20.0 + 41 * every)
    assert max(waited(saga) for saga in good) < ONE_PROBE
    assert not network.breaker.is_open, "a participant that answers all others is not down"


def test_a_call_that_could_not_be_made_says_nothing_of_the_participant() -> None:
    poisoned = [Saga(f"o-poisoned-{n}", always("unsent", 0.0), undo=n % 2 == 0) for n in range(20)]
    good = [Saga(f"o-good-{n}", always("answer"), arrives=10.0 + n) for n in range(20)]
    network = run(poisoned + good, until=100.0)
    assert network.openings == 0
    assert max(waited(saga) for saga in good) < 1.0
    assert max(saga.attempts for saga in poisoned) > 3, "their own budget pays"


@pytest.mark.parametrize(
    "answer",
    [
        InProgress(step="payment", started=0, at=0, undo=False, retry_after=1.0),
        DoRefused(step="payment", started=0, at=0, reason="CardDeclined"),
        EpochRefused(step="payment", started=0, at=0, undo=False, message="seen 9"),
        NoUsableAnswer(step="payment", started=0, at=0, undo=False, reason=reasons.PARTICIPANT_ERROR),
        NoUsableAnswer(step="payment", started=0, at=0, undo=True, reason="ProviderRefused"),
    ],
    ids=lambda answer: type(answer).__name__,
)
def test_any_answer_of_its_own_shows_that_a_participant_is_alive(answer: Outcome) -> None:
    nothing = NoUsableAnswer(step="payment", started=0, at=0, undo=False, reason=reasons.NO_ANSWER)

    async def main() -> None:
        breaker = CircuitBreaker("payment", now=lambda: 0.0, concurrency=16, rate=0)
        for number in range(2 * SAGAS_TO_OPEN - 2):
            if number == SAGAS_TO_OPEN - 1:
                assert breaker.record_outcome("o-answered", answer) is answer
            breaker.record_outcome(f"o-{number}", nothing)
        assert not breaker.is_open
        breaker.record_outcome("o-last", nothing)
        assert breaker.is_open
        assert breaker.record_outcome("o-answered", answer) is answer, "an answer is never held back"

    simulated(main())


def test_a_call_that_could_not_be_made_gives_its_probe_away() -> None:
    down = [Saga(f"o-down-{n}", from_then_on(30.0)) for n in range(SAGAS_TO_OPEN)]
    poisoned = [Saga(f"o-poisoned-{n}", always("unsent", 0.0), arrives=5.0, undo=True) for n in range(20)]
    network = run(down + poisoned, until=200.0)
    assert max(waited(saga, 30.0) for saga in down) < 2 * ONE_PROBE
    assert network.openings == 1


def test_sagas_that_were_suspended_while_they_waited_give_their_turns_away_at_once() -> None:
    down = [Saga(f"o-down-{n}", from_then_on(60.0)) for n in range(SAGAS_TO_OPEN)]
    suspended = [Saga(f"o-suspended-{n}", from_then_on(60.0), arrives=5.0, undo=True, leaves=50.0) for n in range(300)]
    last = Saga("o-last", from_then_on(60.0), arrives=10.0)
    run([*down, *suspended, last], until=300.0)
    assert waited(last, 60.0) < ONE_PROBE + 1.0


def test_a_worker_that_does_not_react_loses_its_turn() -> None:
    down = [Saga(f"o-down-{n}", from_then_on(30.0)) for n in range(SAGAS_TO_OPEN)]
    deaf = [Saga(f"o-deaf-{n}", from_then_on(30.0), arrives=5.0, undo=True, deaf=True) for n in range(5)]
    last = Saga("o-last", from_then_on(30.0), arrives=10.0)
    run([*down, *deaf, last], until=300.0)
    assert waited(last, 30.0) < ONE_PROBE + 5 * CLAIM_WITHIN + 1.0


def test_who_has_something_to_undo_comes_first_when_a_participant_returns() -> None:
    down = [Saga(f"o-down-{n}", from_then_on(60.0)) for n in range(SAGAS_TO_OPEN)]
    dos = [Saga(f"o-{n}", from_then_on(60.0, seconds=1.0), arrives=5.0 + n * 0.01) for n in range(50)]
    undo = Saga("o-cancelled", from_then_on(60.0, seconds=1.0), arrives=50.0, undo=True)
    run([*down, *dos, undo], until=300.0)
    others = sorted(saga.answered for saga in dos if saga.answered is not None)
    assert undo.answered is not None
    assert undo.answered <= others[3]


@pytest.mark.parametrize("seed", range(5))
def test_a_participant_that_answers_one_call_in_ten_stays_closed_off(seed: int) -> None:
    sagas = [Saga(f"o-{n}", lossy(0.1, seed * 100 + n), arrives=n * 0.1) for n in range(50)]
    network = run(sagas, until=600.0)
    assert network.down_seconds > 300.0
    assert sum(saga.attempts for saga in sagas) < 50 * 3


@pytest.mark.parametrize("seed", range(5))
def test_one_lost_answer_in_three_does_not_keep_a_participant_from_coming_back(seed: int) -> None:
    answers = lossy(2 / 3, seed)
    sagas = [
        Saga(f"o-{n}", lambda now: answers(now) if now >= 30.0 else ("nothing", 0.0), arrives=n * 0.1)
        for n in range(200)
    ]
    network = run(sagas, until=300.0)
    assert not network.breaker.is_open
    assert all(saga.answered is not None for saga in sagas)


@pytest.mark.parametrize("every", [0.0, 0.1, 1.0])
def test_a_provider_that_takes_longer_than_the_time_out_does_not_make_it_oscillate(every: float) -> None:
    """The first call of each saga is given up after 5 s, the second one finds the answer."""

    def slow() -> Callable[[float], tuple[str, float]]:
        began: list[float] = []

        def behave(now: float) -> tuple[str, float]:
            if began:
                return "answer", max(0.05, began[0] + 6.0 - now)
            began.append(now)
            return "nothing", HANG

        return behave

    sagas = [Saga(f"o-{n}", slow(), arrives=n * every) for n in range(200)]
    network = run(sagas, until=600.0)
    assert network.openings <= 1
    assert max(saga.attempts for saga in sagas) <= 2
    assert max(waited(saga) for saga in sagas) < 60.0
    assert not network.breaker.is_open


def test_calls_at_once_and_a_second_are_bounded() -> None:
    sagas = [Saga(f"o-{n}", always("answer", 1.0)) for n in range(100)]
    assert run(sagas, until=100.0, concurrency=16).most_in_flight == 16
    assert max(waited(saga) for saga in sagas) < 8.0
    sagas = [Saga(f"o-{n}", always("answer", 0.01)) for n in range(100)]
    run(sagas, until=100.0, rate=20.0)
    times = sorted(time for saga in sagas for time in saga.calls)
    assert times[-1] == pytest.approx(99 / 20.0, abs=0.2)


def test_who_waits_is_called_although_new_ones_keep_a_participant_busy() -> None:
    waiting = [Saga(f"o-{n}", from_then_on(30.0, seconds=0.5), arrives=n * 0.01) for n in range(300)]
    new = [Saga(f"o-new-{n}", always("answer", 0.5), arrives=30.0 + n * 0.01) for n in range(3000)]
    run(waiting + new, until=300.0)
    assert max(waited(saga, 30.0) for saga in waiting) < 40.0


def test_a_tried_saga_is_not_starved_by_those_that_were_not_tried() -> None:
    """At saturation, with a line that never ends."""
    lost = iter([("nothing", 0.1)])
    unlucky = Saga("o-unlucky", lambda _: next(lost, ("answer", 0.1)), arrives=1.0)
    others = [Saga(f"o-{n}", always("answer", 0.1), arrives=n * 0.005) for n in range(4000)]
    run([*others, unlucky], until=120.0, concurrency=16)
    assert waited(unlucky) < 10.0


def test_who_was_tried_throughout_an_outage_is_overtaken_once_by_each_that_came_at_its_end() -> None:
    """Those are hopeless. With a line for each number of failures all would fail as often as it has before its call."""
    saga = Saga("o-from-the-start", from_then_on(60.0))
    later = [Saga(f"o-later-{n}", always("nothing", HANG), 27.7 + n) for n in range(4)]
    run([saga, *later], until=300.0)
    assert waited(saga, 60.0) < (1 + len(later)) * (LAST_PROBE[True] + HANG)


@pytest.mark.parametrize("seconds", [0.0, 0.05])
@pytest.mark.parametrize("every", [0.02, 1.0])
def test_whoever_got_no_answer_is_not_called_again_at_once_whatever_becomes_of_its_participant(
    seconds: float, every: float
) -> None:
    """Turns come thick and fast while it is coming back; a hopeless undo would use up all of them."""
    good = [Saga(f"o-good-{n}", from_then_on(10.0), arrives=n * every) for n in range(int(60 / every))]
    bad = hopeless(SAGAS_TO_OPEN, seconds=seconds)
    run(bad + good, until=100.0)
    for saga in bad:
        assert len(saga.calls) > 5
        assert min(after - before for before, after in pairwise(saga.calls)) >= FIRST_PROBE


def told(asked: float, *, until: float) -> Callable[[float], tuple[str, float]]:
    """Refused at once with this Retry-After until then, and answered afterwards."""
    return lambda now: ("answer", 0.05) if now >= until else (f"503 {asked:g}", 0.0)


@pytest.mark.parametrize("asked", [20.0, 90.0])
def test_a_participant_that_says_when_it_is_back_is_not_probed_before(asked: float) -> None:
    """Neither by those that were told so nor by those that are new."""
    well = 2.5 * asked
    sagas = [Saga(f"o-{n}", told(asked, until=well), arrives=n * asked / 20) for n in range(60)]
    run(sagas, until=10 * asked)
    calls = sorted(time for saga in sagas for time in saga.calls)
    opened = calls[SAGAS_TO_OPEN - 1]
    probes = [time for time in calls if opened < time < well]
    assert min(probes) >= opened + asked
    assert len(probes) <= 4
    assert all(after - before >= asked for saga in sagas for before, after in pairwise(saga.calls))
    assert max(waited(saga, well) for saga in sagas) < asked + 2 * ONE_PROBE


def test_a_participant_that_asks_for_a_year_is_probed_after_an_hour() -> None:
    verdict = Verdict(16, lambda: 0)
    for number in range(SAGAS_TO_OPEN):
        verdict.failed(f"o-{number}", started=0.0, now=0.0, retry_after=3e7)
        assert verdict.pause_of(f"o-{number}", 3e7) == LONGEST_RETRY_AFTER
    assert {verdict.due(tried=tried) for tried in (False, True)} == {LONGEST_RETRY_AFTER}


def test_what_one_order_alone_is_told_holds_up_no_other() -> None:
    down = [Saga(f"o-{n}", from_then_on(60.0)) for n in range(SAGAS_TO_OPEN)]
    poisoned = [Saga("o-poisoned", always("503 3600", 0.0), arrives=3.0)]
    good = [Saga(f"o-good-{n}", from_then_on(60.0), arrives=5.0 + n) for n in range(20)]
    network = run([*down, *poisoned, *good], until=1000.0)
    assert max(waited(saga, 60.0) for saga in (*down, *good)) < 2 * ONE_PROBE
    assert not network.breaker.is_open


def test_an_answer_ends_what_a_participant_asked_for() -> None:
    """The sagas that were told so wait for as long; those that weren't are called at once."""
    sagas = [Saga(f"o-{n}", told(120.0, until=100.0)) for n in range(SAGAS_TO_OPEN)]
    others = [Saga(f"o-other-{n}", told(120.0, until=100.0), arrives=10.0) for n in range(100)]
    run([*sagas, *others], until=1000.0)
    assert max(waited(saga, 100.0) for saga in others) < 30.0


def test_a_person_who_retries_has_a_participant_probed_that_asked_for_an_hour() -> None:
    busy = NoUsableAnswer(step="payment", started=0, at=0, undo=False, reason=reasons.UNAVAILABLE, retry_after=3600.0)

    async def main() -> None:
        breaker = CircuitBreaker("payment", now=lambda: 0.0, concurrency=16, rate=0)
        for number in range(SAGAS_TO_OPEN):
            breaker.record_outcome(f"o-{number}", busy)
        await asyncio.sleep(60.0)
        turns: list[str] = []
        assert not breaker.take("o-retried", lambda: turns.append("o-retried"), undo=False)
        breaker.probe_now()
        assert turns == ["o-retried"]

    simulated(main())


OUTCOME = st.sampled_from(["hopeless", "hopeless undo", "hangs", "unsent", "unsent undo", "leaves", "deaf"])


@settings(max_examples=40, deadline=None)
@given(
    trouble=st.lists(st.tuples(OUTCOME, st.floats(0, 40)), max_size=8),
    healthy=st.lists(st.tuples(st.booleans(), st.floats(0, 120)), min_size=1, max_size=25),
    well=st.sampled_from([0.0, 10.0, 60.0]),
    down_for=st.sampled_from([0.0, HANG]),
)
def test_every_healthy_saga_is_answered_in_time_whatever_the_others_are(
    trouble: list[tuple[str, float]], healthy: list[tuple[bool, float]], well: float, down_for: float
) -> None:
    """One that was not tried waits for a probe at the most; a tried one for its turn among the tried and unreliable."""
    while_down = from_then_on(well, down_for=down_for)
    others = []
    for number, (kind, arrives) in enumerate(trouble):
        behaves = {"hopeless": always("nothing"), "hangs": always("nothing", HANG), "unsent": always("unsent", 0.0)}
        saga = Saga(f"o-{number}", behaves.get(kind.split()[0], while_down), arrives, undo=kind.endswith("undo"))
        saga.leaves = arrives + 20.0 if kind == "leaves" else None
        saga.deaf = kind == "deaf"
        others.append(saga)
    good = [Saga(f"o-good-{n}", while_down, arrives, undo=undo) for n, (undo, arrives) in enumerate(healthy)]
    run(others + good, until=1000.0)
    for saga in good:
        untried = all(time >= well for time in saga.calls)
        one = ONE_PROBE + HANG + CLAIM_WITHIN * len(others)
        turns = 1 if untried else 1 + len(others) + SAGAS_TO_OPEN
        assert waited(saga, well) < one + turns * (LAST_PROBE[True] + HANG)


def paused(sagas: list[Saga], *, since: float, until: float, end: float) -> Network:
    """The network after a person has paused the participant, and resumed it."""
    networks: list[Network] = []

    async def main() -> None:
        network = Network()
        networks.append(network)
        loop = asyncio.get_running_loop()
        loop.call_at(since, network.breaker.pause, "maintenance")
        loop.call_at(until, network.breaker.resume)
        await network.run(sagas, until=end)

    simulated(main())
    return networks[0]


def test_a_paused_participant_gets_no_call_and_all_of_them_when_it_is_resumed() -> None:
    sagas = [Saga(f"o-{n}", always("answer"), arrives=n * 0.1) for n in range(100)]
    network = paused(sagas, since=2.0, until=60.0, end=100.0)
    assert not [time for saga in sagas for time in saga.calls if 2.0 <= time < 60.0]
    assert max(waited(saga, 60.0) for saga in sagas if saga.arrives > 2.0) < 1.0
    assert {saga.attempts for saga in sagas} == {1}
    assert not network.breaker.is_open


def test_a_call_that_fails_while_its_participant_is_paused_costs_no_attempt() -> None:
    sagas = [Saga(f"o-{n}", from_then_on(3.0, down_for=4.0)) for n in range(4)]  # too few to open it
    paused(sagas, since=2.0, until=60.0, end=100.0)
    assert {saga.attempts for saga in sagas} == {1}


def test_a_turn_that_was_given_before_the_pause_is_not_used_after_it() -> None:
    async def main() -> None:
        breaker = Network(concurrency=1).breaker
        assert breaker.take("o-1", lambda: None, undo=False)
        with breaker.call("o-1"):
            assert not breaker.take("o-2", lambda: None, undo=False)
        breaker.pause("")  # it is the turn of o-2, which hasn't come yet
        assert not breaker.take("o-2", lambda: None, undo=False)
        breaker.probe_now()  # a person retries one of the sagas
        assert not breaker.take("o-2", lambda: None, undo=False)
        assert breaker.availability.waiting == 1
        breaker.resume()
        assert breaker.take("o-2", lambda: None, undo=False)

    simulated(main())


def test_those_that_wait_are_told_that_their_participant_is_paused() -> None:
    async def main() -> None:
        breaker, told = Network(concurrency=1).breaker, []
        assert breaker.take("o-1", lambda: None, undo=False)
        assert not breaker.take("o-2", lambda: told.append("o-2"), undo=False)
        breaker.pause("maintenance")
        assert told == ["o-2"]
        held = breaker.hold("payment", undo=False, started=0.0)
        assert "paused (maintenance)" in held.message
        assert held.reason == reasons.PARTICIPANT_PAUSED
        breaker.pause("until tomorrow")  # they have begun to wait again since, and are told again
        assert told == ["o-2"], "it isn't its turn, and it waits nowhere"
        breaker.resume()
        assert breaker.hold("payment", undo=False, started=0.0).reason == reasons.WAITING_FOR_DOWNSTREAM

    simulated(main())


def test_those_that_wait_for_one_that_is_down_learn_of_a_pause_as_well() -> None:
    async def main() -> None:
        network, told = Network(), set[str]()
        breaker, loop = network.breaker, asyncio.get_running_loop()
        for n in range(SAGAS_TO_OPEN):
            assert breaker.take(f"o-{n}", lambda: None, undo=False)
            with breaker.call(f"o-{n}"):
                breaker.record_outcome(
                    f"o-{n}", NoUsableAnswer(step="payment", started=0, at=0, undo=False, reason=reasons.NO_ANSWER)
                )
        assert breaker.is_open
        assert not breaker.take("o-waits", lambda: told.add("o-waits"), undo=False)
        loop.call_later(0.1, breaker.pause, "maintenance")
        await asyncio.sleep(0.3)
        assert told == {"o-waits"}

    simulated(main())


def test_other_bounds_count_at_once() -> None:
    async def main() -> None:
        breaker = Network(concurrency=1).breaker
        assert breaker.take("o-1", lambda: None, undo=False)
        assert not breaker.take("o-2", lambda: None, undo=False)
        breaker.bound(concurrency=2, rate=0.0)
        assert breaker.take("o-2", lambda: None, undo=False)
        breaker.bound(concurrency=32, rate=1.0)
        assert breaker.take("o-3", lambda: None, undo=False)
        assert not breaker.take("o-4", lambda: None, undo=False)

    simulated(main())


def test_whoever_listens_hears_of_changes_and_of_nothing_else() -> None:
    heard: list[bool] = []

    async def main() -> None:
        network = Network()
        network.breaker.on_change = lambda: heard.append(network.breaker.is_open)
        await network.run([Saga(f"o-{n}", from_then_on(60.0), arrives=n * 0.01) for n in range(500)], until=300.0)

    simulated(main())
    assert heard in ([True, False, False], [True, True, False])  # down; a first answer; back
