"""Long random histories: the same world without small bounds, with real counts, texts and times.

The exploration sees every history within small bounds, on canonical sagas; here sagas keep everything, attempts are
counted up to their real limits, and faults continue for as long as Hypothesis likes.
"""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from saga_operator.process.saga import Desired, Saga
from tests.model import sagas
from tests.model.claims import Broken
from tests.model.moves import LOST, PAUSED, STUCK, Budget
from tests.model.participants import (
    ACCEPTED,
    CONFIRMED_BEFORE,
    ID_USED,
    PAYMENT,
    REFUSED,
    REJECT,
    SUCCEEDED,
    UNDO,
    UNDONE,
    Participants,
)  # fmt: skip
from tests.model.sagas import NOW
from tests.model.strangers import ANYTHING, FOREIGN, HARMLESS
from tests.model.user_requests import new_id
from tests.model.world import Bounds, Next, State, World, in_words

PLENTY = Budget(
    faults=40,
    late=6,
    crashes=6,
    refusals=2,
    requests=2,
    pauses=2,
    outages=10,
    stuck=3,
    interventions=3,
    rebirths=2,
    strangers=4,
)
ANY = st.integers(0, 2**16)
"""One of the transitions, by its number modulo their count: a wide range draws them evenly."""
STEPS_TO_THE_END = 400
"""A rollback of two operators, each undo accepted first and settled later, takes about a hundred."""


class TimedCore(sagas.Core):
    """Sagas as they are: nothing is left out, and each is as long as its history."""

    def canonical(self, saga: Saga) -> Saga:
        """Only what comes from the resource itself is left out: it is read again at each look."""
        return replace(saga, desired=sagas.Desired.ACTIVE, deleting=False, requested=None)


class OneSaga(RuleBasedStateMachine):
    """One saga, up to two operators, and everything that may go wrong around them."""

    world: World
    state: State

    @initialize(
        operators=st.sampled_from([1, 1, 2]),
        slow=st.booleans(),
        max_attempts=st.sampled_from([1, 3, 8]),
        anything=st.booleans(),
    )
    def begin(self, operators: int, slow: bool, max_attempts: int, anything: bool) -> None:
        participants = Participants(slow=frozenset({PAYMENT}) if slow else frozenset())
        core = TimedCore(max_attempts=max_attempts)
        bounds = Bounds(
            budget=PLENTY,
            operators=operators,
            strangers=ANYTHING | FOREIGN if anything else HARMLESS,
            verdicts=not anything,
        )
        self.world = World(bounds, core=core, participants=participants)
        self.state = self.world.start
        self.told: list[str] = []

    def _next(self, *, good: bool) -> list[Next]:
        return [step for step in self.world.next_states(self.state) if step[1].good is good]

    def _take(self, found: list[Next], choice: int) -> None:
        whose, move, self.state = found[choice % len(found)]
        self.told.append(in_words(whose, move))

    @rule(choices=st.lists(ANY, min_size=1, max_size=6))
    def goes_on(self, choices: list[int]) -> None:
        for choice in choices:
            if found := self._next(good=True):
                self._take(found, choice)
                self._judge()

    @rule(choice=ANY)
    def something_goes_wrong(self, choice: int) -> None:
        if found := self._next(good=False):
            self._take(found, choice)

    @invariant()
    def all_or_nothing(self) -> None:
        if hasattr(self, "world"):
            self._judge()

    def _judge(self) -> None:
        try:
            self.world.judge(self.state)
        except Broken as error:
            error.add_note("\n".join(self.told))
            raise

    def teardown(self) -> None:
        """Once nothing goes wrong any more, every saga ends."""
        if not hasattr(self, "world"):
            return
        steps, dice = 0, Random(len(self.told))
        while not self.world.finished(self.state):
            found = self._next(good=True)
            assert found, ["nothing can happen any more", *self.told]
            self._take(found, dice.randrange(len(found)))  # in a random order
            self._judge()
            steps += 1
            assert steps < STEPS_TO_THE_END, ["it does not end", *self.told]


@pytest.mark.parametrize(
    "answer", [LOST, PAUSED, STUCK, SUCCEEDED, REFUSED, UNDONE, CONFIRMED_BEFORE, ID_USED, ACCEPTED]
)
@pytest.mark.parametrize("call", range(REJECT + 1))
def test_no_answer_that_comes_late_changes_a_finished_saga(call: int, answer: str) -> None:
    """Of two operators, one finishes the saga; the other adopts that record and folds in what it has not recorded."""
    core = TimedCore(max_attempts=3)
    completed, compensated = core.new, core.observe(core.new, (Desired.CANCELLED, False, ""), NOW)
    for do in range(UNDO):
        completed = core.fold(completed, SUCCEEDED, do)
    for undo in range(REJECT, UNDO - 1, -1):
        compensated = core.fold(compensated, UNDONE, undo)
    for end in (core.record(completed), core.record(compensated)):
        assert core.finished(end)
        assert core.fold(end, answer, call) == end


def test_each_intervention_has_an_id_of_its_own() -> None:
    """An id that comes again is refused, and a stuck saga that gets only such ids never ends."""
    core, saga, last = TimedCore(), 0, ""
    for _ in range(5):
        last = new_id(core.sagas[saga], last)
        saga = core.observe(saga, (Desired.ACTIVE, False, f"{last} RetryNow order"), NOW)
        acted = core.sagas[saga].intervention
        assert acted is not None
        assert acted.outcome == "Intervened"


TestLongHistories = OneSaga.TestCase
TestLongHistories.settings = settings(
    max_examples=150,
    stateful_step_count=40,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # shrinking takes minutes, and the history is told anyway
    suppress_health_check=[HealthCheck.too_slow],
)
