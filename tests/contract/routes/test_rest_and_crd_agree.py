"""What REST takes the API server takes, and what one refuses the other refuses: one table, tried on both.

The types of `services.order` and crds/ordersaga.yaml state the same rules twice; this is what holds them together.
"""

import copy
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from common.kube import KubeClient, ObjectInvalid
from common.order_saga import API_VERSION, KIND
from dev.stack.pytest_plugin import TestControlPlane
from services.order.client_models import PlaceRequest
from services.order.models import Content
from services.order.saga_resource import content_of, resource_of

ORDER: dict[str, Any] = {
    "order_id": "o-agree",
    "customer_id": "c-17",
    "currency": "EUR",
    "items": [{"product_id": "p-mug", "quantity": 2, "unit_price_minor": 1250}],
    "payment": {"method_ref": "test-ok"},
    "ship_to": {"address_ref": "a-17"},
    "notify": {"contact_ref": "c-17"},
}
SPELLING = {
    "order_id": "orderID",
    "customer_id": "customerID",
    "product_id": "productID",
    "unit_price_minor": "unitPriceMinor",
    "method_ref": "methodRef",
    "ship_to": "shipTo",
    "address_ref": "addressRef",
    "contact_ref": "contactRef",
}


def lines(number: int) -> list[dict[str, Any]]:
    return [{"product_id": f"p-{index}", "quantity": 1, "unit_price_minor": 1} for index in range(number)]


def line(**change: object) -> list[dict[str, Any]]:
    return [ORDER["items"][0] | change]


BAD_REFERENCES = [
    "",
    "-a",
    "a-",
    ".a",
    "a.",
    "_a",
    "a b",
    "a/b",
    "a@b",
    "ä",
    "a\n",
    " a",
    "a\x00",
    None,
    7,
    True,
    ["a"],
]
ACCOUNT_NUMBERS = [
    "4111111111111111",
    "4111-1111-1111-1111",
    "card-4111111111111111",
    "o-1001-4111111111111111",
    "378282246310005-x",
    "3782-822463-10005",
    "6304000000000000000",
    "de89370400440532013000",
    "iban-de89-3704-0044-0532-0130-00",
]
"""As an order's id may be written, which has the fewest characters."""
UPPER_CASE = [
    "pm_4111.1111_1111-1111",
    "DE89370400440532013000",
    "k.GB82-WEST-1234-5698-7654-32",
    "FR1420041010050500013M02606",
]
FREE = [
    "o-1732900000000",  # milliseconds
    "o-20261129220000",
    "o-4111111111111112",  # no check digit of a card
    "order-no-1732900000000",  # no IBAN of Norway
    "o-1001-411111111111",  # what we add for inline data
    "o-41111111111111111111",  # 20 digits, as an id of ours may have
    "6f1c0d9e-5241-4111-8111-111111111111",
]
GOOD: list[tuple[str, Any]] = [
    ("order_id", "o"),
    ("order_id", "1"),
    ("order_id", "o--1"),
    ("order_id", "o" * 63),
    ("customer_id", "C_1.x-Y"),
    ("customer_id", "c" * 63),
    ("currency", "USD"),
    ("currency", "XXX"),
    ("items", lines(1)),
    ("items", lines(100)),
    ("items", line(product_id="P" * 63)),
    ("items", line(quantity=1)),
    ("items", line(quantity=10_000)),
    ("items", line(unit_price_minor=1)),
    ("items", [*line(), *lines(1)]),
    ("items", [{"product_id": "p-free", "quantity": 1, "unit_price_minor": 0}, *lines(1)]),
    ("items", line(quantity=1000, unit_price_minor=1_000_000_000)),  # the largest total
    ("payment", {"method_ref": "m" * 128}),
    ("payment", {"method_ref": "12345678901"}),  # too short for a card number
    *[("order_id", value) for value in FREE],
    *[("customer_id", value) for value in FREE],
    *[("payment", {"method_ref": f"pm_{value}"}) for value in FREE],
    *[("ship_to", {"address_ref": value}) for value in FREE],
    ("ship_to", {"address_ref": "a" * 128}),
    ("notify", {"contact_ref": "c" * 128}),
]
BAD: list[tuple[str, Any]] = [
    # null is a missing id over REST, where it is derived from the Idempotency-Key then
    *[("order_id", value) for value in (*BAD_REFERENCES, "O-1", "o_1", "o.1", "o" * 64) if value is not None],
    *[("customer_id", value) for value in (*BAD_REFERENCES, "c" * 64)],
    *[("currency", value) for value in ("", "eur", "EU", "EURO", "EU1", "EUR\n", "ÄÖÜ", None, 978)],
    *[("items", value) for value in ([], lines(101), None, {}, "p-mug", [None], ["p-mug"], [{}])],
    *[("items", line(product_id=value)) for value in (*BAD_REFERENCES, "p" * 64)],
    *[("items", line(quantity=value)) for value in (0, -1, 10_001, 2**63, 1.5, 2.0, "2", True, None, [])],
    *[("items", line(unit_price_minor=value)) for value in (-1, 1_000_000_001, 2**63, 0.5, "1250", False, [])],
    ("items", [*line(), *line()]),
    ("items", [*line(), *line(quantity=1, unit_price_minor=1)]),
    ("items", line(unit_price_minor=0)),  # nothing to charge
    ("items", [*line(quantity=1000, unit_price_minor=1_000_000_000), *lines(1)]),
    ("items", line(colour="red")),
    *[("payment", {"method_ref": value}) for value in (*BAD_REFERENCES, "m" * 129)],
    *[("payment", {"method_ref": value}) for value in ("4111111111111111", "4111-1111-1111-1111", "123456789012")],
    *[("payment", value) for value in (None, {}, "test-ok", {"method_ref": "test-ok", "card": "1"})],
    *[("ship_to", {"address_ref": value}) for value in (*BAD_REFERENCES, "a" * 129)],
    *[("ship_to", value) for value in (None, {}, "a-17", {"address_ref": "a-17", "street": "x"})],
    *[("notify", {"contact_ref": value}) for value in (*BAD_REFERENCES, "c" * 129)],
    *[("notify", value) for value in ({}, "c-17", {"contact_ref": "c-17", "email": "c17@example.com"})],
    ("colour", "red"),
    *[("order_id", value) for value in ACCOUNT_NUMBERS],
    *[("customer_id", value) for value in (*ACCOUNT_NUMBERS, *UPPER_CASE)],
    *[("payment", {"method_ref": value}) for value in (*ACCOUNT_NUMBERS, *UPPER_CASE)],
    *[("ship_to", {"address_ref": value}) for value in (*ACCOUNT_NUMBERS, *UPPER_CASE)],
    *[("notify", {"contact_ref": value}) for value in (*ACCOUNT_NUMBERS, *UPPER_CASE)],
]


def spelled(value: Any) -> Any:
    """The same thing with the resource's names."""
    if isinstance(value, dict):
        return {SPELLING.get(name, name): spelled(inner) for name, inner in value.items()}
    return [spelled(inner) for inner in value] if isinstance(value, list) else value


def accepts(model: type[BaseModel], order: dict[str, Any]) -> bool:
    try:
        model.model_validate(order)
    except ValidationError:
        return False
    return True


@pytest.fixture(scope="module")
async def client(control_plane: TestControlPlane) -> AsyncIterator[KubeClient]:
    async with KubeClient.from_config(control_plane.kubeconfig, user_agent="ordersaga-test/1") as client:
        yield client


async def admits(client: KubeClient, order: dict[str, Any]) -> bool:
    """Whether the API server would take it (a dry run)."""
    name = order["order_id"] if isinstance(order["order_id"], str) else "o-agree"
    body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": spelled(order)}
    path = f"/apis/{API_VERSION}/namespaces/shop/ordersagas"
    try:
        await client.request("POST", path, body=body, params={"dryRun": "All", "fieldValidation": "Strict"})
    except ObjectInvalid:
        return False
    return True


@pytest.mark.parametrize(("field", "value"), GOOD)
async def test_what_is_good_for_one_is_good_for_the_other(client: KubeClient, field: str, value: Any) -> None:
    order = copy.deepcopy(ORDER) | {field: value}
    assert await admits(client, order)
    assert accepts(PlaceRequest, order)
    assert accepts(Content, order)
    content = Content.model_validate(order)
    made = resource_of(content, namespace="shop", ttl_seconds=60, correlation_id=None)
    assert {name: made["spec"][name] for name in spelled(order)} == spelled(order)
    assert content_of(made) == content


@pytest.mark.parametrize(("field", "value"), BAD)
async def test_what_is_bad_for_one_is_bad_for_the_other(client: KubeClient, field: str, value: Any) -> None:
    order = copy.deepcopy(ORDER) | {field: value}
    assert not await admits(client, order)
    assert not accepts(PlaceRequest, order)
    assert not accepts(Content, order)


@pytest.mark.parametrize("field", ["customer_id", "currency", "items", "payment", "ship_to"])
async def test_what_one_requires_the_other_requires(client: KubeClient, field: str) -> None:
    order = {name: value for name, value in ORDER.items() if name != field}
    assert not await admits(client, order)
    assert not accepts(PlaceRequest, order)


async def test_the_contact_may_be_left_out(client: KubeClient) -> None:
    order = {name: value for name, value in ORDER.items() if name != "notify"}
    assert await admits(client, order)
    assert accepts(PlaceRequest, order)
    assert content_of({"metadata": {"name": "o-agree"}, "spec": spelled(order)}).notify.contact_ref == "c-17"
