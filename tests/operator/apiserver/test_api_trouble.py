"""An API server that answers, but not with what was asked: it starts, it is overloaded, its Roles are being changed."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dev.chaos.network.http import LoopThread
from dev.chaos.network.relay import Relay
from dev.stack.processes import answers, free_port
from dev.stack.pytest_plugin import TestControlPlane
from tests.operator.conftest import OperatorProcess, wait_until
from tests.operator.scripted import ScriptedParticipants
from tests.support.samples import order

NAMESPACE = "sagas-without-rights"
LONGER_THAN_PATIENCE = 15.0
"""Seconds; with a finite list of back-offs kopf gives up after their sum, nine seconds, and the process ends."""


class Line:
    """A line to the API server that can be cut."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self._thread = LoopThread("line")
        self._relay = Relay(self.port, target)
        self._thread.call(self._relay.start())

    def cut(self) -> None:
        self._thread.loop.call_soon_threadsafe(self._relay.cut)

    def close(self) -> None:
        self._thread.call(self._relay.aclose())
        self._thread.close()


@pytest.fixture
def line(control_plane: TestControlPlane) -> Iterator[Line]:
    port = urlsplit(control_plane.url).port
    assert port is not None
    line = Line(port)
    yield line
    line.close()


@pytest.fixture
def operator_on_the_line(
    line: Line, control_plane: TestControlPlane, participants: ScriptedParticipants, tmp_path: Path
) -> Iterator[OperatorProcess]:
    control_plane.administrator.install(NAMESPACE)
    kubeconfig = control_plane.administrator.identity("ordersaga-operator", NAMESPACE, tmp_path)
    config = json.loads(kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{line.port}"
    kubeconfig.write_text(json.dumps(config))
    operator = OperatorProcess(
        kubeconfig, participants.url, tmp_path / "operator.log", "on-the-line", ORDERSAGA_NAMESPACE=NAMESPACE
    )
    operator.start()
    yield operator
    operator.kill()


@pytest.mark.slow
def test_an_operator_outlives_an_api_server_that_refuses_its_watch(
    operator_on_the_line: OperatorProcess, line: Line, control_plane: TestControlPlane
) -> None:
    operator, kubectl = operator_on_the_line, control_plane.kubectl
    wait_until(lambda: answers(f"http://127.0.0.1:{operator.port}/healthz") or None, "the operator to start")
    wait_until(lambda: "Initial authentication has finished" in operator.log.read_text() or None, "the watch")
    kubectl("--namespace", NAMESPACE, "delete", "rolebinding", "ordersaga-operator")
    line.cut()
    time.sleep(LONGER_THAN_PATIENCE)
    assert operator.process is not None
    assert operator.process.poll() is None, operator.log.read_text()[-3000:]
    control_plane.administrator.install(NAMESPACE)
    kubectl("--namespace", NAMESPACE, "create", "-f", "-", input=json.dumps(order("o-after")))
    kubectl("--namespace", NAMESPACE, "wait", "--for=condition=Ready", "--timeout=60s", "ordersaga/o-after")
