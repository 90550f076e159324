"""The rules of shipping, without a database."""

from typing import get_args

from services.shipping.models import Address, Status
from services.shipping.rules import may_cancel, may_follow, why_not
from services.shipping.testprovider import tracking_number_of

STATUSES: tuple[Status, ...] = get_args(Status)


def test_a_parcel_goes_forward_one_step_at_a_time() -> None:
    legal = {(a, b) for a in STATUSES for b in STATUSES if may_follow(a, b)}
    assert legal == {("scheduled", "handed_over"), ("handed_over", "in_transit"), ("in_transit", "delivered")}


def test_only_a_parcel_that_is_still_here_can_be_cancelled() -> None:
    assert [status for status in STATUSES if may_cancel(status)] == ["scheduled"]


def test_nobody_delivers_to_antarctica() -> None:
    assert why_not(_address("AQ")) == "not_serviceable"
    assert why_not(_address("DE")) is None
    assert why_not(None) == "address_unknown"


def test_a_booking_always_has_the_same_tracking_number() -> None:
    assert tracking_number_of("o-1") == tracking_number_of("o-1")
    assert tracking_number_of("o-1") != tracking_number_of("o-2")
    assert len(tracking_number_of("o-1")) == 12


def _address(country: str) -> Address:
    return Address(address_ref="a-1", name="Ada", street="Lane 1", city="Berlin", postal_code="10115", country=country)
