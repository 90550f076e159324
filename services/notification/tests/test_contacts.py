"""Contacts: owned here, created by people or with an order; what comes with an order expires unless it is used."""

from datetime import timedelta

import pytest

from common.shop.references import UNUSED_FOR
from common.wire import utcnow
from services.notification.store import Contacts
from services.notification.tests.client import NotificationClient
from tests.support.order_service import OrderBook


async def test_a_contact_is_created_and_changed(notifications: NotificationClient, order_id: str) -> None:
    ref = f"c-{order_id}"
    assert (await notifications.contact(ref)).status_code == 404
    created = await notifications.put_contact(ref, "a@example.com")
    assert (created.status_code, created.json()) == (
        201,
        {"contact_ref": ref, "email": "a@example.com", "locale": None, "customer_id": None},
    )
    changed = await notifications.put_contact(ref, "b@example.com")
    assert (changed.status_code, changed.json()["email"]) == (200, "b@example.com")
    assert (await notifications.contact(ref)).json() == changed.json()


async def test_a_contact_that_comes_with_an_order_is_never_overwritten(
    notifications: NotificationClient, order_id: str
) -> None:
    ref = f"{order_id}-0123456789ab"
    assert (await notifications.put_contact(ref, "a@example.com", create=True)).status_code == 201
    assert (await notifications.put_contact(ref, "a@example.com", create=True)).status_code == 200
    other = await notifications.put_contact(ref, "b@example.com", create=True)
    assert (other.status_code, other.json()["code"]) == (412, "exists")
    assert (await notifications.contact(ref)).json()["email"] == "a@example.com"


async def test_a_contact_of_the_release_before_is_the_same_to_a_placing_that_is_repeated(
    notifications: NotificationClient, order_id: str
) -> None:
    ref = f"{order_id}-0123456789ab"
    await notifications.put_contact(ref, "a@example.com", create=True)
    assert await notifications.database["contacts"].update({"_id": ref}, {"$unset": {"locale": ""}})
    assert (await notifications.put_contact(ref, "a@example.com", create=True)).status_code == 200
    more = {"email": "a@example.com", "locale": "de"}
    other = await notifications.call("PUT", f"/contacts/{ref}", json=more, headers={"If-None-Match": "*"})
    assert (other.status_code, other.json()["code"]) == (412, "exists")
    assert (await notifications.send(order_id, ref)).status_code == 200


@pytest.mark.parametrize("locale", ["", "german", "de_DE", "de-", "../en", "d" * 40, 5])
async def test_what_is_no_language_is_invalid(notifications: NotificationClient, locale: object) -> None:
    answer = await notifications.call("PUT", "/contacts/c-bad", json={"email": "a@example.com", "locale": locale})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


async def test_nobody_is_written_to_about_the_order_of_another(
    notifications: NotificationClient, order_id: str
) -> None:
    ref = f"c-{order_id}"
    await notifications.call("PUT", f"/contacts/{ref}", json={"email": "a@example.com"}, params={"customer_id": "c-17"})
    refused = await notifications.send(order_id, ref, customer_id="c-18")
    assert (refused.status_code, refused.json()["code"]) == (409, "contact_unknown")
    assert await notifications.messages(order_id) == 0
    own = f"{order_id}-own"
    assert (await notifications.send(own, ref, customer_id="c-17")).status_code == 200
    assert await notifications.messages(own) == 1


async def test_it_expires_after_thirty_days_unless_an_order_uses_it(
    notifications: NotificationClient, order_id: str
) -> None:
    ref = f"{order_id}-0123456789ab"
    await notifications.put_contact(ref, "a@example.com", create=True)
    kept = await notifications.database["contacts"].find_one({"_id": ref})
    assert kept is not None
    assert abs(kept["expires_at"] - utcnow() - UNUSED_FOR) < timedelta(minutes=1)

    assert (await notifications.send(order_id, ref)).status_code == 200
    used = await notifications.database["contacts"].find_one({"_id": ref})
    assert used is not None
    assert "expires_at" not in used
    await notifications.put_contact(ref, "a@example.com", create=True)
    assert "expires_at" not in (await notifications.database["contacts"].find_one({"_id": ref}) or {})


async def test_what_a_person_puts_does_not_expire(notifications: NotificationClient, order_id: str) -> None:
    await notifications.put_contact(f"c-{order_id}", "a@example.com")
    assert "expires_at" not in (await notifications.database["contacts"].find_one({"_id": f"c-{order_id}"}) or {})


@pytest.mark.parametrize(("status", "gone"), [(None, True), ("CANCELLED", True), ("PENDING", False)])
async def test_what_has_expired_goes_unless_its_order_still_needs_it(
    notifications: NotificationClient, order_id: str, status: str | None, gone: bool
) -> None:
    ref, entries = f"{order_id}-0123456789ab", notifications.database["contacts"]
    await notifications.put_contact(ref, "a@example.com", create=True)
    assert await entries.update({"_id": ref}, {"$set": {"expires_at": utcnow() - timedelta(days=1)}})
    await Contacts(notifications.database, OrderBook(status).orders()).delete_expired()
    assert (await entries.find_one({"_id": ref}) is None) is gone


async def test_a_contact_is_deleted(notifications: NotificationClient, order_id: str) -> None:
    ref = f"c-{order_id}"
    await notifications.put_contact(ref, "a@example.com")
    assert (await notifications.call("DELETE", f"/contacts/{ref}")).status_code == 204
    assert (await notifications.contact(ref)).status_code == 404
    assert (await notifications.call("DELETE", f"/contacts/{ref}")).status_code == 404


@pytest.mark.parametrize("email", ["", "nobody", "a@b c", "@example.com", "a@", f"{'x' * 250}@example.com", 5, None])
async def test_what_is_no_address_is_invalid(notifications: NotificationClient, email: str) -> None:
    answer = await notifications.put_contact("c-bad", email)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert str(email) not in answer.json()["detail"] or not email, "what was given isn't repeated: it is personal"
