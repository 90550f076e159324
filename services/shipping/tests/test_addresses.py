"""Addresses: stored, created only, expiring, and never logged."""

import logging
from datetime import timedelta

import pytest

from common.references import UNUSED_FOR
from common.wire import utcnow
from services.shipping.tests.client import HOME, ShippingClient
from tests.support.service_client import code, fresh


async def _expiry_in_days(shipping: ShippingClient, ref: str) -> int | None:
    stored = await shipping.database["addresses"].find_one({"_id": ref})
    assert stored is not None
    return round((stored["expires_at"] - utcnow()) / timedelta(days=1)) if "expires_at" in stored else None


async def test_an_address_is_stored_and_overwritten(shipping: ShippingClient) -> None:
    ref = fresh("a")
    assert (await shipping.address(ref)).json() == {"address_ref": ref, **HOME}
    assert (await shipping.address(ref, city="Elsewhere")).status_code == 200
    assert (await shipping.call("GET", f"/addresses/{ref}")).json() == {"address_ref": ref, **HOME, "city": "Elsewhere"}
    assert await _expiry_in_days(shipping, ref) is None


async def test_an_unknown_address_is_not_found(shipping: ShippingClient) -> None:
    assert code(await shipping.call("GET", f"/addresses/{fresh('a')}")) == (404, "not_found")


async def test_an_address_that_came_with_an_order_is_created_only(shipping: ShippingClient) -> None:
    ref = f"{'o' * 63}-0123456789ab"
    assert (await shipping.address(ref, once=True)).json() == {"address_ref": ref, **HOME}
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


async def test_mongodb_is_told_to_remove_what_has_expired(shipping: ShippingClient) -> None:
    indexes = await shipping.database["addresses"].aggregate([{"$indexStats": {}}])
    assert "expires_at_1" in [index["name"] for index in indexes]


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
