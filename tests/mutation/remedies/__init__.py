"""Each remedy against a hazard, what taking it out looks like, and the test that must notice."""

from tests.mutation.remedies.decisions import DECISIONS
from tests.mutation.remedies.engine import ENGINE
from tests.mutation.remedies.participants import PARTICIPANTS
from tests.mutation.remedies.remedy import Remedy
from tests.mutation.remedies.resource import RESOURCE

__all__ = ["REMEDIES", "Remedy"]

REMEDIES = (*PARTICIPANTS, *DECISIONS, *ENGINE, *RESOURCE)
