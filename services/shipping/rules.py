"""The rules of shipping, without a database: where we deliver, and which step may follow which."""

from services.shipping.models import Address, Status

# The European Union, its neighbours with a customs agreement, and the countries that the test carrier knows. AQ
# (Antarctica) isn't among them: tests and demonstrations use it for a refusal.
_SERVED = """
AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK
CH GB IS LI NO AU CA JP NZ US
"""
SERVED_COUNTRIES = frozenset(_SERVED.split())


def why_not(address: Address | None) -> str | None:
    """The code of the reason (`address_unknown`, `not_serviceable`) why we can't deliver there; None if we can."""
    if address is None:
        return "address_unknown"
    return None if address.country in SERVED_COUNTRIES else "not_serviceable"


# A parcel's progress. Cancelling is no step of it: the saga's undo does that, until the hand-over.
_NEXT: dict[str, Status] = {
    "scheduled": "handed_over",
    "handed_over": "in_transit",
    "in_transit": "delivered",
}


def may_follow(current: str, wanted: Status) -> bool:
    """Whether a shipment may go from `current` to `wanted`; no step may be left out."""
    return _NEXT.get(current) == wanted


def next_status(current: str) -> Status | None:
    """The one status that may follow, or None if no status may."""
    return _NEXT.get(current)


def may_cancel(current: str) -> bool:
    """Whether the parcel is still here, so that its booking can be cancelled."""
    return current == "scheduled"


def shipping_id_of(order_id: str) -> str:
    """An order has one shipment, so its id follows from the order's: a repeated call can't make a second one."""
    return f"s-{order_id}"


def order_id_of(shipping_id: str) -> str | None:
    """The order of a shipment's id, or None if it isn't the id of a shipment."""
    return shipping_id.removeprefix("s-") if shipping_id.startswith("s-") else None
