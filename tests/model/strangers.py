"""What strangers may send, and which of it a service can't tell from the operator's own calls."""

import re
from pathlib import Path
from typing import Final

from saga_operator.process.steps import ORDER_SAGA
from tests.model.participants import CALLS, STEPS, UNDO

MANUAL: Final = Path(__file__).parents[2] / "docs" / "failure-modes.md"
CAN_BE_SENT: Final = [call for call in range(len(CALLS)) if call != STEPS.index("notification") + UNDO]
"""Every route of the saga; the undo of a message is for people."""


def path(call: int) -> str:
    """The call's route."""
    step = ORDER_SAGA[call % UNDO]
    return str(step.undo if call >= UNDO else step.do)


def left_for_identities() -> set[str]:
    """The routes in the manual's list."""
    section = MANUAL.read_text().split("#### Left for identities")[1].split("\n###")[0]
    return set(re.findall(r"^- `POST (\S+)`", section, re.MULTILINE))


HARMLESS: Final = frozenset((call, False) for call in CAN_BE_SENT if path(call) not in left_for_identities())
ANYTHING: Final = frozenset((call, False) for call in CAN_BE_SENT)
FOREIGN: Final = frozenset((call, True) for call in CAN_BE_SENT)
"""With other content, or a key of another namespace."""
