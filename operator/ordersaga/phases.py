"""The phases of a saga, as its resource shows them in `status.phase` (crds/ordersaga.yaml). Pure."""

from enum import StrEnum
from typing import Final


class Phase(StrEnum):
    """One word for how far a saga is. A resource without one is Pending: the operator has not seen it yet."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    COMPENSATING = "Compensating"
    COMPLETED = "Completed"
    COMPENSATED = "Compensated"
    FAILED = "Failed"


FINISHED: Final = frozenset({Phase.COMPLETED, Phase.COMPENSATED})
"""The saga has ended, and nothing has to be done. Failed is not among them: a person has to decide."""
