"""The whole matrix, cell by cell, written out by hand a second time: a changed cell has to be changed twice."""

from typing import Any

import pytest

from common.barrier import BarrierState
from services.order.matrix import Become, Refuse, Same, row_of, same_content, verdict
from services.order.models import EXAMPLE_CONTENT, Content

COMPENSATED, ALREADY_CONFIRMED = Refuse("compensated"), Refuse("already_confirmed")
CONFIRMED_OR_LATER = ("CONFIRMED", "PROCESSING", "SHIPPED", "DELIVERED")


def barrier(*, tombstone: bool = False) -> dict[str, Any]:
    return BarrierState(tombstone=tombstone).to_document()


CELLS = [
    ("create", None, Become("PENDING")),
    ("create", "PENDING", Same()),
    *(("create", status, Same()) for status in CONFIRMED_OR_LATER),
    ("create", "CANCELLING", COMPENSATED),
    ("create", "CANCELLED", COMPENSATED),
    ("confirm", None, Refuse("not_found")),
    ("confirm", "PENDING", Become("CONFIRMED")),
    *(("confirm", status, Same()) for status in CONFIRMED_OR_LATER),
    ("confirm", "CANCELLING", COMPENSATED),
    ("confirm", "CANCELLED", COMPENSATED),
    ("reject", None, Become("CANCELLING")),
    ("reject", "PENDING", Become("CANCELLING")),
    *(("reject", status, ALREADY_CONFIRMED) for status in CONFIRMED_OR_LATER),
    ("reject", "CANCELLING", Same()),
    ("reject", "CANCELLED", Same()),
    ("cancel", None, Become("CANCELLED")),
    ("cancel", "PENDING", Become("CANCELLED")),
    *(("cancel", status, ALREADY_CONFIRMED) for status in CONFIRMED_OR_LATER),
    ("cancel", "CANCELLING", Become("CANCELLED", closed=True)),
    ("cancel", "CANCELLED", Same()),
]


@pytest.mark.parametrize(("action", "status", "expected"), CELLS)
def test_the_matrix(action: Any, status: str | None, expected: object) -> None:
    assert verdict(action, {"status": status, "barrier": barrier()}) == expected


def test_no_document_and_a_refusal_alone_are_both_missing() -> None:
    assert row_of(None) == "missing"
    assert row_of({"_id": "o-1", "barrier": barrier()}) == "missing"


def test_a_tombstone_alone_is_a_cancelled_order() -> None:
    assert row_of({"_id": "o-1", "barrier": barrier(tombstone=True)}) == "CANCELLED"


@pytest.mark.parametrize(
    "change",
    [
        {"customer_id": "c-18"},
        {"currency": "USD"},
        {"items": [{"product_id": "p-mug", "quantity": 3, "unit_price_minor": 1250}]},
        {"items": [{"product_id": "p-mug", "quantity": 2, "unit_price_minor": 1251}]},
        {"payment": {"method_ref": "other"}},
        {"ship_to": {"address_ref": "other"}},
        {"notify": {"contact_ref": "other"}},
    ],
)
def test_every_field_of_the_content_counts(change: dict[str, Any]) -> None:
    content = Content.model_validate(EXAMPLE_CONTENT)
    document = {**EXAMPLE_CONTENT, "total_minor": 2500, "status": "PENDING"}
    assert same_content(document, content)
    assert not same_content(document, Content.model_validate(EXAMPLE_CONTENT | change))


def test_a_tombstone_has_no_content_to_contradict() -> None:
    assert same_content({"_id": "o-1001", "barrier": barrier(tombstone=True)}, Content.model_validate(EXAMPLE_CONTENT))
