"""Every promise of the conformance kit, at every participant that it is about (see ../conftest.py), on both drivers."""

import uuid

import pytest

from ordersaga.conformance.promises import PROMISES, Conformity, Promise, try_promise
from ordersaga.conformance.report import lines_of
from ordersaga.conformance.trial import Trial
from tests.contract.conftest import Stage

ROUNDS = {"pymongo": 5, "motor": 2}
"""How often each race is tried: five rounds have found every race that was put in on trial. The second driver's turn
is about the driver."""


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.name)
async def test_the_promise_is_kept(stage: Stage, promise: Promise) -> None:
    run = f"k-{uuid.uuid4().hex[:8]}"
    # A provider says Retry-After 1; these tests needn't wait that long.
    trial = Trial(stage.subject, stage.replicas, run=run, rounds=ROUNDS[stage.driver], longest_pause=0.05)
    result = await try_promise(promise, trial)
    assert result.outcome is Conformity.KEPT, "\n".join(lines_of(result))
