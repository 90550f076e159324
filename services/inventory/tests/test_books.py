"""Whatever happens, the books agree: available = stocked − reserved ≥ 0, and reserved is the sum of reservations."""

import asyncio
from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.inventory.tests.client import InventoryClient
from tests.support.service_client import fresh

PRODUCTS = ("mug", "shirt", "poster")
ORDERS = range(4)

_lines = st.dictionaries(st.sampled_from(PRODUCTS), st.integers(1, 4), min_size=1)
_act = st.one_of(
    st.tuples(st.just("reserve"), st.sampled_from(ORDERS), _lines),
    st.tuples(st.sampled_from(["release", "dispatch"]), st.sampled_from(ORDERS), st.none()),
    st.tuples(st.just("stock"), st.sampled_from(PRODUCTS), st.integers(0, 8)),
)


# Each example is a history on the real database: few of them, each with several acts at the same time.
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rounds=st.lists(st.lists(_act, min_size=1, max_size=5), min_size=1, max_size=6))
async def test_the_books_agree_after_every_history(
    replicated_inventory: InventoryClient, rounds: list[list[tuple[str, object, object]]]
) -> None:
    inventory = replicated_inventory
    products = {name: fresh(f"p-{name}") for name in PRODUCTS}
    orders = [fresh("o") for _ in ORDERS]
    await asyncio.gather(*(inventory.stock(product, 5) for product in products.values()))

    async def run(act: str, what: object, how: object) -> int:
        if act == "stock":
            return (await inventory.stock(products[str(what)], int(str(how)))).status_code
        order = orders[int(str(what))]
        if act == "reserve":
            assert isinstance(how, dict)
            return (await inventory.reserve(order, {products[name]: units for name, units in how.items()})).status_code
        return (await (inventory.release(order) if act == "release" else inventory.dispatch(order))).status_code

    for acts in rounds:
        answers = await asyncio.gather(*(run(*act) for act in acts))
        assert set(answers) <= {200, 404, 409, 422}
        held: Counter[str] = Counter()
        for order in orders:
            reservation = await inventory.reservation(order)
            if reservation and reservation["status"] == "reserved":
                held.update({line["product_id"]: line["quantity"] for line in reservation["lines"]})
        for product_id in products.values():
            product = await inventory.product(product_id)
            assert product["reserved"] == held[product_id]
            assert product["available"] == product["stocked"] - product["reserved"] >= 0
            assert product["status"] == ("in_stock" if product["available"] else "out_of_stock")
