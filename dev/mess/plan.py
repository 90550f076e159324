"""Which orders make up the mess, in which state they come to rest, and who meddles: a pure function of the seed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from dev.chaos.plan.seeded import draw, shuffled

TOTAL: Final = 500
FIRST: Final = 1001
"""The first order's number."""
CUSTOMERS: Final = 70
PRICES: Final = {"p-mug": 1250, "p-shirt": 2900, "p-poster": 900}
SCARCE, SCARCE_PRICE, SCARCE_STOCK = "p-print", 4500, 3
ICE, NOWHERE = "a-ice", "a-nowhere"
BOUNCING, NOBODY = "c-bounce", "c-nobody"
ELSEWHERE: Final = "shop-north"
"""A namespace in which no operator works."""
HOUR: Final = 3600


class Stage(StrEnum):
    """When an order is placed: one stage after the other, each with something else switched off."""

    ELSEWHERE = "in a namespace without an operator"
    BEFORE_NOTIFICATION = "while notification is paused"
    BEFORE_PAYMENT = "while payment is paused"
    CALM = "while everything works"
    BEFORE_SHIPPING = "after shipping was paused"
    WITHOUT_PAYMENT = "after payment was stopped"


@dataclass(frozen=True, slots=True)
class Kind:
    """Orders with one and the same fate."""

    name: str
    number: int
    stage: Stage
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Of the body of POST /api/orders."""
    spec: Mapping[str, Any] = field(default_factory=dict)
    """Of the resource; such an order is placed as one, and not over REST."""
    people: tuple[str, ...] = ()
    """Who do something about them, in turns."""
    customer: str = ""


def _paid(method: str) -> dict[str, Any]:
    return {"payment": {"method_ref": method}}


def _items(product: str, quantity: int, price: int) -> dict[str, Any]:
    return {"items": [{"product_id": product, "quantity": quantity, "unit_price_minor": price}]}


_STUCK: Final = {**_paid("test-refund-stuck"), "ship_to": {"address_ref": ICE}}
_PATIENT: Final = {"maxAttempts": 100, "initialBackoffSeconds": HOUR, "maxBackoffSeconds": HOUR}
PLAIN: Final = "completed"

KINDS: Final = (
    Kind("not-begun", 12, Stage.ELSEWHERE),
    Kind("cancelled-too-late", 5, Stage.BEFORE_NOTIFICATION, people=("frank",)),
    Kind("stock-stuck", 5, Stage.BEFORE_PAYMENT, people=("heidi",)),
    Kind("confirmed-unpaid", 4, Stage.BEFORE_PAYMENT, _paid("test-declined")),
    Kind("suspended-at-payment", 9, Stage.BEFORE_PAYMENT, people=("alice", "bob", "alice", "carol")),
    Kind("cancelled-by-customer", 8, Stage.BEFORE_PAYMENT),
    Kind("declined", 36, Stage.CALM, _paid("test-declined")),
    Kind("no-funds", 12, Stage.CALM, _paid("test-insufficient-funds")),
    Kind("out-of-stock", 18, Stage.CALM, _items(SCARCE, 40, SCARCE_PRICE)),
    Kind("unknown-product", 9, Stage.CALM, _items("p-unicorn", 1, 999)),
    Kind("price-changed", 6, Stage.CALM, _items("p-mug", 1, PRICES["p-mug"] - 100)),
    Kind("blocked-customer", 7, Stage.CALM, customer="c-blocked"),
    Kind("not-serviceable", 14, Stage.CALM, {"ship_to": {"address_ref": ICE}}),
    Kind("address-unknown", 5, Stage.CALM, {"ship_to": {"address_ref": NOWHERE}}),
    Kind("bounced", 10, Stage.CALM, {"notify": {"contact_ref": BOUNCING}}),
    Kind("contact-unknown", 4, Stage.CALM, {"notify": {"contact_ref": NOBODY}}),
    Kind("lost-answer", 8, Stage.CALM, _paid("test-silent")),
    Kind("slow-provider", 10, Stage.CALM, _paid("test-processing")),
    Kind("second-try", 10, Stage.CALM, _paid("test-unavailable-2")),
    Kind("gone", 14, Stage.CALM, spec={"ttlSecondsAfterFinished": 1}),
    Kind("gone-declined", 4, Stage.CALM, _paid("test-declined"), {"ttlSecondsAfterFinished": 1}),
    Kind("gone-by-hand", 3, Stage.CALM, people=("grace",)),
    Kind("spent", 4, Stage.CALM, _paid("test-unavailable-9999"), {"retry": {"maxAttempts": 2}}),
    Kind("too-slow", 6, Stage.CALM, _paid("test-unavailable-9999"), {"activeDeadlineSeconds": 8, "retry": _PATIENT}),
    # its pause is drawn at random, of an hour at the most: some are due while payment is away, and wait for it then
    Kind("retrying", 16, Stage.CALM, _paid("test-unavailable-9999"), {"retry": _PATIENT}),
    Kind("refund-stuck", 11, Stage.CALM, _STUCK),
    Kind("refund-stuck-again", 4, Stage.CALM, _STUCK, people=("erin",)),
    Kind("refund-by-hand", 3, Stage.CALM, _STUCK, people=("dana",)),
    Kind("waiting-for-shipping", 38, Stage.BEFORE_SHIPPING),
    Kind("suspended-at-shipping", 6, Stage.BEFORE_SHIPPING, people=("bob", "carol", "carol")),
    Kind("cancelled-waiting", 5, Stage.BEFORE_SHIPPING, people=("heidi",)),
    Kind("deleted-waiting", 3, Stage.BEFORE_SHIPPING, people=("grace",)),
    Kind("meddled-with", 3, Stage.BEFORE_SHIPPING, people=("ivan",)),
    Kind("waiting-for-payment", 40, Stage.WITHOUT_PAYMENT),
    Kind("cancelled-without-payment", 4, Stage.WITHOUT_PAYMENT, people=("heidi",)),
)
"""All but those that nothing happens to, which are as many as are left."""


@dataclass(frozen=True, slots=True)
class Order:
    """One order, and who does something about it ("": nobody, or its customer)."""

    order_id: str
    kind: Kind
    customer: str
    person: str

    def body(self, seed: int) -> dict[str, Any]:
        """Of POST /api/orders."""
        product = shuffled(tuple(PRICES), seed, self.order_id, "product")[0]
        quantity = 1 + int(4 * draw(seed, self.order_id, "quantity"))
        return {
            "order_id": self.order_id,
            "customer_id": self.customer,
            "currency": "EUR",
            **_items(product, quantity, PRICES[product]),
            **_paid("test-ok"),
            "ship_to": {"address_ref": f"a-{self.customer.removeprefix('c-')}"},
            **self.kind.changes,
        }


def orders(seed: int) -> list[Order]:
    """All of them, in the order in which they are placed; within a stage the kinds are mixed."""
    plain = Kind(PLAIN, TOTAL - sum(kind.number for kind in KINDS), Stage.CALM)
    return list(_numbered(seed, [plain, *KINDS]))


def _numbered(seed: int, kinds: list[Kind]) -> Iterator[Order]:
    number = FIRST
    for stage in Stage:
        mixed = [(kind, index) for kind in kinds if kind.stage is stage for index in range(kind.number)]
        for kind, index in shuffled(mixed, seed, stage):
            customer = kind.customer or f"c-{101 + int(CUSTOMERS * draw(seed, number, 'customer'))}"
            person = kind.people[index % len(kind.people)] if kind.people else ""
            yield Order(f"o-{number}", kind, customer, person)
            number += 1
