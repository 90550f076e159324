"""The operator dies, is paused or loses its Lease: nothing is lost, and nothing happens twice."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.operator.conftest import OperatorProcess, Sagas, wait_until
from tests.operator.scripted import Reply, ScriptedParticipants, refused
from tests.support import asking


@pytest.fixture
def pair(
    operator: OperatorProcess, operator_kubeconfig: Path, participants: ScriptedParticipants, tmp_path: Path
) -> Iterator[tuple[OperatorProcess, OperatorProcess]]:
    """Two operators of their own, the first of which leads; the shared one rests meanwhile."""
    if operator.process is not None and operator.process.poll() is None:
        operator.stop()
    first, second = (
        OperatorProcess(operator_kubeconfig, participants.url, tmp_path / name, identity=name)
        for name in ("first", "second")
    )
    first.start()
    wait_until(lambda: role(first) == "leading", "the first to lead")
    second.start()
    wait_until(lambda: role(second) == "following", "the second to follow")
    yield first, second
    for process in (first, second):
        if process.process is not None and process.process.poll() is None:
            process.signal(signal.SIGCONT)
            process.stop()
    operator.start()
    wait_until(lambda: role(operator) == "leading", "the shared operator to lead again")


def role(process: OperatorProcess) -> str:
    try:
        return str(asking.get(f"http://127.0.0.1:{process.port}/healthz", timeout=1).json()["role"])
    except httpx.HTTPError:
        return ""


def test_a_killed_operator_is_replaced_within_15_seconds_and_nothing_is_lost(
    pair: tuple[OperatorProcess, OperatorProcess], sagas: Sagas, participants: ScriptedParticipants
) -> None:
    first, _ = pair
    participants.say("o-killed", "/api/shipping/schedule", Reply(200, {"order_id": "o-killed"}, delay=0.8))
    sagas.create("o-killed")
    wait_until(lambda: "/api/shipping/schedule" in participants.paths("o-killed"), "shipping to be called")
    first.kill()
    killed = time.monotonic()
    sagas.wait("o-killed", "Completed", seconds=20)
    assert time.monotonic() - killed < 15
    epochs = [call.epoch for call in participants.of("o-killed")]
    assert epochs == sorted(epochs)
    assert epochs[0] < epochs[-1]


def test_a_clean_stop_hands_over_within_2_seconds(pair: tuple[OperatorProcess, OperatorProcess], sagas: Sagas) -> None:
    first, second = pair
    first.signal(signal.SIGTERM)
    stopped = time.monotonic()
    wait_until(lambda: role(second) == "leading", "the second to lead")
    assert time.monotonic() - stopped < 2
    sagas.create("o-handed-over")
    sagas.wait("o-handed-over", "Completed")


def test_a_paused_leader_that_wakes_up_calls_nobody(
    pair: tuple[OperatorProcess, OperatorProcess], sagas: Sagas, participants: ScriptedParticipants
) -> None:
    first, second = pair
    participants.say("o-paused", "/api/payments/process", always=refused("running", "wait"))
    sagas.create("o-paused")
    wait_until(lambda: "/api/payments/process" in participants.paths("o-paused"), "payment to be called")
    first.signal(signal.SIGSTOP)
    old = max(call.epoch for call in participants.of("o-paused"))
    wait_until(lambda: role(second) == "leading", "the second to take over", seconds=15)
    count = len(participants.calls)
    first.signal(signal.SIGCONT)
    assert first.process is not None
    assert first.process.wait(10) == 1  # stopped at once
    late = [call for call in participants.calls[count:] if call.epoch <= old]
    assert late == []
    participants.say("o-paused", "/api/payments/process")
    sagas.wait("o-paused", "Completed")


@pytest.mark.parametrize(
    "path", ["/api/orders/create", "/api/orders/reject", "/api/payments/refund", "/api/orders/cancel"]
)
def test_a_kill_at_any_call_of_a_rollback_still_ends_it(
    operator: OperatorProcess, sagas: Sagas, participants: ScriptedParticipants, path: str
) -> None:
    name = f"o-kill-{path.rsplit('/', 1)[1]}"
    participants.say(name, "/api/shipping/schedule", refused("not_serviceable"))
    participants.say(name, path, Reply(200, {"effect": "undone", "order_id": name}, delay=0.7))
    sagas.create(name)
    wait_until(lambda: path in participants.paths(name), f"a call of {path}")
    operator.kill()
    operator.start()
    sagas.wait(name, "Compensated", seconds=30)
    paths = participants.paths(name)
    assert paths.index("/api/orders/reject") < paths.index("/api/payments/refund") < paths.index("/api/orders/cancel")
