"""What is ordered in a run, and what its customers do to their orders: a pure function of the seed."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from common.shop.order_spec import spec_of
from common.wire import Json
from dev.chaos.plan.call_faults import delayed_step
from dev.chaos.plan.seeded import between, draw, weighted

CURRENCY: Final = "EUR"
PRICES: Final = {"p-mug": 1250, "p-shirt": 2900, "p-poster": 900, "p-scarce": 700}
"""Minor units. All products but the last are in stock in any number."""
CUSTOMERS: Final = ("c-17", "c-18", "c-19")
ADDRESS, ADDRESS_UNSERVICEABLE, ADDRESS_UNKNOWN = "a-17", "a-ice", "a-nowhere"
CONTACT_BOUNCING, CONTACT_UNKNOWN = "c-bounce", "c-nobody"
EXAMPLE_ADDRESS: Final = {"name": "Chris", "street": "Lindenallee 17", "city": "Leipzig", "postal_code": "04109"}


class ExpectedEnd(StrEnum):
    """How a saga must end unless a user changes it or a step is given up."""

    COMPLETED = "Completed"
    COMPENSATED = "Compensated"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class OrderKind:
    """A kind of order, and how often it occurs."""

    name: str
    weight: float
    expected: ExpectedEnd
    changes: Json = field(default_factory=dict)
    """Fields of the body of POST /api/orders that make it special."""


def _paid_by(name: str, weight: float, expected: ExpectedEnd, method: str) -> OrderKind:
    return OrderKind(name, weight, expected, {"payment": {"method_ref": method}})


def _items(product: str, quantity: int, price: int) -> Json:
    return {"items": [{"product_id": product, "quantity": quantity, "unit_price_minor": price}]}


# About a tenth of the orders fails at each step that can be made to fail; at the step after the pivot (bouncing,
# unknown-contact) it completes with a warning.
KINDS: Final = {
    kind.name: kind
    for kind in (
        OrderKind("plain", 26, ExpectedEnd.COMPLETED),
        OrderKind("scarce", 8, ExpectedEnd.EITHER),
        _paid_by("silent", 6, ExpectedEnd.COMPLETED, "test-silent"),
        _paid_by("processing", 6, ExpectedEnd.COMPLETED, "test-processing"),
        _paid_by("unavailable", 4, ExpectedEnd.COMPLETED, "test-unavailable-2"),
        OrderKind("blocked", 10, ExpectedEnd.COMPENSATED, {"customer_id": "c-blocked"}),
        OrderKind("out-of-stock", 7, ExpectedEnd.COMPENSATED, _items("p-mug", 10_000, PRICES["p-mug"])),
        OrderKind("price-changed", 3, ExpectedEnd.COMPENSATED, _items("p-mug", 1, PRICES["p-mug"] - 1)),
        _paid_by("declined", 6, ExpectedEnd.COMPENSATED, "test-declined"),
        _paid_by("no-funds", 4, ExpectedEnd.COMPENSATED, "test-insufficient-funds"),
        OrderKind("unserviceable", 6, ExpectedEnd.COMPENSATED, {"ship_to": {"address_ref": ADDRESS_UNSERVICEABLE}}),
        OrderKind("unknown-address", 4, ExpectedEnd.COMPENSATED, {"ship_to": {"address_ref": ADDRESS_UNKNOWN}}),
        OrderKind("bouncing", 6, ExpectedEnd.COMPLETED, {"notify": {"contact_ref": CONTACT_BOUNCING}}),
        OrderKind("unknown-contact", 4, ExpectedEnd.COMPLETED, {"notify": {"contact_ref": CONTACT_UNKNOWN}}),
    )
}


class UserAction(StrEnum):
    """What a customer does to an order while its saga runs."""

    NONE = "-"
    CANCEL_REST = "cancel over REST"
    CANCEL_SPEC = "cancel by spec.state"
    DELETE = "delete"
    RECREATE = "delete and create again"
    SUSPEND = "suspend and resume"
    TWICE = "placed twice at once"
    OTHER_CONTENT = "other content under its id"


USER_ACTIONS: Final = {
    UserAction.NONE: 76.0,
    UserAction.CANCEL_REST: 6.0,
    UserAction.CANCEL_SPEC: 4.0,
    UserAction.DELETE: 4.0,
    UserAction.RECREATE: 3.0,
    UserAction.SUSPEND: 3.0,
    UserAction.TWICE: 2.0,
    UserAction.OTHER_CONTENT: 2.0,
}
KUBERNETES_SHARE: Final = 0.25
"""Of the orders that are created with the Kubernetes API directly, as kubectl and GitOps do."""


@dataclass(frozen=True, slots=True)
class Order:
    """One order of the plan."""

    number: int
    kind: OrderKind
    by_kubernetes: bool
    action: UserAction
    action_after: float
    """Seconds after the order was taken."""
    content: Json
    """The body of POST /api/orders, with all prices: `spec` has the same content."""
    run: Json
    """Fields of the resource's spec that say how the saga runs; empty for orders over REST."""

    @property
    def order_id(self) -> str:
        """Also the resource's name."""
        return str(self.content["order_id"])

    @property
    def total_minor(self) -> int:
        """What the payment service has to charge."""
        return sum(line["quantity"] * line["unit_price_minor"] for line in self.content["items"])

    @property
    def outcome_is_certain(self) -> bool:
        """Whether the saga must end in its kind's outcome, unless a step is given up."""
        return self.action in _HARMLESS and "activeDeadlineSeconds" not in self.run

    def posted(self) -> Json:
        """What a client posts; every other order leaves its prices to the catalogue."""
        if self.kind.name == "price-changed" or self.number % 2:
            return self.content
        items = [{key: line[key] for key in ("product_id", "quantity")} for line in self.content["items"]]
        return {**self.content, "items": items}

    def spec(self) -> Json:
        """The `spec` of the resource with the same content."""
        return {**spec_of(self.content), **self.run}


_HARMLESS = frozenset({UserAction.NONE, UserAction.SUSPEND, UserAction.TWICE, UserAction.OTHER_CONTENT})


def make_orders(seed: int, count: int) -> tuple[Order, ...]:
    """The orders of a run."""
    return tuple(_order(seed, number) for number in range(1, count + 1))


def plain_order(order_id: str) -> Order:
    """An order that completes, created with the Kubernetes API, on which its customer doesn't act."""
    content = _content(order_id, CUSTOMERS[0], _items("p-mug", 2, PRICES["p-mug"]))
    return Order(
        0, KINDS["plain"], by_kubernetes=True, action=UserAction.NONE, action_after=0.0, content=content, run={}
    )


def _content(order_id: str, customer_id: str, items: Json) -> Json:
    return {
        "order_id": order_id,
        "customer_id": customer_id,
        "currency": CURRENCY,
        **items,
        "payment": {"method_ref": "test-ok"},
        "ship_to": {"address_ref": ADDRESS},
    }


def _order(seed: int, number: int) -> Order:
    def words(what: str) -> tuple[object, ...]:
        return seed, "order", number, what

    kind = KINDS[weighted({kind.name: kind.weight for kind in KINDS.values()}, *words("kind"))]
    by_kubernetes = draw(*words("by")) < KUBERNETES_SHARE
    action = weighted(USER_ACTIONS, *words("meddling"))
    if by_kubernetes and action in (UserAction.TWICE, UserAction.OTHER_CONTENT):
        action = UserAction.NONE  # the API server itself refuses those
    after = between(0, 1.2, *words("after")) * draw(*words("sooner"))
    order_id = f"o-{number:05}"
    if delayed_step(seed, order_id) is not None:
        kind = KINDS["plain"]
        action = UserAction.CANCEL_SPEC if by_kubernetes or draw(*words("how")) < 0.5 else UserAction.CANCEL_REST
        after = between(0.2, 4, *words("haunted"))
    product = "p-scarce" if kind.name == "scarce" else ("p-mug", "p-shirt", "p-poster")[number % 3]
    items = _items(product, 1 + int(3 * draw(*words("quantity"))), PRICES[product])
    return Order(
        number=number,
        kind=kind,
        by_kubernetes=by_kubernetes,
        action=action,
        action_after=round(after, 3),
        content={**_content(order_id, CUSTOMERS[number % len(CUSTOMERS)], items), **kind.changes},
        run=_run(words) if by_kubernetes else {},
    )


def _run(words: Any) -> Json:
    """Some sagas have few attempts, some a short deadline, and some are removed once they have finished."""
    run: Json = {}
    if draw(*words("patience")) < 0.35:
        attempts = 1 + int(3 * draw(*words("attempts")))
        run["retry"] = {"maxAttempts": attempts, "initialBackoffSeconds": 1, "maxBackoffSeconds": 4}
    if draw(*words("deadline")) < 0.15:
        run["activeDeadlineSeconds"] = 1 + int(3 * draw(*words("seconds")))
    if draw(*words("ttl")) < 0.2:
        run["ttlSecondsAfterFinished"] = 1
    return run
