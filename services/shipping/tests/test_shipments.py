"""Schedule and cancel on a real MongoDB, in every order, and what the carrier saw of it."""

import asyncio

import pytest

from services.shipping.tests.client import ShippingClient
from tests.support.order_service import OrderBook
from tests.support.service_client import code, fresh


async def test_a_shipment_is_booked_once_however_often_it_is_asked_for(shipping: ShippingClient) -> None:
    order, home = fresh("o"), await shipping.home()
    answer = await shipping.schedule(order, home)
    assert answer.status_code == 200
    shipment = answer.json()
    assert shipment == {
        "shipping_id": f"s-{order}",
        "order_id": order,
        "customer_id": "c-17",
        "address_ref": home,
        "status": "scheduled",
        "tracking_number": shipment["tracking_number"],
        "confirmed": False,
    }
    assert shipment["tracking_number"].startswith("TC")
    assert (await shipping.schedule(order, home)).json() == shipment
    assert (await shipping.shipment(order)).json() == {**shipment, "confirmed": True}
    assert (await shipping.call("GET", f"/s-{order}")).json() == {**shipment, "confirmed": True}
    assert await shipping.ledger(order) == {"booking": 1}


async def test_schedules_at_the_same_time_book_once(shipping: ShippingClient) -> None:
    order, home = fresh("o"), await shipping.home()
    answers = await asyncio.gather(*(shipping.schedule(order, home) for _ in range(12)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert {code(answer) for answer in answers if answer.status_code == 409} <= {(409, "running")}
    assert (await shipping.schedule(order, home)).json()["status"] == "scheduled"
    assert await shipping.ledger(order) == {"booking": 1}


async def test_another_body_under_the_same_key_is_refused(shipping: ShippingClient) -> None:
    order, home = fresh("o"), await shipping.home()
    await shipping.schedule(order, home)
    assert code(await shipping.schedule(order, home, customer_id="c-18")) == (422, "key_reused")


async def test_an_unknown_address_is_a_refusal_that_stays(shipping: ShippingClient) -> None:
    order, nowhere = fresh("o"), fresh("a")
    refused = await shipping.schedule(order, nowhere)
    assert code(refused) == (409, "address_unknown")
    assert refused.json()["order_id"] == order
    await shipping.address(nowhere)
    assert (await shipping.schedule(order, nowhere)).json() == refused.json()
    assert (await shipping.shipment(order)).status_code == 404
    assert (await shipping.cancel(order)).json() == {"order_id": order, "effect": "none"}
    assert await shipping.ledger(order) == {}


async def test_nobody_delivers_to_antarctica(shipping: ShippingClient) -> None:
    order, pole = fresh("o"), await shipping.home(country="AQ")
    assert code(await shipping.schedule(order, pole)) == (409, "not_serviceable")
    assert await shipping.ledger(order) == {}


async def test_a_cancel_takes_the_booking_back_once(shipping: ShippingClient) -> None:
    order, home = fresh("o"), await shipping.home()
    shipment = (await shipping.schedule(order, home)).json()
    cancelled = await shipping.cancel(order)
    assert cancelled.json() == {**shipment, "status": "cancelled", "effect": "undone"}
    assert (await shipping.cancel(order)).json() == cancelled.json()
    assert code(await shipping.schedule(order, home)) == (409, "compensated")
    assert (await shipping.shipment(order)).json()["status"] == "cancelled"
    assert await shipping.ledger(order) == {"booking": 1, "cancellation": 1}


async def test_a_late_schedule_meets_the_tombstone(shipping: ShippingClient) -> None:
    order, home = fresh("o"), await shipping.home()
    assert (await shipping.cancel(order)).json() == {"order_id": order, "effect": "none"}
    assert code(await shipping.schedule(order, home)) == (409, "compensated")
    assert code(await shipping.shipment(order)) == (404, "not_found")
    assert await shipping.ledger(order) == {}


async def test_schedule_and_cancel_at_once_leave_nothing_booked(shipping: ShippingClient) -> None:
    home = await shipping.home()
    for order in [fresh("o") for _ in range(8)]:
        await asyncio.gather(shipping.schedule(order, home), shipping.cancel(order), shipping.schedule(order, home))
        while (answer := await shipping.cancel(order)).status_code != 200:
            assert code(answer) == (409, "running")
            await asyncio.sleep(0.05)
        ledger = await shipping.ledger(order)
        assert ledger["booking"] == ledger["cancellation"] <= 1
        assert code(await shipping.schedule(order, home)) == (409, "compensated")


async def test_a_lost_answer_of_the_carrier_is_asked_for_again(forgetful: ShippingClient) -> None:
    order, home = fresh("o"), await forgetful.home()
    lost = await forgetful.schedule(order, home)
    assert code(lost) == (503, "unavailable")
    assert (await forgetful.schedule(order, home)).json()["status"] == "scheduled"
    assert code(await forgetful.cancel(order)) == (503, "unavailable")
    assert code(await forgetful.status(order, "handed_over")) == (409, "illegal_transition")
    assert (await forgetful.cancel(order)).json()["effect"] == "undone"
    assert await forgetful.ledger(order) == {"booking": 1, "cancellation": 1}


async def test_a_booking_whose_answer_got_lost_is_cancelled_too(forgetful: ShippingClient) -> None:
    order, home = fresh("o"), await forgetful.home()
    assert (await forgetful.schedule(order, home)).status_code == 503
    while (answer := await forgetful.cancel(order)).status_code != 200:
        assert code(answer) in {(409, "running"), (503, "unavailable")}
        await asyncio.sleep(0.05)
    assert answer.json()["effect"] == "undone"
    assert await forgetful.ledger(order) == {"booking": 1, "cancellation": 1}


async def test_what_was_booked_is_known_also_after_the_address_has_moved_to_the_pole(forgetful: ShippingClient) -> None:
    order, home = fresh("o"), await forgetful.home()
    assert (await forgetful.schedule(order, home)).status_code == 503
    await forgetful.address(home, country="AQ")
    assert (await forgetful.schedule(order, home)).json()["status"] == "scheduled"
    assert await forgetful.ledger(order) == {"booking": 1}


async def test_a_parcel_goes_its_way_and_cant_be_called_back(shipping: ShippingClient) -> None:
    order, home = fresh("o"), await shipping.home()
    shipment = (await shipping.schedule(order, home)).json()
    for status in ("handed_over", "in_transit", "delivered"):
        assert (await shipping.status(order, status)).json() == {**shipment, "status": status, "confirmed": True}
        assert (await shipping.status(order, status)).status_code == 200, "a repetition changes nothing"
        refused = await shipping.cancel(order)
        assert code(refused) == (409, "handed_over")
        assert refused.json()["order_id"] == order
    assert (await shipping.schedule(order, home)).json() == shipment, "the answer stays what it was"
    assert await shipping.ledger(order) == {"booking": 1}


@pytest.mark.parametrize("wanted", ["in_transit", "delivered", "cancelled"])
async def test_a_parcel_skips_no_step(shipping: ShippingClient, wanted: str) -> None:
    order = fresh("o")
    await shipping.schedule(order, await shipping.home())
    refused = await shipping.status(order, wanted)
    assert code(refused) == (409, "illegal_transition")
    assert "the next status is handed_over" in refused.json()["detail"]


async def test_a_cancelled_parcel_is_never_handed_over(shipping: ShippingClient) -> None:
    order = fresh("o")
    await shipping.schedule(order, await shipping.home())
    await shipping.cancel(order)
    assert code(await shipping.status(order, "handed_over")) == (409, "illegal_transition")


async def test_hand_over_and_cancel_at_once_have_one_winner(shipping: ShippingClient) -> None:
    home = await shipping.home()
    for order in [fresh("o") for _ in range(8)]:
        await shipping.schedule(order, home)
        handed, cancelled = await asyncio.gather(shipping.status(order, "handed_over"), shipping.cancel(order))
        assert sorted([handed.status_code, cancelled.status_code]) == [200, 409]
        shown = (await shipping.shipment(order)).json()["status"]
        assert shown == ("handed_over" if handed.status_code == 200 else "cancelled")


async def test_shipments_are_listed_by_customer_and_status(shipping: ShippingClient) -> None:
    home, customer = await shipping.home(), fresh("c")
    orders = sorted(fresh("o") for _ in range(3))
    for order in orders:
        await shipping.schedule(order, home, customer_id=customer)
    await shipping.cancel(orders[0])
    await shipping.cancel(fresh("o"))
    listed = (await shipping.call("GET", "", params={"customer_id": customer})).json()
    assert [shipment["order_id"] for shipment in listed["items"]] == orders
    assert (listed["total"], listed["limit"], listed["skip"]) == (3, 100, 0)
    live = (await shipping.call("GET", "", params={"customer_id": customer, "status": "scheduled", "limit": 1})).json()
    assert [shipment["order_id"] for shipment in live["items"]] == orders[1:2]
    assert live["total"] == 2
    everything = (await shipping.call("GET", "", params={"limit": 1000})).json()
    assert all(shipment["status"] for shipment in everything["items"])


@pytest.mark.parametrize("path", ["/s-unknown", "/unknown", "/order/o-unknown"])
async def test_what_doesnt_exist_is_not_found(shipping: ShippingClient, path: str) -> None:
    assert code(await shipping.call("GET", path)) == (404, "not_found")


async def test_the_status_of_a_shipment_that_doesnt_exist_is_not_found(shipping: ShippingClient) -> None:
    assert code(await shipping.status("o-unknown", "handed_over")) == (404, "not_found")
    refused = fresh("o")
    await shipping.schedule(refused, "a-nowhere")
    assert code(await shipping.status(refused, "handed_over")) == (404, "not_found")


async def test_auditors_find_an_order_s_ledger_by_an_index(shipping: ShippingClient) -> None:
    indexes = await shipping.database["ledger"].aggregate([{"$indexStats": {}}])
    assert "order_id_1" in [index["name"] for index in indexes]


async def test_a_parcel_stays_until_its_order_is_confirmed(shipping: ShippingClient, order_book: OrderBook) -> None:
    """Until then the order may be rolled back, and what has been handed over can't be cancelled any more."""
    order = fresh("o")
    for status in ("PENDING", "CANCELLING", None):
        order_book.status[order] = status
        assert (await shipping.schedule(order, await shipping.home())).json()["confirmed"] is False
        refused = await shipping.status(order, "handed_over")
        assert code(refused) == (409, "order_not_confirmed"), status
        assert f"GET /api/orders/{order}" in refused.json()["detail"]
        assert (await shipping.shipment(order)).json()["status"] == "scheduled"
        assert (await shipping.shipment(order)).json()["confirmed"] is False
        order = fresh("o")


async def test_a_shipment_shows_that_its_order_is_confirmed_and_may_leave(
    shipping: ShippingClient, order_book: OrderBook
) -> None:
    order = fresh("o")
    order_book.status[order] = "PENDING"
    await shipping.schedule(order, await shipping.home())
    order_book.status[order] = "CONFIRMED"
    shown = (await shipping.shipment(order)).json()
    assert (shown["status"], shown["confirmed"]) == ("scheduled", True)
    order_book.status[order] = None  # it is remembered: a confirmed order stays confirmed
    assert (await shipping.status(order, "handed_over")).json()["status"] == "handed_over"


async def test_without_the_order_services_word_a_parcel_stays(shipping: ShippingClient, order_book: OrderBook) -> None:
    order = fresh("o")
    await shipping.schedule(order, await shipping.home())
    order_book.down = True
    try:
        assert code(await shipping.status(order, "handed_over")) == (503, "unavailable")
        shown = await shipping.shipment(order)
        assert (shown.status_code, shown.json()["confirmed"]) == (200, False)
    finally:
        order_book.down = False
    assert (await shipping.status(order, "handed_over")).status_code == 200
