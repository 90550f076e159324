"""The means of all batches."""

import pytest

from tests.operator.conftest import OperatorProcess, Sagas
from tests.operator.requests.user_requests import Batch
from tests.operator.scripted import ScriptedParticipants


@pytest.fixture(scope="session")
def batch(operator: OperatorProcess, sagas: Sagas, participants: ScriptedParticipants) -> Batch:
    """Runs many sagas at once, with the shared operator."""
    return Batch(operator, sagas, participants)
