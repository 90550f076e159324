"""Who places, sees and cancels orders, and which of them are theirs. Pure.

An order of somebody else is to a customer as if it didn't exist: what isn't theirs is put away before it is looked at,
so that every answer is the same as for an order that nobody has placed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request

from common.identity.callers import Caller
from common.web.guard import NotAllowed
from common.web.request_state import RequestState

T = TypeVar("T", bound=Mapping[str, Any])


@dataclass(frozen=True, slots=True)
class Client:
    """A caller of the routes for clients; None in development, where everybody sees everything."""

    caller: Caller | None = None

    @property
    def own(self) -> str | None:
        """The customer whose orders alone they see; None: everybody's."""
        return self.caller.customer_id if self.caller is not None else None

    @property
    def name(self) -> str:
        """Who they are, for the resource; empty if nobody has asked."""
        return self.caller.name if self.caller is not None else ""

    @property
    def key_scope(self) -> str:
        """Before an Idempotency-Key: it belongs to the client that used it."""
        return f"{self.caller.name}\n" if self.caller is not None else ""

    @property
    def id_scope(self) -> str:
        """Before an Idempotency-Key that an id is made of, beside the customer's id. No key has a line feed."""
        return self.key_scope if self.own is None else ""

    def may_see(self, customer_id: object) -> bool:
        """Whether an order of this customer is theirs."""
        return self.own is None or self.own == customer_id

    def document(self, found: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """The document, if it is of an order of theirs, or of none that was ever created."""
        return found if found is None or "customer_id" not in found or self.may_see(found["customer_id"]) else None

    def resource(self, found: T | None) -> T | None:
        """The resource, or the story of one, if it is theirs."""
        return found if found is None or self.may_see(_customer_of(found)) else None

    def require_own(self, customer_id: str) -> None:
        """Raises NotAllowed: a customer orders for themselves."""
        if not self.may_see(customer_id):
            raise NotAllowed("you can place orders for yourself only: send your own customer_id")

    def require_own_data(self, customer_id: str) -> None:
        """Raises NotAllowed: a customer erases their own data."""
        if not self.may_see(customer_id):
            raise NotAllowed("you can erase your own data only: send your own customer_id")

    def listed(self, customer_id: str | None) -> str | None:
        """Whose orders a list shows, if it asks for this customer's; None: everybody's. Raises NotAllowed."""
        if customer_id is not None and not self.may_see(customer_id):
            raise NotAllowed("you can list your own orders only: leave customer_id out")
        return customer_id if self.own is None else self.own


EVERYBODY = Client()
"""Sees everything: the service itself."""


async def client_of(request: Request) -> Client:
    """A dependency: who makes the request."""
    return Client(RequestState.of(request.scope).identified)


def _customer_of(resource: Mapping[str, Any]) -> object:
    spec = resource.get("spec")
    return spec.get("customerID") if isinstance(spec, dict) else None
