"""The means of all batches, and of those who type `kubectl saga`."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dev.setup.binaries import find
from tests.operator.conftest import NAMESPACE, OperatorProcess, Sagas
from tests.operator.requests.user_requests import Batch
from tests.operator.scripted import ScriptedParticipants

SCRIPTS = Path(sys.executable).parent


@pytest.fixture(scope="session")
def batch(operator: OperatorProcess, sagas: Sagas, participants: ScriptedParticipants) -> Batch:
    """Runs many sagas at once, with the shared operator."""
    return Batch(operator, sagas, participants)


@pytest.fixture
def saga(control_plane: Any) -> Any:
    """Types `kubectl saga …` in the tests' namespace, as administrator; kubectl finds it as a plugin in PATH."""
    kubectl = find("kubectl")

    def typed(*arguments: str, status: int | None = 0, kubeconfig: Path = control_plane.kubeconfig) -> str:
        env = {**os.environ, "PATH": f"{SCRIPTS}:{os.environ['PATH']}", "KUBECONFIG": str(kubeconfig)}
        command = [kubectl, "saga", *arguments, "-n", NAMESPACE]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
        assert status in (None, done.returncode), f"{done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    return typed
