"""The sample order of all tests: two mugs for 25.00 EUR, paid by a method that works, to an address that exists."""

from typing import Any

from common.wire import Json


def spec(name: str, **changes: Any) -> Json:
    """The spec of an OrderSaga called `name`, with these fields of it replaced or added; new at each call."""
    return {
        "orderID": name,
        "customerID": "c-17",
        "currency": "EUR",
        "items": [{"productID": "p-mug", "quantity": 2, "unitPriceMinor": 1250}],
        "payment": {"methodRef": "test-ok"},
        "shipTo": {"addressRef": "a-17"},
        **changes,
    }


def order(name: str, *, finalizers: tuple[str, ...] = (), **changes: Any) -> Json:
    """The resource with that spec, as a manifest."""
    metadata: Json = {"name": name, "finalizers": list(finalizers)} if finalizers else {"name": name}
    return {
        "apiVersion": "ordersaga.io/v1alpha1",
        "kind": "OrderSaga",
        "metadata": metadata,
        "spec": spec(name, **changes),
    }


def ended(phase: str) -> Json:
    """The least that a status says of a saga in that phase, Completed or Compensated."""
    if phase == "Completed":
        return {"phase": phase, "steps": [{"name": "confirmation", "state": "Succeeded"}]}
    return {"phase": phase, "failure": {"reason": "X"}, "steps": [{"name": "order", "state": "Compensated"}]}
