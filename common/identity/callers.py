"""Which callers an installation knows, by the exact subject of their tokens."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from common.identity.tokens import Identity
from common.services import SERVICES


class Role(StrEnum):
    """What a caller is to the services."""

    OPERATOR = "operator"
    """Calls the steps of sagas, and hands finished ones to the archive."""
    AUDITOR = "auditor"
    """Reads the records of orders, changes nothing."""
    STAFF = "staff"
    """The shop's own people and tools: reads everything; products, stock, parcels, addresses, contacts."""
    ORDER_SERVICE = "order service"
    """Reads prices, and stores the address and the contact that come along with an order."""
    INVENTORY_SERVICE = "inventory service"
    """Asks how far an order is, as the two below do."""
    PAYMENT_SERVICE = "payment service"
    """Calls nobody."""
    SHIPPING_SERVICE = "shipping service"
    NOTIFICATION_SERVICE = "notification service"
    CUSTOMER = "customer"
    """A customer of the shop, or what acts for one: places, sees and cancels their own orders."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request, and whose orders they see."""

    name: str
    """For logs and resources: `customer:c-17`, `staff:ada`, or the subject of a ServiceAccount."""
    role: Role | None
    customer_id: str | None = None
    """They see this customer's orders alone; None: everybody's."""
    credential: str = ""
    """What of several credentials they came with, for the log: the id of an API key."""


ACCOUNTS: Final[Mapping[str, Role]] = {
    "ordersaga-operator": Role.OPERATOR,
    "ordersaga-audit": Role.AUDITOR,
    "ordersaga-staff": Role.STAFF,
    **{f"{name}-service": Role(f"{name} service") for name in SERVICES},
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

    @property
    def people(self) -> frozenset[str]:
        """The subjects that stand for people, who call from anywhere: their tokens are bound to no pod."""
        return frozenset(subject for subject, role in self._roles.items() if role in (Role.STAFF, Role.AUDITOR))

    def caller_of(self, identity: Identity) -> Caller:
        """Who this is to us: without a role a stranger, however authentic."""
        return Caller(identity.subject, self._roles.get(identity.subject))
