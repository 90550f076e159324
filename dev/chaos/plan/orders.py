"""What is ordered in a run, and what people do to their orders meanwhile: a pure function of the seed."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from common.wire import Json
from dev.chaos.plan.call_faults import haunted_step
from dev.chaos.plan.seeded import between, draw, weighted

CURRENCY: Final = "EUR"
PRICES: Final = {"p-mug": 1250, "p-shirt": 2900, "p-poster": 900, "p-scarce": 700}
"""Minor units. All but the last are there in any number."""
CUSTOMERS: Final = ("c-17", "c-18", "c-19")
ADDRESS, ADDRESS_IN_ICE, ADDRESS_UNKNOWN = "a-17", "a-ice", "a-nowhere"
CONTACT_BOUNCING, CONTACT_UNKNOWN = "c-bounce", "c-nobody"
EXAMPLE_ADDRESS: Final = {"name": "Chris", "street": "Lindenallee 17", "city": "Leipzig", "postal_code": "04109"}


class Ending(StrEnum):
    """How a saga must end if nobody interferes and no step is given up."""

    COMPLETED = "Completed"
    COMPENSATED = "Compensated"
    EITHER = "either"


@dataclass(frozen=True)
class Kind:
    """A kind of order: what is special about it. `changes` of the order in the words of REST."""

    name: str
    weight: float
    ending: Ending
    changes: Json = field(default_factory=dict)


def _paid_by(name: str, weight: float, ending: Ending, method: str) -> Kind:
    return Kind(name, weight, ending, {"payment": {"method_ref": method}})


def _items(product: str, quantity: int, price: int) -> Json:
    return {"items": [{"product_id": product, "quantity": quantity, "unit_price_minor": price}]}


# A tenth fails at each step that has a trigger (the last one after the pivot: it completes with a warning).
KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind("plain", 26, Ending.COMPLETED),
        Kind("scarce", 8, Ending.EITHER),
        _paid_by("silent", 6, Ending.COMPLETED, "test-silent"),
        _paid_by("processing", 6, Ending.COMPLETED, "test-processing"),
        _paid_by("unavailable", 4, Ending.COMPLETED, "test-unavailable-2"),
        Kind("blocked", 10, Ending.COMPENSATED, {"customer_id": "c-blocked"}),
        Kind("out-of-stock", 7, Ending.COMPENSATED, _items("p-mug", 10_000, PRICES["p-mug"])),
        Kind("price-changed", 3, Ending.COMPENSATED, _items("p-mug", 1, PRICES["p-mug"] - 1)),
        _paid_by("declined", 6, Ending.COMPENSATED, "test-declined"),
        _paid_by("no-funds", 4, Ending.COMPENSATED, "test-insufficient-funds"),
        Kind("ice", 6, Ending.COMPENSATED, {"ship_to": {"address_ref": ADDRESS_IN_ICE}}),
        Kind("nowhere", 4, Ending.COMPENSATED, {"ship_to": {"address_ref": ADDRESS_UNKNOWN}}),
        Kind("bouncing", 6, Ending.COMPLETED, {"notify": {"contact_ref": CONTACT_BOUNCING}}),
        Kind("nobody", 4, Ending.COMPLETED, {"notify": {"contact_ref": CONTACT_UNKNOWN}}),
    )
}


class Meddling(StrEnum):
    """What people do to an order that is on its way."""

    NONE = "-"
    CANCEL_REST = "cancel over REST"
    CANCEL_SPEC = "cancel by spec.state"
    DELETE = "delete"
    RECREATE = "delete and create again"
    SUSPEND = "suspend and resume"
    TWICE = "placed twice at once"
    OTHER_CONTENT = "other content under its id"


MEDDLING: Final = {
    Meddling.NONE: 76.0,
    Meddling.CANCEL_REST: 6.0,
    Meddling.CANCEL_SPEC: 4.0,
    Meddling.DELETE: 4.0,
    Meddling.RECREATE: 3.0,
    Meddling.SUSPEND: 3.0,
    Meddling.TWICE: 2.0,
    Meddling.OTHER_CONTENT: 2.0,
}
KUBERNETES_SHARE: Final = 0.25
"""Orders that are made with the Kubernetes API directly, as kubectl and GitOps do."""


@dataclass(frozen=True)
class Order:
    """One order of the plan."""

    number: int
    kind: Kind
    by_kubernetes: bool
    meddling: Meddling
    meddling_after: float
    """Seconds after the order was taken."""
    wish: Json
    """The body of POST /api/orders; complete, so that the resource follows from it, too."""
    run: Json
    """Fields of the resource's spec that say how the saga runs; for orders by Kubernetes only."""

    @property
    def order_id(self) -> str:
        """Also the resource's name."""
        return str(self.wish["order_id"])

    @property
    def total_minor(self) -> int:
        """What has to be charged."""
        return sum(line["quantity"] * line["unit_price_minor"] for line in self.wish["items"])

    @property
    def undisturbed(self) -> bool:
        """Whether nobody may end it otherwise than its kind says (but for steps that are given up)."""
        return self.meddling in _HARMLESS and "activeDeadlineSeconds" not in self.run

    def posted(self) -> Json:
        """What a client posts: half of the correct prices are left to the catalogue."""
        if self.kind.name == "price-changed" or self.number % 2:
            return self.wish
        items = [{key: line[key] for key in ("product_id", "quantity")} for line in self.wish["items"]]
        return {**self.wish, "items": items}

    def spec(self) -> Json:
        """The `spec` of the resource with the same content."""
        wish = self.wish
        return {
            "orderID": wish["order_id"],
            "customerID": wish["customer_id"],
            "currency": wish["currency"],
            "items": [
                {
                    "productID": line["product_id"],
                    "quantity": line["quantity"],
                    "unitPriceMinor": line["unit_price_minor"],
                }
                for line in wish["items"]
            ],
            "payment": {"methodRef": wish["payment"]["method_ref"]},
            "shipTo": {"addressRef": wish["ship_to"]["address_ref"]},
            **({"notify": {"contactRef": wish["notify"]["contact_ref"]}} if "notify" in wish else {}),
            **self.run,
        }


_HARMLESS = frozenset({Meddling.NONE, Meddling.SUSPEND, Meddling.TWICE, Meddling.OTHER_CONTENT})


def make_orders(seed: int, count: int) -> tuple[Order, ...]:
    """The orders of a run."""
    return tuple(_order(seed, number) for number in range(1, count + 1))


def _order(seed: int, number: int) -> Order:
    def words(what: str) -> tuple[object, ...]:
        return seed, "order", number, what

    kind = KINDS[weighted({kind.name: kind.weight for kind in KINDS.values()}, *words("kind"))]
    by_kubernetes = draw(*words("by")) < KUBERNETES_SHARE
    meddling = weighted(MEDDLING, *words("meddling"))
    if by_kubernetes and meddling in (Meddling.TWICE, Meddling.OTHER_CONTENT):
        meddling = Meddling.NONE  # the API server itself answers those
    after = between(0, 1.2, *words("after")) * draw(*words("sooner"))
    order_id = f"o-{number:05}"
    if haunted_step(seed, order_id) is not None:
        kind = KINDS["plain"]
        meddling = Meddling.CANCEL_SPEC if by_kubernetes or draw(*words("how")) < 0.5 else Meddling.CANCEL_REST
        after = between(0.2, 4, *words("haunted"))
    product = "p-scarce" if kind.name == "scarce" else ("p-mug", "p-shirt", "p-poster")[number % 3]
    wish = {
        "order_id": order_id,
        "customer_id": CUSTOMERS[number % len(CUSTOMERS)],
        "currency": CURRENCY,
        **_items(product, 1 + int(3 * draw(*words("quantity"))), PRICES[product]),
        "payment": {"method_ref": "test-ok"},
        "ship_to": {"address_ref": ADDRESS},
        **kind.changes,
    }
    return Order(
        number=number,
        kind=kind,
        by_kubernetes=by_kubernetes,
        meddling=meddling,
        meddling_after=round(after, 3),
        wish=wish,
        run=_run(words) if by_kubernetes else {},
    )


def _run(words: Any) -> Json:
    """Some have to be quick, some give up early, some are removed once they have finished."""
    run: Json = {}
    if draw(*words("patience")) < 0.35:
        attempts = 1 + int(3 * draw(*words("attempts")))
        run["retry"] = {"maxAttempts": attempts, "initialBackoffSeconds": 1, "maxBackoffSeconds": 4}
    if draw(*words("deadline")) < 0.15:
        run["activeDeadlineSeconds"] = 1 + int(3 * draw(*words("seconds")))
    if draw(*words("ttl")) < 0.2:
        run["ttlSecondsAfterFinished"] = 1
    return run
