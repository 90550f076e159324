"""The bounds of the wire types are those of the resource: what one admits, the other does too."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from common import wire
from tests.support import yamls

CRD = yamls.load((Path(__file__).parents[2] / "crds" / "ordersaga.yaml").read_text())
SPEC = CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
LINE = SPEC["items"]["items"]["properties"]
BOUNDS = ("minLength", "maxLength", "pattern", "minimum", "maximum")


@pytest.mark.parametrize(
    ("type_", "field"),
    [
        pytest.param(wire.OrderId, SPEC["orderID"], id="order id"),
        pytest.param(wire.CustomerId, SPEC["customerID"], id="customer id"),
        pytest.param(wire.ProductId, LINE["productID"], id="product id"),
        pytest.param(wire.Quantity, LINE["quantity"], id="quantity"),
        pytest.param(wire.UnitPriceMinor, LINE["unitPriceMinor"], id="price"),
        pytest.param(wire.Reference, SPEC["payment"]["properties"]["methodRef"], id="payment method"),
        pytest.param(wire.Reference, SPEC["shipTo"]["properties"]["addressRef"], id="address"),
        pytest.param(wire.Reference, SPEC["notify"]["properties"]["contactRef"], id="contact"),
    ],
)
def test_a_type_of_the_wire_has_the_bounds_of_its_field(type_: Any, field: dict[str, Any]) -> None:
    schema = TypeAdapter(type_).json_schema()
    assert {key: schema[key] for key in BOUNDS if key in schema} == {key: field[key] for key in BOUNDS if key in field}


def test_a_currency_has_the_pattern_of_its_field() -> None:
    assert TypeAdapter(wire.Currency).json_schema()["pattern"] == SPEC["currency"]["pattern"]


def test_an_amount_can_be_the_total_that_the_resource_admits() -> None:
    amount = TypeAdapter(wire.AmountMinor).json_schema()
    rule = next(rule["rule"] for rule in SPEC["items"]["x-kubernetes-validations"] if "sum()" in rule["rule"])
    assert f"total >= {amount['minimum']} && total <= {amount['maximum']}" in rule
