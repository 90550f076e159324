"""The operator's own tokens: one for each participant, replaced while it runs, refused now and then."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from common.services import SERVICES
from dev.stack.pytest_plugin import TestControlPlane
from tests.operator.conftest import OperatorProcess, Sagas, wait_until
from tests.operator.scripted import Reply, ScriptedParticipants

NAMESPACE = "sagas-with-tokens"
REFUSED = Reply(401, {"code": "unauthenticated", "detail": "your token is not good"})
OWNERS = {"orders": "order", "inventory": "inventory", "payments": "payment", "shipping": "shipping",
          "notifications": "notification"}  # fmt: skip


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    folder = tmp_path / "tokens"
    folder.mkdir()
    for service in SERVICES:
        (folder / service).write_text(f"first-{service}")
    return folder


@pytest.fixture
def sagas(control_plane: TestControlPlane) -> Sagas:
    control_plane.administrator.install(NAMESPACE)
    return Sagas(control_plane.kubeconfig, NAMESPACE)


@pytest.fixture
def operator(
    control_plane: TestControlPlane, sagas: Sagas, participants: ScriptedParticipants, tokens: Path, tmp_path: Path
) -> Iterator[OperatorProcess]:
    kubeconfig = control_plane.identity("ordersaga-operator", NAMESPACE)
    env = {"ORDERSAGA_NAMESPACE": NAMESPACE, "ORDERSAGA_TOKENS": str(tokens)}
    operator = OperatorProcess(kubeconfig, participants.url, tmp_path / "operator.log", "tokens", **env)
    operator.start()
    yield operator
    operator.kill()


@pytest.mark.usefixtures("operator")
def test_each_participant_sees_its_own_token_alone(sagas: Sagas, participants: ScriptedParticipants) -> None:
    sagas.create("o-tokens")
    sagas.wait("o-tokens", "Completed", seconds=60)
    for call in participants.of("o-tokens"):
        assert call.authorization == f"Bearer first-{OWNERS[call.path.split('/')[2]]}"


@pytest.mark.usefixtures("operator")
def test_a_token_that_was_replaced_early_is_used_for_the_next_attempt(
    sagas: Sagas, participants: ScriptedParticipants, tokens: Path
) -> None:
    """As after a rotation of the cluster's keys: the kubelet replaces the tokens, and the old ones are refused."""
    participants.say("o-rotated", "/api/payments/process", REFUSED)
    sagas.create("o-warm")
    sagas.wait("o-warm", "Completed", seconds=60)  # all tokens were read just now
    (tokens / "payment").write_text("second-payment")
    sagas.create("o-rotated", retry={"maxAttempts": 20, "initialBackoffSeconds": 1, "maxBackoffSeconds": 1})
    sagas.wait("o-rotated", "Completed", seconds=60)
    charged = [call.authorization for call in participants.of("o-rotated") if call.path == "/api/payments/process"]
    assert charged == ["Bearer first-payment", "Bearer second-payment"]


@pytest.mark.usefixtures("operator")
def test_no_order_is_rolled_back_because_the_operator_is_not_let_in(
    sagas: Sagas, participants: ScriptedParticipants
) -> None:
    names = [f"o-locked-out-{number}" for number in range(8)]
    for name in names:
        participants.say(name, "/api/shipping/schedule", always=REFUSED)
        sagas.create(name, retry={"maxAttempts": 3, "initialBackoffSeconds": 2, "maxBackoffSeconds": 2})
    for name in names:
        wait_until(lambda n=name: sagas.condition(n, "WaitingForDownstream").get("status") == "True", f"{name} to wait")
    for name in names:
        participants.say(name, "/api/shipping/schedule")
    for name in names:
        sagas.wait(name, "Completed", seconds=60)
