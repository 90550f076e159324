"""Deadlines on a real API server: a host with a wrong clock, an operator that was away, participants that were."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from saga_operator.resource.times import from_wire
from tests.operator.conftest import OperatorProcess, Sagas, wait_until
from tests.operator.requests.user_requests import DO
from tests.operator.scripted import Reply, ScriptedParticipants, refused
from tests.support.wrong_clock import wrong_clock

ENOUGH = 60.0
"""Seconds: several times what it takes on a loaded machine."""

Started = Callable[..., OperatorProcess]


@pytest.fixture
def skewed(
    operator: OperatorProcess, operator_kubeconfig: Path, participants: ScriptedParticipants, tmp_path: Path
) -> Iterator[Callable[[float], OperatorProcess]]:
    """Starts an operator in the place of the usual one, whose clock is so many seconds ahead."""
    operator.kill()
    started: list[OperatorProcess] = []

    def start(seconds: float) -> OperatorProcess:
        env = wrong_clock(tmp_path, seconds)
        process = OperatorProcess(operator_kubeconfig, participants.url, tmp_path / "log", **env)
        process.start()
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
    operator.start()


def test_an_operator_whose_clock_is_ahead_ends_no_order_too_early(
    skewed: Callable[[float], OperatorProcess], sagas: Sagas
) -> None:
    operator = skewed(7200.0)
    sagas.create("o-ahead")
    status = sagas.wait("o-ahead", "Completed", seconds=ENOUGH)["status"]
    created = from_wire(sagas.get("o-ahead")["metadata"]["creationTimestamp"])
    assert abs(from_wire(status["startTime"]) - created) < ENOUGH
    assert "s ahead of the API server's" in operator.log.read_text()


def test_an_operator_whose_clock_is_behind_misses_no_deadline(
    skewed: Callable[[float], OperatorProcess], sagas: Sagas, participants: ScriptedParticipants
) -> None:
    skewed(-7200.0)
    participants.say("o-behind", DO["payment"], always=refused("running", "wait"))
    sagas.create("o-behind", activeDeadlineSeconds=2)
    status = sagas.wait("o-behind", "Compensated", seconds=ENOUGH)["status"]
    assert status["failure"]["reason"] == "DeadlineExceeded"


def test_no_order_pays_for_a_time_without_an_operator(operator: OperatorProcess, sagas: Sagas) -> None:
    """Its deadline passes while nobody works; the Lease says that nobody did."""
    operator.kill()
    sagas.create("o-without", activeDeadlineSeconds=10)
    time.sleep(12)
    operator.start()
    assert sagas.wait("o-without", "Completed", "Compensated", seconds=ENOUGH)["status"]["phase"] == "Completed"


@pytest.mark.usefixtures("operator")
def test_no_order_pays_for_a_participant_that_is_down(sagas: Sagas, participants: ScriptedParticipants) -> None:
    names = [f"o-patient-by-clock-{number}" for number in range(7)]
    for name in names:
        participants.say(name, DO["payment"], always=Reply(0))
    for name in names:
        sagas.create(name, activeDeadlineSeconds=10)

    def all_wait() -> bool:
        return all(sagas.condition(name, "WaitingForDownstream") for name in names)

    wait_until(all_wait, "all of them to wait", seconds=ENOUGH)
    assert all(sagas.status(name)["waitingSince"] for name in names)
    cancelled, *others = names
    sagas.patch(cancelled, state="Cancelled")
    sagas.wait(cancelled, "Compensated", seconds=ENOUGH)
    created = from_wire(sagas.get(names[-1])["metadata"]["creationTimestamp"])
    wait_until(lambda: time.time() > created + 12, "the deadlines to pass")
    for name in names:
        participants.say(name, DO["payment"])
    for name in others:
        status = sagas.wait(name, "Completed", "Compensated", seconds=ENOUGH)["status"]
        assert (status["phase"], status["waitedSeconds"] > 0) == ("Completed", True)
        assert "waitingSince" not in status
