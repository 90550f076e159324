"""The books of stock: a product's numbers against what all reservations together hold of it. Whole units."""

from collections.abc import Iterator

from ordersaga.audit.rules.findings import Finding
from ordersaga.audit.rules.records import Document


def stock(product: Document, held: int) -> Iterator[Finding]:
    """What is wrong with a product of which all reservations together hold `held` units."""
    name = str(product.get("product_id") or product.get("_id"))
    stocked, reserved, available = product["stocked"], product["reserved"], product["available"]
    if reserved != held:
        what = f"{reserved} reserved, but the reservations hold {held}"
        advice = "set the product's `reserved` to what the reservations hold, after finding out who wrote past them"
        yield Finding(name, "stock", what, advice)
    if stocked < reserved:
        what = f"{reserved} reserved of {stocked}: oversold"
        yield Finding(name, "stock", what, "stock more, or cancel orders that hold it")
    if available != stocked - reserved:
        what = f"{available} available, but {stocked} stocked less {reserved} reserved is {stocked - reserved}"
        yield Finding(name, "stock", what, "PUT the product again with its stock: that computes it anew")
