"""The books of goods: the units that an order holds, its shipment, and the carrier's ledger."""

from collections import Counter
from collections.abc import Iterator

from ordersaga.audit.rules.findings import Finding
from ordersaga.audit.rules.outcome import Ending, Fate
from ordersaga.audit.rules.records import Kind, Papers, units

HELD = ("reserved", "dispatched")
LIVE = ("scheduled", "handed_over", "in_transit", "delivered")


def goods(papers: Papers, ending: Ending, namespace: str) -> Iterator[Finding]:
    """Completed: its units reserved or dispatched, one live shipment. Compensated: no units, no live shipment."""
    yield from _units(papers, ending, namespace)
    yield from _shipment(papers, ending, namespace)


def _units(papers: Papers, ending: Ending, namespace: str) -> Iterator[Finding]:
    held = Counter[str]()
    for reservation in papers.of(Kind.RESERVATION):
        if reservation.get("status") in HELD:
            held += units(reservation["lines"])
    ordered = papers.ordered if ending.fate is Fate.ALL else Counter[str]()
    if held == ordered:
        return
    direction, path = ("undo", "release") if held > ordered else ("do", "reserve")
    yield Finding(
        papers.order_id,
        "units",
        f"{ending.known_by}, but holds {dict(held)} instead of {dict(ordered)}",
        f"POST /api/inventory/{path} with Idempotency-Key {namespace}/{papers.order_id}/inventory/{direction}; count "
        "the shelf if that changes nothing",
    )


def _shipment(papers: Papers, ending: Ending, namespace: str) -> Iterator[Finding]:
    expected = int(ending.fate is Fate.ALL)
    live = [each for each in papers.of(Kind.SHIPMENT) if each.get("status") in LIVE]
    advice = (
        f"POST /api/shipping/cancel with Idempotency-Key {namespace}/{papers.order_id}/shipping/undo; have a parcel "
        "that is on its way returned"
        if len(live) > expected
        else f"POST /api/shipping/schedule with Idempotency-Key {namespace}/{papers.order_id}/shipping/do, or book a "
        "transport by hand"
    )
    if len(live) != expected:
        what = f"{ending.known_by}, but {len(live)} live shipments instead of {expected}"
        yield Finding(papers.order_id, "shipment", what, advice)
    if Kind.BOOKINGS not in papers.ledgers:
        return
    entries = papers.entries(Kind.BOOKINGS)
    booked = entries["booking"] - entries["cancellation"]
    if booked != expected:
        what = f"{ending.known_by}, but the carrier's ledger has {booked} live bookings instead of {expected}"
        yield Finding(papers.order_id, "shipment", what, f"call the carrier about order {papers.order_id}; or {advice}")
