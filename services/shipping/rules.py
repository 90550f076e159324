"""The rules of shipping, without a database: where we deliver, and which step may follow which."""

from collections.abc import Mapping
from typing import Any

from services.shipping.models import ShipmentStatus

# The European Union, its neighbours with a customs agreement, and the countries our test carrier knows. Nobody delivers
# to AQ (Antarctica): it is the country that tests and demonstrations use for a refusal.
_SERVED = """
AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK
CH GB IS LI NO AU CA JP NZ US
"""
SERVED_COUNTRIES = frozenset(_SERVED.split())


def why_not(address: Mapping[str, Any] | None) -> str | None:
    """The reason (`address_unknown`, `not_serviceable`) why nothing can be sent to this address, or None."""
    if address is None:
        return "address_unknown"
    return None if address["country"] in SERVED_COUNTRIES else "not_serviceable"


# A parcel's way. Cancelling is no step of it: it goes through the saga's undo, and ends with the hand-over.
_NEXT: dict[ShipmentStatus, ShipmentStatus] = {
    "scheduled": "handed_over",
    "handed_over": "in_transit",
    "in_transit": "delivered",
}


def may_follow(current: ShipmentStatus, wanted: ShipmentStatus) -> bool:
    """Whether a shipment may go from one status to the other; steps can't be left out."""
    return _NEXT.get(current) == wanted


def next_status(current: ShipmentStatus) -> ShipmentStatus | None:
    """The one status that may follow, or None at the end of the way."""
    return _NEXT.get(current)


def may_cancel(current: ShipmentStatus) -> bool:
    """Until the parcel is in the carrier's hands."""
    return current == "scheduled"


def shipping_id_of(order_id: str) -> str:
    """One shipment per order, so its id follows from the order's: a repeat can't make a second one."""
    return f"s-{order_id}"


def order_id_of(shipping_id: str) -> str | None:
    """The order of a shipment's id, or None if it isn't the id of a shipment."""
    return shipping_id[2:] if shipping_id.startswith("s-") else None
