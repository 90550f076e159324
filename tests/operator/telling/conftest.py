"""A sink for each test, and orders in a namespace whose operators tell it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev.stack.pytest_plugin import TestControlPlane
from tests.operator.conftest import OperatorProcess, Operators, Sagas
from tests.operator.scripted import ScriptedParticipants
from tests.support.event_sink import SECRET, ScriptedSink

NAMESPACE = "sagas-of-which-others-are-told"
Start = Callable[..., OperatorProcess]


@pytest.fixture
def sink() -> Iterator[ScriptedSink]:
    sink = ScriptedSink()
    yield sink
    sink.stop()
    assert not sink.unsigned, "each event is signed"


@pytest.fixture(scope="module")
def kubeconfig(control_plane: TestControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exactly the Role that we ship."""
    control_plane.administrator.install(NAMESPACE)
    folder = tmp_path_factory.mktemp("identities")
    return control_plane.administrator.identity("ordersaga-operator", NAMESPACE, folder)


@pytest.fixture
def sagas(control_plane: TestControlPlane, kubeconfig: Path) -> Sagas:
    """In a namespace that no other operator watches."""
    return Sagas(control_plane.kubeconfig, NAMESPACE)


@pytest.fixture
def start(kubeconfig: Path, participants: ScriptedParticipants, sink: ScriptedSink, tmp_path: Path) -> Iterator[Start]:
    """Starts an operator that tells the sink. What it changes of its environment may be anything."""
    operators = Operators(kubeconfig, participants.url, tmp_path)
    secret = tmp_path / "secret"
    secret.write_text(SECRET)

    def start(identity: str = "tells", *, faulty: str = "", **env: str) -> OperatorProcess:
        told = {"ORDERSAGA_EVENTS_SINK": sink.url, "ORDERSAGA_EVENTS_SECRET": str(secret)}
        lease = {"ORDERSAGA_LEASE_DURATION": "2", "ORDERSAGA_LEASE_RENEW": "0.5"}
        return operators.start(identity, faulty=faulty, **{"ORDERSAGA_NAMESPACE": NAMESPACE, **told, **lease, **env})

    yield start
    operators.end()
