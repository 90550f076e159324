"""Every history of one saga, within bounds: the real decisions against the barrier that the participants promise.

In each state that can be reached (DESIGN §2 and §3):

- nothing happened twice, nothing was undone twice or without having happened;
- Completed means that all of it stands, Compensated that none of it is left, whatever arrives later;
- undos are called only once the decision is recorded and the order rejected, in reverse, and the order closed last;
- a finished saga is never written again;
- an end can still be reached, by progress alone.

The bounds are small numbers of each misbehaviour, together. `make explore` goes further.
"""

import os
from dataclasses import replace
from time import process_time

import pytest

from saga_operator.resource.conditions import conditions_of
from tests.model.exploring import explore
from tests.model.moves import Bounds, Budget
from tests.model.participants import PAYMENT, SHIPPING, Document, Participants
from tests.model.sagas import Core
from tests.model.world import World

DEEP = bool(os.environ.get("ORDERSAGA_EXPLORE_DEEP"))
REST, DELETION, DEADLINE = (frozenset({request}) for request in ("cancel over REST", "deletion", "deadline"))
SLOW_PAYMENTS = Participants(slow=frozenset({PAYMENT}))

ALONE = {
    "late calls, a cancel": Bounds(budget=Budget(late=2, requests=1), requests=REST),
    "a lost answer, a crash, a deadline": Bounds(budget=Budget(faults=1, crashes=1, requests=1), requests=DEADLINE),
    "a lost answer, a late call, a deletion": Bounds(budget=Budget(faults=1, late=1, requests=1), requests=DELETION),
    "crashes, a cancel, a refusal": Bounds(budget=Budget(crashes=2, requests=1, refusals=1), requests=REST),
    "suspended, then cancelled or too late": Bounds(budget=Budget(pauses=1, requests=1, crashes=1, faults=1), lag=1),
    "a service that is down": Bounds(budget=Budget(outages=2, refusals=1, requests=1), requests=REST),
    "an undo that is stuck": Bounds(budget=Budget(stuck=2, refusals=1, late=1)),
    "a person intervenes": Bounds(budget=Budget(interventions=1, refusals=1, stuck=1), lag=2),
    "applied again": Bounds(budget=Budget(rebirths=1, late=2, requests=1), requests=REST),
    "another order under the same id": Bounds(
        budget=Budget(rebirths=1, faults=1, late=1, refusals=1, crashes=1), other_content=True
    ),
    "an id that is taken": Bounds(budget=Budget(faults=1, late=1, requests=1), order_document=Document("foreign")),
}
TOGETHER = {
    "two operators, a lost answer": Bounds(budget=Budget(faults=1), operators=2, lag=1),
    "two operators, a late call": Bounds(budget=Budget(late=1), operators=2, lag=1),
    "two operators, a refusal": Bounds(budget=Budget(refusals=1), operators=2, lag=2),
    "two operators, a cancel": Bounds(budget=Budget(requests=1), operators=2, lag=1, requests=REST),
    "two operators, a deadline": Bounds(budget=Budget(requests=1), operators=2, lag=1, requests=DEADLINE),
    "two operators, applied again": Bounds(budget=Budget(rebirths=1), operators=2, lag=1),
}


def check(bounds: Bounds, **rules: object) -> None:
    began = process_time()
    found = explore(World(bounds, **rules), limit=30_000_000 if DEEP else 1_000_000)
    print(f"\n    {found} ({process_time() - began:.1f} s)")
    assert not found.broken, found
    assert not found.endless, found
    assert found.ends, found


@pytest.mark.parametrize("bounds", [*ALONE.values(), *TOGETHER.values()], ids=[*ALONE, *TOGETHER])
def test_all_or_nothing_in_every_history(bounds: Bounds) -> None:
    check(bounds)


def test_all_or_nothing_when_payments_settle_later() -> None:
    bounds = Bounds(budget=Budget(late=1, refusals=1, requests=1), requests=REST, lag=2)
    check(bounds, participants=SLOW_PAYMENTS)


def test_all_or_nothing_when_calls_are_tried_again_before_they_are_given_up() -> None:
    bounds = Bounds(budget=Budget(faults=2, late=1), lag=2)
    check(bounds, core=Core(max_attempts=2))


def test_conditions_say_one_thing_in_every_state_that_can_be_reached() -> None:
    core = Core()
    for bounds in (ALONE["an undo that is stuck"], ALONE["suspended, then cancelled or too late"]):
        explore(World(bounds, core=core))
    assert len(core.sagas) > 100
    for saga in core.sagas:
        found = {condition.type: condition.status for condition in conditions_of(saga)}
        summary = found["Ready"], found["Reconciling"], found["Stalled"], found["Succeeded"]
        assert summary == CONDITIONS[saga.phase], saga


CONDITIONS = {
    #               Ready      Reconciling  Stalled  Succeeded      (DESIGN §5)
    "Pending":      ("Unknown", "True",  "False", "Unknown"),
    "Running":      ("Unknown", "True",  "False", "Unknown"),
    "Suspended":    ("Unknown", "False", "False", "Unknown"),
    "Compensating": ("False",   "True",  "False", "Unknown"),
    "Completed":    ("True",    "False", "False", "True"),
    "Compensated":  ("False",   "False", "True",  "False"),
    "Failed":       ("False",   "False", "True",  "False"),
}  # fmt: skip


FURTHER_OUT = [
    Bounds(budget=Budget(faults=1, late=2, requests=1)),
    Bounds(budget=Budget(faults=1, late=1, crashes=1, requests=1, refusals=1), requests=REST),
    Bounds(budget=Budget(rebirths=2, late=2, requests=1, faults=1), lag=2, requests=REST),
    Bounds(budget=Budget(faults=1, stuck=1, crashes=1, refusals=1, interventions=1)),
    Bounds(budget=Budget(late=2), operators=2, lag=1),
    Bounds(budget=Budget(late=1, refusals=1), operators=2, lag=1),
    Bounds(budget=Budget(requests=1, refusals=1), operators=2, lag=1, requests=REST),
    Bounds(budget=Budget(requests=1, faults=1), operators=2, lag=1, requests=REST),
]


@pytest.mark.skipif(not DEEP, reason="minutes and two gigabytes of memory: make explore")
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("bounds", FURTHER_OUT, ids=lambda bounds: f"{bounds.operators} operators, {bounds.budget}")
def test_all_or_nothing_further_out(bounds: Bounds) -> None:
    check(bounds)


@pytest.mark.skipif(not DEEP, reason="minutes and two gigabytes of memory: make explore")
@pytest.mark.timeout(7200)
def test_all_or_nothing_further_out_when_payments_settle_later() -> None:
    bounds = Bounds(budget=Budget(faults=1, late=1, refusals=1), operators=2, lag=1)
    check(bounds, participants=replace(SLOW_PAYMENTS, may_refuse=frozenset({SHIPPING})))
