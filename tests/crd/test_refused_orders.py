"""Every order that must not come into being, and what its author reads."""

from typing import Any

import pytest


def item(product: str = "p-mug", quantity: Any = 1, price: Any = 100) -> dict[str, Any]:
    return {"productID": product, "quantity": quantity, "unitPriceMinor": price}


def items(*lines: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"items": list(lines)}}


def intervention(**change: Any) -> dict[str, Any]:
    given = {"id": "repair-1", "action": "RetryNow", "step": "payment", "reason": "the provider is back", **change}
    return {"spec": {"intervention": {key: value for key, value in given.items() if value is not None}}}


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    # the id
    (
        "a name that isn't the order's id",
        {"metadata": {"name": "o-other"}},
        "metadata.name must equal spec.orderID (o-",
    ),
    ("no order id", {"spec": {"orderID": None}}, "spec.orderID: Required value"),
    ("an empty order id", {"spec": {"orderID": ""}}, "should be at least 1 chars long"),
    (
        "capitals in the order id",
        {"spec": {"orderID": "O-1"}},
        "spec.orderID in body should match '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'",
    ),
    (
        "an order id that can't be a label",
        {"metadata": {"name": "a" * 64}, "spec": {"orderID": "a" * 64}},
        "Too long: may not be more than 63 bytes",
    ),
    (
        "dots in the order id",
        {"metadata": {"name": "o.1"}, "spec": {"orderID": "o.1"}},
        "spec.orderID in body should match",
    ),
    ("a generated name", {"metadata": {"name": None, "generateName": "o-"}}, "metadata.name must equal spec.orderID"),
    # who
    ("no customer", {"spec": {"customerID": None}}, "spec.customerID: Required value"),
    (
        "an e-mail address as customer",
        {"spec": {"customerID": "c17@example.com"}},
        "spec.customerID in body should match",
    ),
    ("a customer id without end", {"spec": {"customerID": "c" * 64}}, "Too long: may not be more than 63 bytes"),
    ("a number as customer", {"spec": {"customerID": 17}}, 'spec.customerID in body must be of type string: "integer"'),
    # what
    ("no items", {"spec": {"items": None}}, "spec.items: Required value"),
    ("an empty list of items", items(), "spec.items in body should have at least 1 items"),
    (
        "a quantity with a decimal point",
        items(item(quantity=2.0)),
        "spec.items[0].quantity: Invalid value",
    ),
    ("a price with a decimal point", items(item(price=1250.0)), "spec.items[0].unitPriceMinor: Invalid value"),
    ("a price with an exponent", items(item(price=1.25e30)), "spec.items[0].unitPriceMinor"),
    (
        "a wait with a decimal point",
        {"spec": {"retry": {"maxBackoffSeconds": 30.0}}},
        "spec.retry.maxBackoffSeconds: Invalid value",
    ),
    (
        "more than 100 lines",
        items(*(item(f"p-{n}") for n in range(101))),
        "spec.items: Too many: 101: must have at most 100",
    ),
    ("a product twice", items(item("p-mug"), item("p-mug", quantity=3)), "each product may appear once"),
    (
        "a line without a product",
        items({"quantity": 1, "unitPriceMinor": 1}),
        "spec.items[0].productID: Required value",
    ),
    (
        "a line without a quantity",
        items({"productID": "p-mug", "unitPriceMinor": 1}),
        "spec.items[0].quantity: Required value",
    ),
    (
        "a line without a price",
        items({"productID": "p-mug", "quantity": 1}),
        "spec.items[0].unitPriceMinor: Required value",
    ),
    ("an empty product id", items(item("")), "spec.items[0].productID in body should be at least 1 chars long"),
    ("a product id with a slash", items(item("p/mug")), "spec.items[0].productID in body should match"),
    ("none of a product", items(item(quantity=0)), "should be greater than or equal to 1"),
    ("less than none", items(item(quantity=-2)), "should be greater than or equal to 1"),
    ("half a product", items(item(quantity=0.5)), "spec.items[0].quantity in body must be of type int"),
    ("a quantity in words", items(item(quantity="2")), "spec.items[0].quantity in body must be of type integer"),
    ("too much of a product", items(item(quantity=10001)), "should be less than or equal to 10000"),
    ("a negative price", items(item(price=-1)), "should be greater than or equal to 0"),
    ("a price in euros", items(item(price=12.5)), "spec.items[0].unitPriceMinor in body must be of type int"),
    ("a price beyond all bounds", items(item(price=1_000_000_001)), "should be less than or equal to 1000000000"),
    ("a price that overflows", items(item(price=2**63)), "unitPriceMinor"),
    (
        "a total beyond all bounds",
        items(item("p-1", 1000, 1_000_000_000), item("p-2", 1, 1)),
        "the order's total must be 1 to 1000000000000 minor units",
    ),
    (
        "the highest total there could be",
        items(*(item(f"p-{n}", 10000, 10**9) for n in range(100))),
        "the order's total must be",
    ),
    ("an order for nothing", items(item(price=0)), "the order's total must be 1 to 1000000000000 minor units"),
    ("no currency", {"spec": {"currency": None}}, "spec.currency: Required value"),
    ("a currency in small letters", {"spec": {"currency": "eur"}}, "spec.currency in body should match '^[A-Z]{3}$'"),
    ("a currency sign", {"spec": {"currency": "€"}}, "spec.currency in body should match"),
    ("a currency of four letters", {"spec": {"currency": "EURO"}}, "spec.currency"),
    # references, not data
    ("no payment", {"spec": {"payment": None}}, "spec.payment: Required value"),
    (
        "a payment without a method",
        {"spec": {"payment": {"methodRef": None}}},
        "spec.payment.methodRef: Required value",
    ),
    ("a card number", {"spec": {"payment": {"methodRef": "4111111111111111"}}}, "this looks like a card number"),
    (
        "a card number in groups",
        {"spec": {"payment": {"methodRef": "4111-1111-1111-1111"}}},
        "this looks like a card number",
    ),
    ("card data beside the reference", {"spec": {"payment": {"cvc": "123"}}}, 'unknown field "spec.payment.cvc"'),
    ("nowhere to ship", {"spec": {"shipTo": None}}, "spec.shipTo: Required value"),
    (
        "an address in place of its reference",
        {"spec": {"shipTo": {"addressRef": "1 Road, Town"}}},
        "addressRef in body should match",
    ),
    ("an address beside its reference", {"spec": {"shipTo": {"street": "Road"}}}, 'unknown field "spec.shipTo.street"'),
    (
        "an e-mail address as contact",
        {"spec": {"notify": {"contactRef": "c@example.com"}}},
        "contactRef in body should match",
    ),
    ("notify without a contact", {"spec": {"notify": {}}}, "spec.notify.contactRef: Required value"),
    # how
    ("a state that there isn't", {"spec": {"state": "Paused"}}, 'supported values: "Active", "Suspended", "Cancelled"'),
    ("no time at all", {"spec": {"activeDeadlineSeconds": 0}}, "should be greater than or equal to 1"),
    (
        "a deadline after 30 days",
        {"spec": {"activeDeadlineSeconds": 2592001}},
        "should be less than or equal to 2592000",
    ),
    ("a negative time to live", {"spec": {"ttlSecondsAfterFinished": -1}}, "should be greater than or equal to 0"),
    (
        "a time to live over a year",
        {"spec": {"ttlSecondsAfterFinished": 31536001}},
        "should be less than or equal to 31536000",
    ),
    ("no attempt", {"spec": {"retry": {"maxAttempts": 0}}}, "should be greater than or equal to 1"),
    ("too many attempts", {"spec": {"retry": {"maxAttempts": 101}}}, "should be less than or equal to 100"),
    (
        "back-off that ends before it begins",
        {"spec": {"retry": {"initialBackoffSeconds": 10, "maxBackoffSeconds": 5}}},
        "maxBackoffSeconds must not be less than initialBackoffSeconds",
    ),
    (
        "a beginning above the default end",
        {"spec": {"retry": {"initialBackoffSeconds": 31}}},
        "maxBackoffSeconds must not be less than initialBackoffSeconds",
    ),
    ("back-off for days", {"spec": {"retry": {"maxBackoffSeconds": 3601}}}, "should be less than or equal to 3600"),
    ("a misspelt field", {"spec": {"activeDeadlineSecond": 5}}, 'unknown field "spec.activeDeadlineSecond"'),
    ("a field beside spec", {"data": {}}, 'unknown field "data"'),
    # interventions
    ("an intervention without an id", intervention(id=None), "spec.intervention.id: Required value"),
    ("an intervention without an action", intervention(action=None), "spec.intervention.action: Required value"),
    ("an intervention without a step", intervention(step=None), "spec.intervention.step: Required value"),
    ("an intervention without a reason", intervention(reason=None), "spec.intervention.reason: Required value"),
    ("an empty reason", intervention(reason=""), "spec.intervention.reason in body should be at least 1 chars long"),
    ("an intervention by nobody", intervention(by=""), "spec.intervention.by in body should be at least 1 chars long"),
    ("an intervention by a novel", intervention(by="x" * 513), "Too long: may not be more than 512 bytes"),
    ("a state by nobody", {"spec": {"requestedBy": ""}}, "spec.requestedBy in body should be at least 1 chars long"),
    ("a state by a novel", {"spec": {"requestedBy": "x" * 513}}, "Too long: may not be more than 512 bytes"),
    ("a reason of a novel's length", intervention(reason="x" * 1025), "Too long: may not be more than 1024 bytes"),
    (
        "an action that there isn't",
        intervention(action="Refund"),
        'supported values: "RetryNow", "MarkCompensated", "Skip"',
    ),
    ("a step that there isn't", intervention(step="delivery"), 'supported values: "order", "inventory"'),
    (
        "the order step undone by hand",
        intervention(action="MarkCompensated", step="order"),
        "MarkCompensated is for inventory, payment and",
    ),
    (
        "the pivot undone by hand",
        intervention(action="MarkCompensated", step="confirmation"),
        "MarkCompensated is for inventory, payment and",
    ),
    (
        "a message undone by hand",
        intervention(action="MarkCompensated", step="notification"),
        "MarkCompensated is for inventory, payment and",
    ),
    ("the order skipped", intervention(action="Skip", step="order"), "Skip is for steps of a confirmed order only"),
    ("the pivot skipped", intervention(action="Skip", step="confirmation"), "Skip is for steps of a confirmed order"),
]

ACCEPTED: list[tuple[str, dict[str, Any]]] = [
    ("the least that an order needs", {}),
    ("an id of one character", {"metadata": {"name": "o"}, "spec": {"orderID": "o"}}),
    ("an id of 63 characters", {"metadata": {"name": "a" * 63}, "spec": {"orderID": "a" * 63}}),
    ("100 different products", items(*(item(f"{'p' * 60}{n:03}", 10000, 1_000_000) for n in range(100)))),
    ("the highest price, the highest total", items(item(quantity=1000, price=10**9))),
    ("a gift with something paid", items(item("p-mug"), item("p-gift", price=0))),
    ("a contact of its own", {"spec": {"notify": {"contactRef": "c-18"}}}),
    ("references that services made up", {"spec": {"shipTo": {"addressRef": f"{'o' * 63}-0123456789ab"}}}),
    ("suspended from the start", {"spec": {"state": "Suspended"}}),
    (
        "a patient retry",
        {"spec": {"retry": {"maxAttempts": 100, "initialBackoffSeconds": 60, "maxBackoffSeconds": 60}}},
    ),
    ("removed as soon as finished", {"spec": {"ttlSecondsAfterFinished": 0}}),
    ("a finalizer from the start", {"metadata": {"finalizers": ["ordersaga.io/compensation"]}}),
    *((f"RetryNow of {step}", intervention(step=step)) for step in ("order", "confirmation", "notification")),
    *(
        (f"{step} undone by hand", intervention(action="MarkCompensated", step=step))
        for step in ("inventory", "payment", "shipping")
    ),
    ("an intervention in somebody's name", intervention(by="system:serviceaccount:shop:" + "x" * 253)),
    ("a state in somebody's name", {"spec": {"state": "Suspended", "requestedBy": "alice@shop.example.com"}}),
    ("notification skipped", intervention(action="Skip", step="notification")),
    ("payment skipped", intervention(action="Skip", step="payment")),  # only for a confirmed order, says the operator
]


@pytest.mark.parametrize(("change", "message"), [pytest.param(*row[1:], id=row[0]) for row in REFUSED])
def test_it_is_refused_with_a_message_that_says_why(api: Any, change: dict[str, Any], message: str) -> None:
    answer = api.create(api.order(change))
    assert answer.status_code in (400, 422), answer.text
    assert message in answer.json()["message"]


@pytest.mark.parametrize("change", [pytest.param(change, id=claim) for claim, change in ACCEPTED])
def test_it_is_accepted(api: Any, change: dict[str, Any]) -> None:
    answer = api.create(api.order(change))
    assert answer.status_code == 201, answer.text


def test_what_is_left_out_gets_the_documented_defaults(api: Any) -> None:
    saga = api.get(api.created({"spec": {"retry": {"maxAttempts": 3}}}))
    assert saga["spec"]["state"] == "Active"
    assert saga["spec"]["activeDeadlineSeconds"] == 3600
    assert saga["spec"]["retry"] == {"maxAttempts": 3, "initialBackoffSeconds": 1, "maxBackoffSeconds": 30}
    assert "ttlSecondsAfterFinished" not in saga["spec"]
    assert "notify" not in saga["spec"]  # the operator resolves it, so that the order is what its author wrote
    assert saga["status"] == {"observedGeneration": -1}  # the operator hasn't seen it yet
