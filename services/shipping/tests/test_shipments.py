"""Schedule and cancel on a real MongoDB, in every order, and what the carrier saw of it."""

import asyncio

import pytest

from services.shipping.tests.client import Parcels, code, fresh


async def test_a_shipment_is_booked_once_however_often_it_is_asked_for(parcels: Parcels) -> None:
    order, home = fresh("o"), await parcels.home()
    answer = await parcels.schedule(order, home)
    assert answer.status_code == 200
    shipment = answer.json()
    assert shipment == {
        "shipping_id": f"s-{order}",
        "order_id": order,
        "customer_id": "c-17",
        "address_ref": home,
        "status": "scheduled",
        "tracking_number": shipment["tracking_number"],
    }
    assert shipment["tracking_number"].startswith("TC")
    assert (await parcels.schedule(order, home)).json() == shipment
    assert (await parcels.shipment(order)).json() == shipment
    assert (await parcels.call("GET", f"/s-{order}")).json() == shipment
    assert await parcels.ledger(order) == {"booking": 1}


async def test_schedules_at_the_same_time_book_once(parcels: Parcels) -> None:
    order, home = fresh("o"), await parcels.home()
    answers = await asyncio.gather(*(parcels.schedule(order, home) for _ in range(12)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert {code(answer) for answer in answers if answer.status_code == 409} <= {(409, "running")}
    assert (await parcels.schedule(order, home)).json()["status"] == "scheduled"
    assert await parcels.ledger(order) == {"booking": 1}


async def test_another_body_under_the_same_key_is_refused(parcels: Parcels) -> None:
    order, home = fresh("o"), await parcels.home()
    await parcels.schedule(order, home)
    assert code(await parcels.schedule(order, home, customer_id="c-18")) == (422, "key_reused")


async def test_an_unknown_address_is_a_refusal_that_stays(parcels: Parcels) -> None:
    order, nowhere = fresh("o"), fresh("a")
    refused = await parcels.schedule(order, nowhere)
    assert code(refused) == (409, "address_unknown")
    assert refused.json()["order_id"] == order
    await parcels.address(nowhere)
    assert (await parcels.schedule(order, nowhere)).json() == refused.json()
    assert (await parcels.shipment(order)).status_code == 404
    assert (await parcels.cancel(order)).json() == {"order_id": order, "effect": "none"}
    assert await parcels.ledger(order) == {}


async def test_nobody_delivers_to_antarctica(parcels: Parcels) -> None:
    order, pole = fresh("o"), await parcels.home(country="AQ")
    assert code(await parcels.schedule(order, pole)) == (409, "not_serviceable")
    assert await parcels.ledger(order) == {}


async def test_a_cancel_takes_the_booking_back_once(parcels: Parcels) -> None:
    order, home = fresh("o"), await parcels.home()
    shipment = (await parcels.schedule(order, home)).json()
    cancelled = await parcels.cancel(order)
    assert cancelled.json() == {**shipment, "status": "cancelled", "effect": "undone"}
    assert (await parcels.cancel(order)).json() == cancelled.json()
    assert code(await parcels.schedule(order, home)) == (409, "compensated")
    assert (await parcels.shipment(order)).json()["status"] == "cancelled"
    assert await parcels.ledger(order) == {"booking": 1, "cancellation": 1}


async def test_a_late_schedule_meets_the_tombstone(parcels: Parcels) -> None:
    order, home = fresh("o"), await parcels.home()
    assert (await parcels.cancel(order)).json() == {"order_id": order, "effect": "none"}
    assert code(await parcels.schedule(order, home)) == (409, "compensated")
    assert code(await parcels.shipment(order)) == (404, "not_found")
    assert await parcels.ledger(order) == {}


async def test_schedule_and_cancel_at_once_leave_nothing_booked(parcels: Parcels) -> None:
    home = await parcels.home()
    for order in [fresh("o") for _ in range(8)]:
        await asyncio.gather(parcels.schedule(order, home), parcels.cancel(order), parcels.schedule(order, home))
        while (answer := await parcels.cancel(order)).status_code != 200:
            assert code(answer) == (409, "running")
            await asyncio.sleep(0.05)
        ledger = await parcels.ledger(order)
        assert ledger["booking"] == ledger["cancellation"] <= 1
        assert code(await parcels.schedule(order, home)) == (409, "compensated")


async def test_a_lost_answer_of_the_carrier_is_asked_for_again(forgetful: Parcels) -> None:
    order, home = fresh("o"), await forgetful.home()
    lost = await forgetful.schedule(order, home)
    assert code(lost) == (503, "unavailable")
    assert (await forgetful.schedule(order, home)).json()["status"] == "scheduled"
    assert code(await forgetful.cancel(order)) == (503, "unavailable")
    assert code(await forgetful.status(order, "handed_over")) == (409, "illegal_transition")
    assert (await forgetful.cancel(order)).json()["effect"] == "undone"
    assert await forgetful.ledger(order) == {"booking": 1, "cancellation": 1}


async def test_a_booking_whose_answer_got_lost_is_cancelled_too(forgetful: Parcels) -> None:
    order, home = fresh("o"), await forgetful.home()
    assert (await forgetful.schedule(order, home)).status_code == 503
    while (answer := await forgetful.cancel(order)).status_code != 200:
        assert code(answer) in {(409, "running"), (503, "unavailable")}
        await asyncio.sleep(0.05)
    assert answer.json()["effect"] == "undone"
    assert await forgetful.ledger(order) == {"booking": 1, "cancellation": 1}


async def test_what_was_booked_is_known_also_after_the_address_has_moved_to_the_pole(forgetful: Parcels) -> None:
    order, home = fresh("o"), await forgetful.home()
    assert (await forgetful.schedule(order, home)).status_code == 503
    await forgetful.address(home, country="AQ")
    assert (await forgetful.schedule(order, home)).json()["status"] == "scheduled"
    assert await forgetful.ledger(order) == {"booking": 1}


async def test_a_parcel_goes_its_way_and_cant_be_called_back(parcels: Parcels) -> None:
    order, home = fresh("o"), await parcels.home()
    shipment = (await parcels.schedule(order, home)).json()
    for status in ("handed_over", "in_transit", "delivered"):
        assert (await parcels.status(order, status)).json() == {**shipment, "status": status}
        assert (await parcels.status(order, status)).status_code == 200, "a repetition changes nothing"
        refused = await parcels.cancel(order)
        assert code(refused) == (409, "handed_over")
        assert refused.json()["order_id"] == order
    assert (await parcels.schedule(order, home)).json() == shipment, "the answer stays what it was"
    assert await parcels.ledger(order) == {"booking": 1}


@pytest.mark.parametrize("wanted", ["in_transit", "delivered", "cancelled"])
async def test_a_parcel_skips_no_step(parcels: Parcels, wanted: str) -> None:
    order = fresh("o")
    await parcels.schedule(order, await parcels.home())
    refused = await parcels.status(order, wanted)
    assert code(refused) == (409, "illegal_transition")
    assert "the next status is handed_over" in refused.json()["detail"]


async def test_a_cancelled_parcel_is_never_handed_over(parcels: Parcels) -> None:
    order = fresh("o")
    await parcels.schedule(order, await parcels.home())
    await parcels.cancel(order)
    assert code(await parcels.status(order, "handed_over")) == (409, "illegal_transition")


async def test_hand_over_and_cancel_at_once_have_one_winner(parcels: Parcels) -> None:
    home = await parcels.home()
    for order in [fresh("o") for _ in range(8)]:
        await parcels.schedule(order, home)
        handed, cancelled = await asyncio.gather(parcels.status(order, "handed_over"), parcels.cancel(order))
        assert sorted([handed.status_code, cancelled.status_code]) == [200, 409]
        shown = (await parcels.shipment(order)).json()["status"]
        assert shown == ("handed_over" if handed.status_code == 200 else "cancelled")


async def test_shipments_are_listed_by_customer_and_status(parcels: Parcels) -> None:
    home, customer = await parcels.home(), fresh("c")
    orders = sorted(fresh("o") for _ in range(3))
    for order in orders:
        await parcels.schedule(order, home, customer_id=customer)
    await parcels.cancel(orders[0])
    await parcels.cancel(fresh("o"))
    listed = (await parcels.call("GET", "", params={"customer_id": customer})).json()
    assert [shipment["order_id"] for shipment in listed["items"]] == orders
    assert (listed["total"], listed["limit"], listed["skip"]) == (3, 100, 0)
    live = (await parcels.call("GET", "", params={"customer_id": customer, "status": "scheduled", "limit": 1})).json()
    assert [shipment["order_id"] for shipment in live["items"]] == orders[1:2]
    assert live["total"] == 2
    everything = (await parcels.call("GET", "", params={"limit": 1000})).json()
    assert all(shipment["status"] for shipment in everything["items"])


@pytest.mark.parametrize("path", ["/s-nobody", "/nobody", "/order/o-nobody"])
async def test_what_doesnt_exist_is_not_found(parcels: Parcels, path: str) -> None:
    assert code(await parcels.call("GET", path)) == (404, "not_found")


async def test_the_status_of_a_shipment_that_doesnt_exist_is_not_found(parcels: Parcels) -> None:
    assert code(await parcels.status("o-nobody", "handed_over")) == (404, "not_found")
    refused = fresh("o")
    await parcels.schedule(refused, "a-nowhere")
    assert code(await parcels.status(refused, "handed_over")) == (404, "not_found")
