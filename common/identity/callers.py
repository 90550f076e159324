"""Which callers an installation knows, by the exact subject of their tokens."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from common.identity.tokens import Identity
from common.services import SERVICES


class Role(StrEnum):
    """What a caller is to the services."""

    OPERATOR = "operator"
    """Calls the steps of sagas, and hands finished ones to the archive."""
    SERVICE = "service"
    """One of the five services."""
    AUDITOR = "auditor"
    """Reads everything, changes nothing."""
    STAFF = "staff"
    """The shop's own people and tools: reads everything; products, stock, parcels, addresses, contacts."""


ACCOUNTS: Final[Mapping[str, Role]] = {
    "ordersaga-operator": Role.OPERATOR,
    "ordersaga-audit": Role.AUDITOR,
    "ordersaga-staff": Role.STAFF,
    **{f"{name}-service": Role.SERVICE for name in SERVICES},
}
"""The ServiceAccounts of the chart."""


def audience_of(service: str) -> str:
    """The audience of the tokens for this service: `payment.ordersaga.io`."""
    return f"{service}.ordersaga.io"


class Callers:
    """The callers of one installation."""

    def __init__(self, namespace: str, staff: Iterable[str] = ()) -> None:
        """`staff`: subjects of ServiceAccounts elsewhere that count as the shop's people."""
        self._roles = {f"system:serviceaccount:{namespace}:{name}": role for name, role in ACCOUNTS.items()}
        self._roles |= dict.fromkeys(staff, Role.STAFF)

    def role_of(self, identity: Identity) -> Role | None:
        """None for a stranger, however authentic."""
        return self._roles.get(identity.subject)
