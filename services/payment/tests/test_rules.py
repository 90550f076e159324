"""The payment's state machine."""

from itertools import product
from typing import Any, get_args

import pytest

from services.payment import rules
from services.payment.models import ProcessRequest, Status

ORDER = ProcessRequest(order_id="o-1", customer_id="c-17", amount_minor=2500, currency="EUR", method_ref="test-ok")
STATUSES = get_args(Status)


def payment(status: Status, **fields: Any) -> dict[str, Any]:
    return {**rules.begun(ORDER), "status": status, **fields}


def test_money_is_captured_once_and_refunded_no_more_than_that() -> None:
    captured = {**rules.begun(ORDER), **rules.captured(rules.begun(ORDER))}
    assert (captured["captured_minor"], captured["refunded_minor"]) == (2500, 0)
    refunding = {**captured, **rules.refunding(captured)}
    refunded = {**refunding, **rules.refunded(refunding)}
    assert (refunded["captured_minor"], refunded["refunded_minor"], refunded["status"]) == (2500, 2500, "refunded")


def test_a_charge_that_settles_while_a_refund_is_wanted_goes_on_to_the_refund() -> None:
    fields = rules.captured(payment("refunding"))
    assert (fields["status"], fields["captured_minor"]) == ("refunding", 2500)


@pytest.mark.parametrize("status", ["refunded", "declined", "failed"])
def test_nothing_leaves_a_final_status(status: Status) -> None:
    assert rules.LEGAL[status] == frozenset()
    with pytest.raises(ValueError, match="o-1"):
        rules.captured(payment(status))


def test_every_status_is_in_the_table() -> None:
    assert set(rules.LEGAL) == set(STATUSES)
    for before, after in product(STATUSES, STATUSES):
        assert not (after in rules.LEGAL[before] and before == "refunded")
