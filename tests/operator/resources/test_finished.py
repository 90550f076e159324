"""A finished saga that still has our finalizer: nobody lists it again and again, and its deletion is seen at once."""

import time
from collections.abc import Callable

import pytest

from common.order_saga import FINALIZER
from saga_operator.process.steps import ORDER_SAGA
from tests.operator.conftest import OperatorProcess, Operators, Sagas, wait_until
from tests.operator.scripted import Reply, ScriptedParticipants

AT_ONCE = 4.0
"""Seconds: two, and as much again for a machine that has other work."""


@pytest.fixture
def constant_load(operator: OperatorProcess, sagas: Sagas, participants: ScriptedParticipants) -> Callable[[], bool]:
    """A call is in flight from now on, for 18 seconds: there is no quiet moment. Whether that is so still."""
    name = f"o-load-{time.monotonic_ns() % 10**8}"
    for step in ORDER_SAGA:
        participants.say(name, str(step.do), Reply(200, {"order_id": name}, delay=3.0))
    sagas.create(name)
    wait_until(lambda: participants.paths(name) or None, "the load to begin")
    return lambda: sagas.status(name).get("phase") != "Completed"


def finish(sagas: Sagas, name: str, **spec: int) -> None:
    """It has ended, and has our finalizer (again)."""
    sagas.create(name, **spec)
    sagas.wait(name, "Completed")
    wait_until(lambda: not sagas.get(name)["metadata"].get("finalizers") or None, "its finalizer to be taken off")
    sagas.patch_metadata(name, finalizers=[FINALIZER])


def goes_at_once(sagas: Sagas, name: str) -> None:
    deleted = time.monotonic()
    sagas.delete(name)
    wait_until(lambda: not sagas.exists(name) or None, f"{name} to go")
    assert time.monotonic() - deleted < AT_ONCE


def test_a_finished_saga_that_is_deleted_goes_at_once(operator: OperatorProcess, sagas: Sagas) -> None:
    finish(sagas, "o-finished-deleted")
    goes_at_once(sagas, "o-finished-deleted")


def test_it_goes_at_once_after_a_restart_as_well(resting: None, operators: Operators, sagas: Sagas) -> None:
    first = operators.start()
    finish(sagas, "o-finished-before")
    finish(sagas, "o-finished-restart")
    first.kill()
    sagas.delete("o-finished-before")
    operators.start(ORDERSAGA_SWEEP_INTERVAL="3600")
    wait_until(lambda: not sagas.exists("o-finished-before") or None, "what was deleted without an operator to go")
    goes_at_once(sagas, "o-finished-restart")


def test_its_time_to_live_ends_it_though_it_has_the_finalizer(operator: OperatorProcess, sagas: Sagas) -> None:
    sagas.create("o-finished-short", ttlSecondsAfterFinished=2)
    wait_until(lambda: not sagas.exists("o-finished-short") or None, "its time to live to be over")


def test_under_constant_load_it_keeps_the_finalizer_and_goes_at_once_when_it_is_deleted(
    constant_load: Callable[[], bool], sagas: Sagas
) -> None:
    sagas.create("o-finished-loaded")
    sagas.wait("o-finished-loaded", "Completed")
    time.sleep(2.0)
    assert sagas.get("o-finished-loaded")["metadata"]["finalizers"] == [FINALIZER]
    goes_at_once(sagas, "o-finished-loaded")
    assert constant_load()


def test_under_constant_load_its_time_to_live_ends_it(constant_load: Callable[[], bool], sagas: Sagas) -> None:
    sagas.create("o-finished-loaded-short", ttlSecondsAfterFinished=2)
    wait_until(lambda: not sagas.exists("o-finished-loaded-short") or None, "its time to live to be over")
    assert constant_load()
