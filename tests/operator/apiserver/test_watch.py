"""What changes under a watch: the definition comes later or again, the authority is another one, etcd is restored.

Each is tried on a control plane of its own, with an operator whose resync is far away: it must be the watch that tells.
"""

import base64
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dev.stack.parts import certificates
from dev.stack.parts.control_plane import ControlPlane
from dev.stack.processes import answers, wait_ready
from tests.operator.conftest import OperatorProcess, Sagas, wait_until
from tests.operator.scripted import ScriptedParticipants

NAMESPACE = "shop"
NO_RESYNC = 3600.0
PATIENCE = 60.0


class Plane:
    """A control plane of a test's own, and an operator on it."""

    def __init__(self, folder: Path, participants: ScriptedParticipants) -> None:
        self.folder = folder
        self.control = ControlPlane(folder, fsync=False)
        self.kubectl = self.control.administrator.kubectl
        self._participants = participants
        self.operators: list[OperatorProcess] = []

    @property
    def sagas(self) -> Sagas:
        """A new one each time: a client of the tests' keeps the certificates that it was made with."""
        return Sagas(self.control.administrator.kubeconfig, NAMESPACE)

    def operator(self, sweep: float = NO_RESYNC) -> OperatorProcess:
        self.kubeconfig = self.control.administrator.identity("ordersaga-operator", NAMESPACE, self.folder)
        env = {"ORDERSAGA_NAMESPACE": NAMESPACE, "ORDERSAGA_SWEEP_INTERVAL": str(sweep)}
        operator = OperatorProcess(self.kubeconfig, self._participants.url, self.folder / "log", "plane", **env)
        operator.start()
        self.operators.append(operator)
        return operator

    def kill(self) -> None:
        self.control.apiserver.kill()
        self.control.etcd.kill()

    def start(self) -> None:
        self.control.start()
        wait_ready([self.control.etcd, self.control.apiserver])


@contextmanager
def a_plane(folder: Path, participants: ScriptedParticipants, *, defined: bool) -> Iterator[Plane]:
    plane = Plane(folder, participants)
    with plane.control.running(NAMESPACE, defined=defined):
        yield plane
        for operator in plane.operators:
            operator.kill()


@pytest.fixture
def plane(tmp_path: Path, participants: ScriptedParticipants) -> Iterator[Plane]:
    with a_plane(tmp_path, participants, defined=True) as plane:
        yield plane


@pytest.fixture
def plane_without_definition(tmp_path: Path, participants: ScriptedParticipants) -> Iterator[Plane]:
    with a_plane(tmp_path, participants, defined=False) as plane:
        yield plane


def is_ready(operator: OperatorProcess) -> bool:
    return answers(f"http://127.0.0.1:{operator.port}/readyz")


def is_seen(plane: Plane, name: str) -> None:
    """An order and a wish are seen, which only the watch can have told."""
    sagas = plane.sagas
    sagas.create(name, state="Suspended")
    sagas.wait(name, "Suspended", seconds=PATIENCE)
    sagas.patch(name, state="Active")
    sagas.wait(name, "Completed", seconds=PATIENCE)


@pytest.mark.slow
@pytest.mark.timeout(300)  # an API server that looked too early whether a definition may go looks again after a minute
def test_a_definition_that_comes_later_or_again_is_watched(plane_without_definition: Plane) -> None:
    plane = plane_without_definition
    operator = plane.operator()
    wait_until(lambda: "can't be watched yet" in operator.log.read_text() or None, "the operator to wait", PATIENCE)
    assert not is_ready(operator)
    for round_ in ("later", "again"):
        plane.control.administrator.define()
        wait_until(lambda: is_ready(operator) or None, "the operator to be ready", PATIENCE)
        is_seen(plane, f"o-defined-{round_}")
        if round_ == "later":
            plane.kubectl("delete", "crd", "ordersagas.ordersaga.io", "--wait=false")
            plane.kubectl("wait", "--for=delete", "--timeout=150s", "crd/ordersagas.ordersaga.io")
            wait_until(lambda: not is_ready(operator) or None, "the operator not to be ready", PATIENCE)
    assert operator.process is not None
    assert operator.process.poll() is None
    assert "the watch has ended" not in operator.log.read_text()  # back-offs and circuit breakers are kept


@pytest.mark.slow
def test_a_renewed_authority_is_believed_by_the_watch(plane: Plane) -> None:
    operator = plane.operator()
    wait_until(lambda: is_ready(operator) or None, "the operator to be ready", PATIENCE)
    is_seen(plane, "o-old-authority")
    renewed = certificates.Authority(plane.folder / "renewed")
    server = renewed.server("localhost")
    folder = plane.folder / "certificates"
    plane.control.apiserver.kill()
    (folder / "apiserver.crt").write_bytes(server.certificate)
    certificates.write_private(folder / "apiserver.key", server.key)
    for path in (plane.kubeconfig, plane.control.administrator.kubeconfig):
        config = json.loads(path.read_text())
        data = base64.b64encode(renewed.certificate_file.read_bytes()).decode()
        config["clusters"][0]["cluster"]["certificate-authority-data"] = data
        path.write_text(json.dumps(config))
    plane.control.apiserver.start()
    wait_until(lambda: plane.kubectl("get", "--raw", "/readyz", check=False).returncode == 0 or None, "it", PATIENCE)
    is_seen(plane, "o-new-authority")


@pytest.mark.slow
def test_a_restored_etcd_is_noticed_and_wishes_are_seen_again(plane: Plane) -> None:
    """Versions go backwards: the watch stands at one that never was, and what waits is remembered as newer."""
    operator = plane.operator(sweep=2.0)
    sagas = plane.sagas
    sagas.create("o-back", state="Suspended")
    sagas.wait("o-back", "Suspended", seconds=PATIENCE)
    copy = plane.folder / "etcd-before"
    os.kill(plane.control.etcd.pid, signal.SIGSTOP)  # its files are as after a crash at this moment
    shutil.copytree(plane.folder / "etcd", copy)
    os.kill(plane.control.etcd.pid, signal.SIGCONT)
    for number in range(50):
        sagas.patch_metadata("o-back", annotations={"x": str(number)})
    sagas.create("o-lost-by-the-restore", state="Suspended")
    sagas.wait("o-lost-by-the-restore", "Suspended", seconds=PATIENCE)
    plane.kill()
    shutil.rmtree(plane.folder / "etcd")
    copy.rename(plane.folder / "etcd")
    plane.start()
    wait_until(lambda: "etcd was restored" in operator.log.read_text() or None, "the resync to notice", PATIENCE)
    sagas.patch("o-back", state="Active")
    sagas.wait("o-back", "Completed", seconds=PATIENCE)
    operator.kill()
    log = operator.log.read_text()
    assert "o-lost-by-the-restore is gone" in log


def test_only_the_selected_are_shown_by_a_watch_from_version_0(plane: Plane) -> None:
    """What the start of the watch relies on: no list, and nothing of what has ended."""
    sagas = plane.sagas
    for name in ("o-ended", "o-live"):
        sagas.create(name)
    sagas.patch_status("o-ended", phase="Completed", steps=[{"name": "confirmation", "state": "Succeeded"}])
    began = time.monotonic()
    path = "/apis/ordersaga.io/v1alpha1/namespaces/shop/ordersagas?watch=1&resourceVersion=0&timeoutSeconds=1"
    selector = "&fieldSelector=status.phase!%3DCompleted"
    shown = plane.kubectl("get", "--raw", path + selector).stdout.splitlines()
    assert [json.loads(line)["object"]["metadata"]["name"] for line in shown] == ["o-live"]
    assert time.monotonic() - began < PATIENCE
