"""No part of the operator dies in silence: the process ends and says why, or the trouble is of one request alone."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from dev.stack.pytest_plugin import TestControlPlane
from tests.operator.conftest import NAMESPACE, OperatorProcess, Operators, Sagas, wait_until
from tests.operator.faulty import PARTS, POISONED, REPAIRED

ELSEWHERE = "sagas-of-faulty-operators"
NAMES = {
    "lease": "the renewal of the Lease has failed: ValueError",
    "resync": "the resync has failed: ValueError",
    "finalizers": "the removal of finalizers has failed: ValueError",
    "events": "the sending of Events has failed: ValueError",
    "acquisition": "the acquisition of the Lease has failed: ValueError",
    "cancelled": "the renewal of the Lease has failed: CancelledError",
    "cancelled-acquisition": "the acquisition of the Lease was cancelled",
    "ends": "the sending of Events has ended",
}


BRIEF = {"ORDERSAGA_LEASE_RENEW": "0.3", "ORDERSAGA_LEASE_DURATION": "1"}


@pytest.fixture
def elsewhere(control_plane: TestControlPlane, operators: Operators) -> Callable[..., OperatorProcess]:
    """Starts an operator where it has nothing to do."""
    control_plane.administrator.install(ELSEWHERE)

    def start(identity: str, **options: Any) -> OperatorProcess:
        return operators.start(identity, kubeconfig=control_plane.kubeconfig, ORDERSAGA_NAMESPACE=ELSEWHERE, **options)

    return start


def test_a_part_that_dies_ends_the_process_which_says_which_one_and_why(
    elsewhere: Callable[..., OperatorProcess],
) -> None:
    assert {*PARTS, "ends", "cancelled", "cancelled-acquisition"} == set(NAMES)
    running = {fault: elsewhere(fault, faulty=fault, ORDERSAGA_LEASE_NAME=f"faulty-{fault}") for fault in NAMES}
    for fault, process in running.items():
        assert process.process is not None
        assert process.process.wait(60) == 1
        said = [line for line in process.log.read_text().splitlines() if "the operator ends" in line]
        assert len(said) == 1
        assert NAMES[fault] in said[0]


@pytest.mark.usefixtures("resting")
def test_a_watch_that_ends_with_an_error_is_begun_again_by_the_same_process(sagas: Sagas, operators: Operators) -> None:
    faulty = operators.start("watching", faulty="watch")
    sagas.create("o-after-the-error")
    sagas.wait("o-after-the-error", "Completed", seconds=60)
    assert faulty.runs
    assert "the watch has ended, beginning again" in faulty.log.read_text()


@pytest.mark.usefixtures("resting")
def test_a_kubeconfig_that_is_being_rewritten_stops_nothing(
    operator_kubeconfig: Path, sagas: Sagas, operators: Operators, tmp_path: Path
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    good = operator_kubeconfig.read_text()
    kubeconfig.write_text(good)
    lasting = BRIEF | {"ORDERSAGA_LEASE_DURATION": "2"}
    hasty = operators.start("hasty", kubeconfig=kubeconfig, faulty="hasty", **lasting)
    leases = client.CoordinationV1Api(sagas.api.api_client)

    def renewed() -> str:
        found = leases.list_namespaced_lease(NAMESPACE).items
        return next((str(lease.spec.renew_time) for lease in found if lease.spec.holder_identity == "hasty"), "")

    wait_until(renewed, "the Lease")
    for number, broken in enumerate(('clusters: [{name: "x', "7", "", "[]", "clusters:\n- na", json.dumps({}))):
        warnings = hasty.log.read_text().count("Going on with the credentials from before")
        kubeconfig.write_text(broken)
        wait_until(
            lambda seen=warnings: hasty.log.read_text().count("credentials from before") > seen + 1 or None,  # type: ignore[misc]
            f"attempts to read {broken!r}",
        )
        sagas.create(f"o-broken-config-{number}")
        sagas.wait(f"o-broken-config-{number}", "Completed")
        before = renewed()
        wait_until(lambda before=before: renewed() != before or None, "a renewal")  # type: ignore[misc]
    kubeconfig.write_text(good)
    assert hasty.runs


def worker_failures(operator: OperatorProcess) -> float:
    found = re.search(r"^ordersaga_worker_failures_total (\S+)$", operator.metrics(), re.MULTILINE)
    return float(found[1]) if found else 0.0


@pytest.mark.usefixtures("resting")
def test_a_worker_that_dies_costs_its_own_saga_alone_which_says_so_and_goes_on(
    sagas: Sagas, operators: Operators, tmp_path: Path
) -> None:
    repaired = tmp_path / "repaired"
    faulty = operators.start("faulty", faulty="worker", **{REPAIRED: str(repaired)})
    sagas.create(POISONED)
    said = wait_until(lambda: sagas.condition(POISONED, "WorkerFailed"), "the condition", 60)
    assert said["status"] == "True"
    assert "ZeroDivisionError" in said["message"]
    sagas.create("o-beside-poisoned")
    sagas.wait("o-beside-poisoned", "Completed")
    wait_until(lambda: worker_failures(faulty) >= 3 or None, "more attempts")
    repaired.touch()
    sagas.wait(POISONED, "Completed", seconds=60)
    assert sagas.condition(POISONED, "WorkerFailed") == {}
    assert ("Warning", "WorkerFailed") in sagas.events(POISONED)


def test_healthz_fails_when_the_lease_is_not_renewed_though_the_api_server_answers(
    elsewhere: Callable[..., OperatorProcess],
) -> None:
    hanging = elsewhere("hanging", faulty="hanging", **BRIEF)
    wait_until(lambda: hanging.healthz()[0] == 200 or None, "it to start")
    status, said = wait_until(lambda: answer if (answer := hanging.healthz())[0] == 503 else None, "it to fail")
    assert status == 503
    assert "lease" in said["not heard"]
    assert re.fullmatch(r"leading, not renewed for \d+ s", said["role"])
    assert "ordersaga_leader 0.0" in hanging.metrics()
    hanging.kill()


@pytest.mark.slow
def test_an_api_server_that_is_away_is_no_reason_to_restart(
    operator_kubeconfig: Path, operators: Operators, tmp_path: Path
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    config = json.loads(operator_kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    kubeconfig.write_text(json.dumps(config))
    alone = operators.start("alone", kubeconfig=kubeconfig, faulty="nothing", **BRIEF)
    wait_until(lambda: alone.healthz()[0] == 200 or None, "it to start")
    until = time.monotonic() + 5
    while time.monotonic() < until:
        assert alone.healthz()[0] == 200
        time.sleep(0.2)
    alone.kill()
