"""One order in two spellings: its content as the services' JSON has it, and the `spec` of its OrderSaga resource.

content   {"order_id", "customer_id", "currency", "items": [{"product_id", "quantity", "unit_price_minor"}],
           "payment": {"method_ref"}, "ship_to": {"address_ref"}, "notify": {"contact_ref"}}
spec      {"orderID", "customerID", "currency", "items": [{"productID", "quantity", "unitPriceMinor"}],
           "payment": {"methodRef"}, "shipTo": {"addressRef"}, "notify": {"contactRef"}}

`notify` may be missing in both: the contact is then the one whose reference is the customer's id. Both functions read
what they know and leave out everything else, so an order document is a content too. Both raise KeyError if one of the
other fields is missing.
"""

from collections.abc import Mapping
from typing import Any

from common.wire import Json


def spec_of(content: Mapping[str, Any]) -> Json:
    """The spec of the resource with this content."""
    spec: Json = {
        "orderID": content["order_id"],
        "customerID": content["customer_id"],
        "currency": content["currency"],
        "items": [
            {
                "productID": line["product_id"],
                "quantity": line["quantity"],
                "unitPriceMinor": line["unit_price_minor"],
            }
            for line in content["items"]
        ],
        "payment": {"methodRef": content["payment"]["method_ref"]},
        "shipTo": {"addressRef": content["ship_to"]["address_ref"]},
    }
    if "notify" in content:
        spec["notify"] = {"contactRef": content["notify"]["contact_ref"]}
    return spec


def content_of(spec: Mapping[str, Any]) -> Json:
    """The content that this spec stands for, with its contact always named."""
    return {
        "order_id": spec["orderID"],
        "customer_id": spec["customerID"],
        "currency": spec["currency"],
        "items": [
            {
                "product_id": line["productID"],
                "quantity": line["quantity"],
                "unit_price_minor": line["unitPriceMinor"],
            }
            for line in spec["items"]
        ],
        "payment": {"method_ref": spec["payment"]["methodRef"]},
        "ship_to": {"address_ref": spec["shipTo"]["addressRef"]},
        "notify": {"contact_ref": spec.get("notify", {}).get("contactRef", spec["customerID"])},
    }
