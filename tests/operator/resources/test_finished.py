"""A finished saga that still has our finalizer: nobody lists it again and again, and its deletion is seen at once."""

import time

from common.order_saga import FINALIZER
from tests.operator.conftest import OperatorProcess, Operators, Sagas, wait_until

AT_ONCE = 4.0
"""Seconds: two, and as much again for a machine that has other work."""


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
