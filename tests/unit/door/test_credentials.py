"""The pure parts of the door: what a key is, how buckets fill, and whose a provider's claims are."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from common.identity.callers import Caller, Role
from common.identity.tokens import NotAuthentic
from services.order.client import EVERYBODY, Client
from services.order.door.allowance import CLIENTS, Allowance
from services.order.door.api_keys import digest_of, document_of, is_key, key_of, made, period
from services.order.door.provider import Claims

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def test_a_key_is_random_and_what_is_kept_of_it_does_not_have_it() -> None:
    made_keys = [made(Role.CUSTOMER, "c-17", now=NOW) for _ in range(100)]
    assert len({secret for secret, _ in made_keys}) == len({key.key_id for _, key in made_keys}) == 100
    secret, key = made_keys[0]
    assert is_key(secret)
    kept = document_of(key, digest_of(secret))
    assert key_of(kept) == key
    assert secret not in str(kept)
    assert key.caller == Caller("customer:c-17", Role.CUSTOMER, "c-17", key.key_id)
    _, clerk = made(Role.STAFF, "ada", now=NOW)
    assert clerk.caller.customer_id is None


def test_a_key_is_good_until_its_time_is_over() -> None:
    _, key = made(Role.CUSTOMER, "c-17", now=NOW, lasts=period("12h"))
    assert key.why_not(NOW + timedelta(hours=12, seconds=-1)) is None
    assert key.why_not(NOW + timedelta(hours=12)) is not None
    assert period("30d") == timedelta(days=30)
    for wrong in ("", "30", "0d", "-1d", "1w", "1.5d", "999999d"):
        with pytest.raises(ValueError, match="is no period"):
            period(wrong)


def test_a_bucket_fills_at_its_rate_and_holds_no_more_than_its_burst() -> None:
    now = 0.0
    allowance = Allowance(2.0, 3, clock=lambda: now)
    assert [allowance.take("c") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert allowance.take("d") == 0.0
    now = 0.5
    assert [allowance.wait("c"), allowance.take("c"), allowance.take("c")] == [0.0, 0.0, 0.5]
    now = 1000.0
    assert [allowance.take("c") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


def test_no_more_buckets_are_kept_than_so_many() -> None:
    allowance = Allowance(1.0, 1, clock=lambda: 0.0)
    for number in range(CLIENTS + 10):
        assert allowance.take(str(number)) == 0.0
    assert allowance.take(str(CLIENTS + 9)) > 0.0


CLAIMS = Claims("sub", "realm_access.roles", "staff")


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"sub": "c-17"}, Role.CUSTOMER),
        ({"sub": "ada@example.com", "realm_access": {"roles": ["a", "staff"]}}, Role.STAFF),
        ({"sub": "ada", "realm_access.roles": "staff"}, Role.STAFF),
        ({"sub": "c-17", "realm_access": {"roles": ["staffing", "a"]}}, Role.CUSTOMER),
        ({"sub": "c-17", "realm_access": ["staff"]}, Role.CUSTOMER),
        ({"sub": "c-17", "realm_access": {"roles": {"staff": True}}}, Role.CUSTOMER),
        ({"sub": "c 17"}, None),
        ({"sub": "c-17\n"}, None),
        ({"sub": 17}, None),
        ({"sub": ""}, None),
        ({}, None),
    ],
)
def test_claims_say_who_the_bearer_is(claims: dict[str, Any], role: Role | None) -> None:
    if role is None:
        with pytest.raises(NotAuthentic):
            CLAIMS.caller_of(claims)
        return
    caller = CLAIMS.caller_of(claims)
    assert caller.role is role
    assert caller.customer_id == (claims["sub"] if role is Role.CUSTOMER else None)


def test_without_a_value_nobody_is_staff() -> None:
    assert Claims("sub", "role", "").caller_of({"sub": "c-17", "role": ""}).role is Role.CUSTOMER


def test_a_client_sees_what_is_theirs_and_what_is_nobodys() -> None:
    ada = Client(Caller("customer:c-17", Role.CUSTOMER, "c-17"))
    clerk = Client(Caller("staff:eve", Role.STAFF))
    mine, other, nobodys = {"customer_id": "c-17"}, {"customer_id": "c-18"}, {"barrier": {}}
    assert [ada.document(each) for each in (mine, other, nobodys, None)] == [mine, None, nobodys, None]
    for all_seeing in (clerk, EVERYBODY):
        assert [all_seeing.document(each) for each in (mine, other)] == [mine, other]
    assert ada.resource({"spec": {"customerID": "c-18"}}) is None
    assert ada.resource({"spec": None}) is None
    assert ada.listed(None) == "c-17"
    assert clerk.listed(None) is None
