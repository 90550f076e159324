"""Addresses: stored, created only, expiring, and never logged."""

import asyncio
import logging
from datetime import timedelta

import httpx
import pytest

from common.background import Rounds
from common.errors import Unavailable
from common.mongo import Index, PyMongoError
from common.shop import references
from common.shop.references import UNUSED_FOR, order_of
from common.wire import utcnow
from services.shipping.store import Addresses
from services.shipping.tests.client import HOME, ShippingClient
from tests.support.order_service import OrderBook
from tests.support.service_client import code, fresh


async def _expiry_in_days(shipping: ShippingClient, ref: str) -> int | None:
    stored = await shipping.database["addresses"].find_one({"_id": ref})
    assert stored is not None
    return round((stored["expires_at"] - utcnow()) / timedelta(days=1)) if "expires_at" in stored else None


async def test_an_address_is_stored_and_overwritten(shipping: ShippingClient) -> None:
    ref = fresh("a")
    assert (await shipping.address(ref)).json() == {"address_ref": ref, "customer_id": None, **HOME}
    assert (await shipping.address(ref, city="Elsewhere")).status_code == 200
    known = (await shipping.call("GET", f"/addresses/{ref}")).json()
    assert known == {"address_ref": ref, "customer_id": None, **HOME, "city": "Elsewhere"}
    assert await _expiry_in_days(shipping, ref) is None


async def test_an_unknown_address_is_not_found(shipping: ShippingClient) -> None:
    assert code(await shipping.call("GET", f"/addresses/{fresh('a')}")) == (404, "not_found")


async def test_an_address_that_came_with_an_order_is_created_only(shipping: ShippingClient) -> None:
    ref = f"{'o' * 63}-0123456789ab"
    assert (await shipping.address(ref, once=True)).json() == {"address_ref": ref, "customer_id": None, **HOME}
    assert (await shipping.address(ref, once=True)).status_code == 200, "equal content is the same address"
    assert code(await shipping.address(ref, once=True, city="Elsewhere")) == (412, "address_exists")
    assert (await shipping.call("GET", f"/addresses/{ref}")).json()["city"] == HOME["city"]


async def test_it_expires_after_30_days_unless_a_shipment_uses_it(shipping: ShippingClient) -> None:
    ref = fresh("o-1-abc")
    await shipping.address(ref, once=True)
    assert await _expiry_in_days(shipping, ref) == UNUSED_FOR.days == 30
    await shipping.database["addresses"].update({"_id": ref}, {"$set": {"expires_at": utcnow() + timedelta(days=1)}})
    await shipping.address(ref, once=True)
    assert await _expiry_in_days(shipping, ref) == 30, "asked for again, it waits as long again"
    await shipping.schedule(fresh("o"), ref)
    assert await _expiry_in_days(shipping, ref) is None
    await shipping.address(ref, once=True)
    assert await _expiry_in_days(shipping, ref) is None, "a used address stays"


@pytest.mark.parametrize("once", [False, True], ids=["registered", "of an order"])
async def test_the_address_of_another_customer_is_as_one_that_does_not_exist(
    shipping: ShippingClient, once: bool
) -> None:
    ref, mine, theirs = fresh("a"), fresh("o"), fresh("o")
    assert (await shipping.address(ref, once=once, owner="c-17")).json()["customer_id"] == "c-17"
    refused = await shipping.schedule(theirs, ref, "c-18")
    assert code(refused) == (409, "address_unknown")
    nowhere = await shipping.schedule(fresh("o"), "a-none", "c-18")
    assert refused.json()["detail"].replace(ref, "").replace(theirs, "") == (
        nowhere.json()["detail"].replace("a-none", "").replace(nowhere.json()["order_id"], "")
    )
    assert (await _expiry_in_days(shipping, ref) is None) is not once, "it isn't used"
    assert (await shipping.schedule(mine, ref, "c-17")).status_code == 200


async def test_an_address_keeps_its_owner_until_it_gets_another(shipping: ShippingClient) -> None:
    ref = fresh("a")
    await shipping.address(ref, owner="c-17")
    assert (await shipping.address(ref, city="Elsewhere")).json()["customer_id"] == "c-17"
    assert (await shipping.address(ref, owner="c-18")).json()["customer_id"] == "c-18"


async def test_what_came_with_an_order_is_never_given_to_another_customer(shipping: ShippingClient) -> None:
    ref, of_an_earlier_release = fresh("a"), fresh("a")
    await shipping.address(ref, once=True, owner="c-17")
    assert code(await shipping.address(ref, once=True, owner="c-18")) == (412, "address_exists")
    await shipping.address(of_an_earlier_release, once=True)
    await shipping.address(of_an_earlier_release, once=True, owner="c-17")
    known = (await shipping.call("GET", f"/addresses/{of_an_earlier_release}")).json()
    assert known["customer_id"] == "c-17"


async def test_nobody_erases_the_address_of_another_customer(shipping: ShippingClient) -> None:
    ref = fresh("a")
    await shipping.address(ref, owner="c-17")
    for customer_id, left in (("c-18", 200), ("c-17", 404)):
        body = {"customer_id": customer_id, "order_ids": [], "references": [ref]}
        assert (await shipping.call("POST", "/erase", json=body)).status_code == 200
        assert (await shipping.call("GET", f"/addresses/{ref}")).status_code == left


async def expire(shipping: ShippingClient, order_book: OrderBook, ref: str) -> bool:
    """Let it expire, and whether it is gone after the next look."""
    entries = shipping.database["addresses"]
    assert await entries.update({"_id": ref}, {"$set": {"expires_at": utcnow() - timedelta(days=1)}})
    await Addresses(shipping.database, order_book.orders()).delete_expired()
    return await entries.find_one({"_id": ref}) is None


@pytest.mark.parametrize(
    ("status", "gone"),
    [(None, True), ("CANCELLED", True), ("DELIVERED", True), ("PENDING", False), ("CANCELLING", False), ("NEW", False)],
)
async def test_what_has_expired_goes_unless_its_order_still_needs_it(
    shipping: ShippingClient, order_book: OrderBook, status: str | None, gone: bool
) -> None:
    """An order that was suspended for two months is charged by then, and its address is still there."""
    order = fresh("o")
    ref = f"{order}-0123456789ab"
    order_book.status[order] = status
    await shipping.address(ref, once=True)
    assert await expire(shipping, order_book, ref) is gone
    if not gone:
        assert await _expiry_in_days(shipping, ref) == 1, "it is looked at again"
        assert (await shipping.schedule(order, ref)).status_code == 200


async def test_without_the_order_services_word_nothing_is_deleted(
    shipping: ShippingClient, order_book: OrderBook
) -> None:
    ref = f"{fresh('o')}-0123456789ab"
    await shipping.address(ref, once=True)
    order_book.down = True
    try:
        assert not await expire(shipping, order_book, ref)
    finally:
        order_book.down = False


async def test_an_entry_that_cannot_be_looked_at_holds_up_no_other(
    shipping: ShippingClient, order_book: OrderBook, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING")  # whatever a service that another test has built here was set to
    entries = shipping.database["addresses"]
    refs = [f"{fresh('o')}-0123456789ab" for _ in range(3)]
    for days, ref in enumerate(refs):
        await shipping.address(ref, once=True)
        await entries.update({"_id": ref}, {"$set": {"expires_at": utcnow() - timedelta(days=9 - days)}})
        order_book.status[order_of(ref) or ""] = None
    orders = order_book.orders()
    asked = orders.status_of

    async def status_of(order_id: str) -> str | None:
        if order_id == order_of(refs[0]):
            raise KeyError("a defect that this entry alone meets")
        return await asked(order_id)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(orders, "status_of", status_of)
        await Addresses(shipping.database, orders).delete_expired()
    left = [ref for ref in refs if await entries.find_one({"_id": ref}) is not None]
    assert left == refs[:1], "the others are gone"
    assert await _expiry_in_days(shipping, refs[0]) == 0, "it is looked at again in an hour"
    assert [each for each in caplog.messages if "KeyError" in each]


async def test_entries_of_which_nothing_can_be_learnt_are_seen_until_some_are_decided(
    shipping: ShippingClient, order_book: OrderBook
) -> None:
    """Otherwise the personal data of customers would be kept for ever, and nobody would know."""
    entries, orders, rounds = shipping.database["addresses"], order_book.orders(), Rounds()

    async def status_of(order_id: str) -> str | None:
        raise Unavailable("the order service is somewhere else")

    async def look() -> str:
        await Addresses(shipping.database, orders).delete_expired(rounds)
        return rounds.state

    async def expired() -> None:
        ref = f"{fresh('o')}-0123456789ab"
        order_book.status[order_of(ref) or ""] = None
        await shipping.address(ref, once=True)
        await entries.update({"_id": ref}, {"$set": {"expires_at": utcnow() - timedelta(days=1)}})

    assert await look() == "ok"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(orders, "status_of", status_of)
        await expired()
        assert await look() == "failing"
    assert await look() == "failing", "there is nothing to do now, which proves nothing"
    await expired()
    assert await look() == "ok"


async def test_the_work_is_well_again_with_the_database_and_does_not_hang_while_there_is_nothing_to_do(
    shipping: ShippingClient, order_book: OrderBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Flaky(Addresses):
        """Its database doesn't answer when it is first asked."""

        looks = 0

        async def delete_expired(self, rounds: Rounds | None = None) -> int:
            self.looks += 1
            if self.looks == 1:
                raise PyMongoError("no server")
            return await super().delete_expired(rounds)

    monkeypatch.setattr(references, "SWEEP_SECONDS", 0.02)
    rounds, flaky = Rounds(silent=0.5), Flaky(shipping.database, order_book.orders())

    async def after(looks: int) -> None:
        async with asyncio.timeout(10):
            while flaky.looks < looks:  # noqa: ASYNC110 - it is the work that is watched
                await asyncio.sleep(0.01)

    cleaning = asyncio.create_task(flaky.keep_clean(rounds))
    try:
        await after(4)
        assert rounds.state == "ok"
        rounds.failed("it isn't known whether an entry is still needed")
        began = flaky.looks
        await asyncio.sleep(1)
        await after(began + 2)
        assert rounds.state == "failing", "nothing was found that could be decided"
        assert rounds.until_hanging > 0
    finally:
        cleaning.cancel()


async def test_no_index_of_an_earlier_release_deletes_what_an_order_needs(
    shipping: ShippingClient, order_book: OrderBook
) -> None:
    entries = shipping.database["addresses"]
    await entries.ensure([Index.on("addresses", "expires_at", expireAfterSeconds=0)])
    cleaning = asyncio.create_task(Addresses(shipping.database, order_book.orders()).keep_clean(Rounds()))
    try:
        for _ in range(200):
            names = [index["name"] for index in await entries.aggregate([{"$indexStats": {}}])]
            if "expires_at_1" not in names:
                break
            await asyncio.sleep(0.05)
        assert "expires_at_1" not in names
        assert "expires_at_1__id_1" in names
    finally:
        cleaning.cancel()


async def test_the_address_of_an_order_that_was_rolled_back_expires_again(shipping: ShippingClient) -> None:
    order = fresh("o")
    own, registered = f"{order}-0123456789ab", await shipping.home()
    await shipping.address(own, once=True)
    await shipping.schedule(order, own)
    assert await _expiry_in_days(shipping, own) is None
    await shipping.cancel(order)
    assert await _expiry_in_days(shipping, own) == 30
    other = fresh("o")
    await shipping.schedule(other, registered)
    await shipping.cancel(other)
    assert await _expiry_in_days(shipping, registered) is None, "a registered one stays"


async def test_an_address_is_deleted_unless_an_order_needs_it(shipping: ShippingClient, order_book: OrderBook) -> None:
    order = fresh("o")
    ref = f"{order}-0123456789ab"
    await shipping.address(ref, once=True)

    async def delete(path: str) -> httpx.Response:
        return await shipping.call("DELETE", f"/addresses/{path}")

    order_book.status[order] = "PENDING"
    assert code(await delete(ref)) == (409, "in_use"), "its order will need it"
    order_book.down = True
    try:
        assert code(await delete(ref)) == (503, "unavailable")
    finally:
        order_book.down = False
    await shipping.schedule(order, ref)
    order_book.status[order] = "CONFIRMED"
    assert code(await delete(ref)) == (409, "in_use"), "its parcel is on the way"
    for status in ("handed_over", "in_transit", "delivered"):
        assert (await shipping.status(order, status)).status_code == 200
    assert (await delete(ref)).status_code == 204
    assert code(await shipping.call("GET", f"/addresses/{ref}")) == (404, "not_found")
    assert code(await delete(ref)) == (404, "not_found")


async def test_an_address_that_nothing_is_delivered_to_still_expires(shipping: ShippingClient) -> None:
    ref = fresh("o-1-abc")
    await shipping.address(ref, once=True, country="AQ")
    assert code(await shipping.schedule(fresh("o"), ref)) == (409, "not_serviceable")
    assert await _expiry_in_days(shipping, ref) == 30


@pytest.mark.parametrize(
    "changes", [{"country": "de"}, {"country": "Germany"}, {"name": ""}, {"street": "x" * 201}, {"planet": "Earth"}]
)
async def test_an_address_that_cant_be_right_is_invalid(shipping: ShippingClient, changes: dict[str, str]) -> None:
    assert code(await shipping.address(fresh("a"), **changes)) == (422, "invalid")


async def test_only_the_star_is_understood_as_a_condition(shipping: ShippingClient) -> None:
    answer = await shipping.call("PUT", "/addresses/a-1", json=HOME, headers={"If-None-Match": '"abc"'})
    assert code(answer) == (422, "invalid")


async def test_nobody_finds_an_address_in_the_logs(shipping: ShippingClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    order, home = fresh("o"), await shipping.home()
    await shipping.schedule(order, home)
    await shipping.cancel(order)
    invalid = await shipping.address(home, postal_code="x" * 30)
    assert "x" * 30 not in invalid.text
    assert caplog.text
    logged = " ".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert not [value for name, value in HOME.items() if name != "country" and value in logged]
