"""Bad weather at the API server: it is overloaded, forgets versions, loses answers; its watch ends or goes silent."""

import base64
import itertools
import json
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.stack.pytest_plugin import TestControlPlane
from saga_operator.process.steps import ORDER_SAGA
from saga_operator.resource.body import LIVE
from tests.operator.apiserver.apiproxy import ApiFault, ApiProxy, Request
from tests.operator.conftest import OperatorProcess, Sagas, wait_until
from tests.operator.scripted import Reply, ScriptedParticipants

NAMESPACE = "sagas-in-bad-weather"
WITHOUT_A_RESYNC = pytest.mark.parametrize("sweep_interval", ["3600"])
"""It must be the watch that tells."""
AN_ATTEMPT = 2.5
"""Seconds within which a saga that is worked on is tried again."""
FORWARD_PATHS = [str(step.do) for step in ORDER_SAGA]
FORWARD = ["create", "reserve", "process", "schedule", "confirm", "send"]


@pytest.fixture(scope="module")
def sagas(control_plane: TestControlPlane) -> Sagas:
    """In a namespace that no other operator watches."""
    control_plane.administrator.install(NAMESPACE)
    return Sagas(control_plane.kubeconfig, NAMESPACE)


@pytest.fixture
def proxy(control_plane: TestControlPlane, sagas: Sagas, tmp_path: Path) -> Iterator[ApiProxy]:
    kubeconfig = control_plane.administrator.identity("ordersaga-operator", NAMESPACE, tmp_path)
    cluster = json.loads(kubeconfig.read_text())["clusters"][0]["cluster"]
    proxy = ApiProxy(control_plane.url, base64.b64decode(cluster["certificate-authority-data"]).decode())
    yield proxy
    proxy.stop()


@pytest.fixture
def sweep_interval() -> str:
    """Seconds between two resyncs, which find what the watch has missed."""
    return "2"


@pytest.fixture
def operator(
    proxy: ApiProxy, participants: ScriptedParticipants, tmp_path: Path, sweep_interval: str
) -> Iterator[OperatorProcess]:
    kubeconfig = tmp_path / "ordersaga-operator.kubeconfig"
    config = json.loads(kubeconfig.read_text())
    config["clusters"][0]["cluster"] = {"server": proxy.url}
    kubeconfig.write_text(json.dumps(config))
    env = {"ORDERSAGA_NAMESPACE": NAMESPACE, "ORDERSAGA_SWEEP_INTERVAL": sweep_interval}
    operator = OperatorProcess(kubeconfig, participants.url, tmp_path / "operator.log", "weather", **env)
    operator.start()
    wait_until(lambda: any(each.answered == 200 for each in proxy.watches()) or None, "the watch", seconds=60)
    yield operator
    assert operator.process is not None
    assert operator.process.poll() is None, "it ended by itself:\n" + operator.log.read_text()[-3000:]
    operator.kill()


def until_released(sagas: Sagas, *names: str) -> None:
    def held() -> list[str]:
        return [name for name in names if sagas.get(name)["metadata"].get("finalizers")]

    wait_until(lambda: not held(), "the finalizers to go", 60)


def steps(participants: ScriptedParticipants, name: str) -> list[str]:
    return [path.rsplit("/", 1)[-1] for path in participants.paths(name)]


def status_write(name: str) -> "ApiFault":
    def concerns(request: Request) -> bool:
        return request.method == "PUT" and request.path.endswith(f"/{name}/status")

    return ApiFault(concerns)


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_status_write_that_is_refused_waits_as_long_as_it_is_told(
    status: int, sagas: Sagas, proxy: ApiProxy, participants: ScriptedParticipants
) -> None:
    name = f"o-refused-{status}"
    fault = status_write(name)
    fault.status, fault.headers, fault.times = status, {"Retry-After": "2"}, 2
    proxy.faults.append(fault)
    sagas.create(name)
    sagas.wait(name, "Completed", seconds=60)
    assert steps(participants, name) == FORWARD
    writes = [each for each in proxy.requests if fault.concerns(each)]
    assert [each.answered for each in writes[:2]] == [status, status]
    assert all(later.at - earlier.at >= 2.0 for earlier, later in itertools.pairwise(writes[:3]))


@pytest.mark.usefixtures("operator")
def test_a_status_write_whose_answer_is_lost_is_made_again_and_no_call_is(
    sagas: Sagas, proxy: ApiProxy, participants: ScriptedParticipants
) -> None:
    fault = status_write("o-lost-answer")
    fault.lose = True
    proxy.faults.append(fault)
    sagas.create("o-lost-answer")
    sagas.wait("o-lost-answer", "Completed", seconds=60)
    assert steps(participants, "o-lost-answer") == FORWARD
    assert fault.times == 0
    wait_until(lambda: 409 in [each.answered for each in proxy.requests if fault.concerns(each)], "the repeated write")


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize("status", [429, 503])
def test_a_resync_that_may_not_list_comes_back_when_it_is_told(status: int, proxy: ApiProxy) -> None:
    def concerns(request: Request) -> bool:
        return request.method == "GET" and request.selector == LIVE and not request.watch

    before = len(proxy.requests)
    proxy.faults.append(ApiFault(concerns, status, {"Retry-After": "3"}))
    lists = wait_until(
        lambda: (found := [each for each in proxy.requests[before:] if concerns(each)])[2:] and found,
        "the lists after a refused one",
        seconds=60,
    )
    refused = next(number for number, each in enumerate(lists) if each.answered == status)
    assert lists[refused + 1].at - lists[refused].at >= 3.0


def is_missed(order: str, operator: OperatorProcess) -> bool | None:
    return any(order in line and "is gone" in line for line in operator.log.read_text().splitlines()) or None


@WITHOUT_A_RESYNC
@pytest.mark.parametrize("how", ["as an answer", "in the stream", "as another error"])
def test_a_watch_from_a_forgotten_version_misses_nothing(
    how: str, operator: OperatorProcess, sagas: Sagas, proxy: ApiProxy, participants: ScriptedParticipants
) -> None:
    suffix = how.replace(" ", "-")
    kept, deleted, created = (f"o-gone-{each}-{suffix}" for each in ("kept", "deleted", "created"))
    for name in (kept, deleted):
        participants.say(name, "/api/shipping/schedule", always=Reply(503))
        sagas.create(name, retry={"maxAttempts": 20, "initialBackoffSeconds": 1, "maxBackoffSeconds": 1})
        wait_until(lambda n=name: sagas.step(n, "shipping").get("attempts"), f"{name} to try")
    refusals = ApiFault(lambda request: request.watch, status=503, times=10_000)
    proxy.faults.append(refusals)
    proxy.end_watches()
    sagas.api.patch_namespaced_custom_object(
        "ordersaga.io", "v1alpha1", NAMESPACE, "ordersagas", deleted, {"metadata": {"finalizers": None}}
    )
    sagas.delete(deleted)
    sagas.create(created)
    gone = ApiFault(lambda request: request.watch, status=410 if how == "as an answer" else 0, gone=True)
    gone.code = 500 if how == "as another error" else 410
    proxy.faults.insert(0, gone)
    refusals.times = 0
    sagas.wait(created, "Completed", seconds=60)
    wait_until(lambda: gone.times == 0, "the watch to meet its 410", seconds=60)
    # Found by its next write: what is only progress may wait up to ten seconds for a crowded API server
    wait_until(lambda: is_missed(deleted, operator), f"{deleted} to be missed", seconds=60)
    after = len(participants.of(deleted))
    participants.say(kept, "/api/shipping/schedule")
    sagas.wait(kept, "Completed", seconds=60)
    time.sleep(AN_ATTEMPT)
    assert len(participants.of(deleted)) == after, "a saga whose resource is gone is still being worked on"
    assert "the watch has ended" not in operator.log.read_text(), "every saga was begun again for one line of the watch"


@WITHOUT_A_RESYNC
@pytest.mark.usefixtures("operator")
def test_a_watch_that_ends_is_begun_again(sagas: Sagas, proxy: ApiProxy) -> None:
    before = len(proxy.watches())
    proxy.end_watches()
    wait_until(lambda: len(proxy.watches()) > before or None, "another watch", seconds=60)
    sagas.create("o-after-the-watch")
    sagas.wait("o-after-the-watch", "Completed", seconds=60)


@pytest.mark.usefixtures("operator")
def test_a_watch_that_goes_silent_does_not_keep_a_saga_waiting(sagas: Sagas, proxy: ApiProxy) -> None:
    """The resync finds the saga; kopf's own limit for a silent watch is longer than this test."""
    before = len(proxy.watches())
    proxy.silence()
    sagas.create("o-in-the-silence")
    sagas.wait("o-in-the-silence", "Completed", seconds=40)
    assert len(proxy.watches()) == before


@WITHOUT_A_RESYNC
@pytest.mark.usefixtures("operator")
def test_when_a_renewal_of_the_lease_gets_no_answer_the_watch_takes_a_new_connection_as_well(
    sagas: Sagas, proxy: ApiProxy
) -> None:
    """As behind a load balancer that has forgotten its connections: they stay open, and carry nothing any more."""
    before = len(proxy.watches())
    proxy.silence()
    a_renewal = lambda request: request.method == "PUT" and "/leases/" in request.path  # noqa: E731
    proxy.faults.append(ApiFault(a_renewal, lose=True, times=3))
    wait_until(lambda: len(proxy.watches()) > before or None, "another watch", seconds=40)
    sagas.create("o-over-a-new-connection")
    sagas.wait("o-over-a-new-connection", "Completed", seconds=40)


@pytest.mark.usefixtures("operator")
@WITHOUT_A_RESYNC
def test_a_watch_that_resumes_after_the_echoes_of_our_own_writes_misses_nothing(
    sagas: Sagas, proxy: ApiProxy, participants: ScriptedParticipants
) -> None:
    """kopf resumes from the last event that it was given, which the echoes of our own writes aren't."""
    for number in range(5):
        before, after = f"o-echo-{number}", f"o-after-echo-{number}"
        participants.say(before, "/api/payments/process", Reply(200, {"order_id": before}, delay=0.5))
        sagas.create(before)
        sagas.wait(before, "Completed")
        proxy.end_watches()
        sagas.create(after)
        sagas.wait(after, "Completed")
        assert steps(participants, before) == steps(participants, after) == FORWARD


@pytest.mark.parametrize("sweep_interval", ["3600"])
def test_a_busy_api_server_gets_one_write_for_each_saga_and_no_event(
    sagas: Sagas, proxy: ApiProxy, participants: ScriptedParticipants, operator: OperatorProcess
) -> None:
    for number in range(3):  # how quick it is when it has nothing else to do
        sagas.create(f"o-quick-{number}")
        sagas.wait(f"o-quick-{number}", "Completed")
    until_released(sagas, *(f"o-quick-{number}" for number in range(3)))  # or these writes are taken for those below
    proxy.faults.append(
        ApiFault(
            lambda request: "/ordersagas/" in request.path and request.method in ("PUT", "PATCH"), delay=1.5, times=1000
        )
    )
    names = [f"o-busy-{number}" for number in range(24)]
    operator.signal(signal.SIGSTOP)
    for number, name in enumerate(names):
        for path in FORWARD_PATHS:
            participants.say(name, path, Reply(200, {"order_id": name}, delay=0.1 + 0.02 * number))
        sagas.create(name)
    before = len(proxy.requests)
    operator.signal(signal.SIGCONT)
    for name in names:
        sagas.wait(name, "Completed", seconds=60)
    writes = [
        request
        for request in proxy.requests[before:]
        if request.method != "GET" and not (request.is_of_the_lease or request.is_of_a_participant)
    ]
    statuses = Counter(request.path for request in writes if request.path.endswith("/status"))
    assert len(statuses) == len(names)
    assert sum(statuses.values()) <= len(names) + 4, "before the first saga has ended a few writes find out"
    assert [request.path for request in writes if request.path not in statuses] == [], "no Event, no finalizer"
    proxy.faults.clear()
    until_released(sagas, *names)


@pytest.mark.parametrize("status", [404, 403], ids=["the definition", "the right"])
def test_without_participants_the_settings_are_all_that_counts(
    proxy: ApiProxy, sagas: Sagas, participants: ScriptedParticipants, tmp_path: Path, status: int
) -> None:
    """An API server that says of every Participant what one without the definition says, or without the Role."""
    about = ApiFault(lambda request: "/participants" in request.path, status=status, times=10_000)
    proxy.faults.append(about)
    kubeconfig = tmp_path / "ordersaga-operator.kubeconfig"
    config = json.loads(kubeconfig.read_text())
    config["clusters"][0]["cluster"] = {"server": proxy.url}
    kubeconfig.write_text(json.dumps(config))
    log = tmp_path / "operator.log"
    operator = OperatorProcess(kubeconfig, participants.url, log, "without", ORDERSAGA_NAMESPACE=NAMESPACE)
    operator.start()
    try:
        name = f"o-without-{status}"
        sagas.create(name)
        sagas.wait(name, "Completed", seconds=60)
        assert "going by the settings" in log.read_text()
    finally:
        operator.kill()
