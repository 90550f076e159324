"""What goes from a record when it is erased, and what stays."""

import pytest

from common.shop.erasure import ERASED, references_in, without

NAMES = ("payment.method_ref", "contact_ref")


def test_the_references_of_a_record_are_found_but_not_what_is_erased_and_not_the_customer() -> None:
    record = {"customer_id": "c-17", "payment": {"method_ref": "pm-1"}, "contact_ref": "k-1"}
    assert references_in(record, NAMES) == {"payment.method_ref": "pm-1", "contact_ref": "k-1"}
    assert references_in({**record, "payment": {"method_ref": ERASED}}, NAMES) == {"contact_ref": "k-1"}
    assert references_in({**record, "contact_ref": "c-17"}, NAMES) == {"payment.method_ref": "pm-1"}
    assert references_in({"barrier": {}, "payment": None}, NAMES) == {}


def test_a_reference_goes_from_its_fields_and_from_sentences_alone() -> None:
    stored = {
        "address_ref": "a-17",
        "product_id": "a-17",
        "detail": "there is no address a-17; store it with PUT /api/shipping/addresses/a-17.",
        "steps": [{"message": "(a-17)", "reason": "a-17"}],
        "amount_minor": 17,
    }
    assert without(stored, ["a-17"]) == {
        "address_ref": ERASED,
        "product_id": "a-17",
        "detail": f"there is no address {ERASED}; store it with PUT /api/shipping/addresses/{ERASED}.",
        "steps": [{"message": f"({ERASED})", "reason": "a-17"}],
        "amount_minor": 17,
    }
    assert without(stored, []) is stored


@pytest.mark.parametrize("other", ["a-171", "pa-17", "a-17-b", "a-17.2", "x.a-17"])
def test_a_reference_is_no_part_of_another(other: str) -> None:
    assert without({"detail": other, "address_ref": other}, ["a-17"]) == {"detail": other, "address_ref": other}


def test_of_two_references_the_longer_one_goes_as_a_whole() -> None:
    assert without({"message": "a-17 a-17-b"}, ["a-17", "a-17-b"]) == {"message": f"{ERASED} {ERASED}"}
