"""The rules of shipping, without a database."""

from typing import get_args

from services.shipping.models import ShipmentStatus
from services.shipping.provider import tracking_number_of
from services.shipping.rules import may_cancel, may_follow, why_not

STATUSES: tuple[ShipmentStatus, ...] = get_args(ShipmentStatus)


def test_a_parcel_goes_forward_one_step_at_a_time() -> None:
    legal = {(a, b) for a in STATUSES for b in STATUSES if may_follow(a, b)}
    assert legal == {("scheduled", "handed_over"), ("handed_over", "in_transit"), ("in_transit", "delivered")}


def test_only_a_parcel_that_is_still_here_can_be_cancelled() -> None:
    assert [status for status in STATUSES if may_cancel(status)] == ["scheduled"]


def test_nobody_delivers_to_antarctica() -> None:
    assert why_not({"country": "AQ"}) == "not_serviceable"
    assert why_not({"country": "DE"}) is None
    assert why_not(None) == "address_unknown"


def test_a_booking_always_has_the_same_tracking_number() -> None:
    assert tracking_number_of("o-1") == tracking_number_of("o-1")
    assert tracking_number_of("o-1") != tracking_number_of("o-2")
    assert len(tracking_number_of("o-1")) == 12
