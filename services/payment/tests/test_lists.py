"""Lists, filters and pages."""

import uuid

import pytest

from services.payment.tests.client import PaymentClient


async def test_a_list_is_filtered_sorted_and_cut(payments: PaymentClient, order_id: str) -> None:
    customer = f"c-{uuid.uuid4().hex[:10]}"
    for n, method in enumerate(["test-ok", "test-declined", "test-ok"]):
        await payments.process(f"{order_id}-{n}", method, customer_id=customer)
    await payments.refund(f"{order_id}-3")  # a tombstone

    async def listed(**query: object) -> tuple[list[str], int]:
        page = (await payments.call("GET", "", params={"customer_id": customer, **query})).json()
        assert set(page) == {"items", "total", "limit", "skip"}
        return [item["payment_id"] for item in page["items"]], page["total"]

    ids = [f"pay-{order_id}-{n}" for n in range(3)]
    assert await listed() == (ids, 3)
    assert await listed(status="captured") == ([ids[0], ids[2]], 2)
    assert await listed(status="declined", limit=1) == ([ids[1]], 1)
    assert await listed(limit=1, skip=1) == ([ids[1]], 3)
    assert await listed(skip=9) == ([], 3)


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "skip=-1", "status=lost", "limit=x", f"skip={10**20}"])
async def test_a_page_that_cannot_be_is_invalid(payments: PaymentClient, query: str) -> None:
    answer = await payments.call("GET", f"?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


async def test_the_default_page_has_a_hundred(payments: PaymentClient) -> None:
    page = (await payments.call("GET", "")).json()
    assert (page["limit"], page["skip"]) == (100, 0)
