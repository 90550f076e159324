"""Somebody who isn't the operator sends any call, at any time, with any key, content and epoch, in every history.

Most of it changes nothing that the operator promises. What a participant can't tell from the call of the operator is
left for identities: docs/failure-modes.md has one line for each, and that list is exactly what is found here.
"""

import pytest

from tests.model.exploring import explore
from tests.model.moves import Bounds, Budget
from tests.model.sagas import Core
from tests.model.strangers import ANYTHING, CAN_BE_SENT, HARMLESS, left_for_identities, path
from tests.model.world import World

ONE_CALL = Budget(strangers=1, refusals=1)


def trouble(call: int, *, foreign: bool) -> str:
    """What one such call can lead to, beside any refusal of a service; empty if to nothing."""
    core = Core()
    found = explore(World(Bounds(budget=ONE_CALL, lag=1, strangers=frozenset({(call, foreign)})), core=core))
    if found.broken or found.endless:
        return str(found)
    waits = next((saga.refused_forward for saga in core.sagas if saga.refused_forward is not None), None)
    return "" if waits is None else f"{waits.name} waits for a person"


def test_what_a_stranger_can_spoil_is_exactly_the_list_in_the_manual() -> None:
    found = {path(call): text for call in CAN_BE_SENT if (text := trouble(call, foreign=False))}
    assert set(found) == left_for_identities(), found


@pytest.mark.parametrize("call", CAN_BE_SENT, ids=path)
def test_a_call_with_other_content_or_another_namespaces_key_spoils_nothing(call: int) -> None:
    assert trouble(call, foreign=True) == ""


@pytest.mark.parametrize(
    "bounds",
    [
        Bounds(budget=Budget(strangers=2, refusals=1), lag=1, strangers=HARMLESS),
        Bounds(budget=Budget(strangers=1, crashes=1, faults=1), lag=1, strangers=HARMLESS),
        Bounds(budget=Budget(strangers=1, requests=1, refusals=1), lag=1, strangers=HARMLESS),
        Bounds(budget=Budget(strangers=1, interventions=1, refusals=1), lag=1, strangers=HARMLESS),
        Bounds(budget=Budget(strangers=1, refusals=1), operators=2, lag=1, strangers=HARMLESS),
    ],
    ids=lambda bounds: f"{bounds.operators} operators, {bounds.budget}",
)
def test_all_or_nothing_whatever_strangers_send(bounds: Bounds) -> None:
    found = explore(World(bounds), limit=1_000_000)
    print(f"\n    {found}")
    assert not found.broken, found
    assert not found.endless, found


def test_every_saga_can_end_whatever_strangers_send() -> None:
    bounds = Bounds(budget=Budget(strangers=2, refusals=1), lag=1, strangers=ANYTHING, verdicts=False)
    found = explore(World(bounds), limit=1_000_000)
    print(f"\n    {found}")
    assert not found.broken, found
    assert not found.endless, found
