"""References that look like cards and accounts; the resource has the same expressions."""

import random
import uuid

import pytest

from common.account_numbers import CARD, DIGITS, HASH, IBAN, INLINE, MADE, is_account_number
from dev.setup.paths import CHECKOUT
from tests.support import yamls

CARDS = [
    "4111111111111111",
    "5555555555554444",
    "378282246310005",
    "6011111111111117",
    "4222222222222",
    "2223003122003222",
]
ACCOUNTS = ["DE89370400440532013000", "GB82WEST12345698765432", "FR1420041010050500013M02606", "NO9386011117947"]


@pytest.mark.parametrize("number", [*CARDS, *ACCOUNTS])
@pytest.mark.parametrize("written", ["{}", "pm_{}", "card-{}", "o-1001-{}", "{}-x", "a.{}.b"])
@pytest.mark.parametrize("between", ["", "-", ".", "_", " "])
def test_a_number_is_found_however_it_is_written(number: str, written: str, between: str) -> None:
    sizes = [4, 6, 5] if number.startswith("37") else [4] * 7
    groups, rest = [], number
    for size in sizes:
        groups.append(rest[:size])
        rest = rest[size:]
    assert is_account_number(written.format(between.join(filter(None, groups))))


@pytest.mark.parametrize("number", CARDS)
def test_a_card_has_its_check_digit(number: str) -> None:
    assert not is_account_number(number[:-1] + str((int(number[-1]) + 1) % 10))


def test_a_mistyped_account_is_found_all_the_same() -> None:
    assert is_account_number("DE88370400440532013000")


def test_ids_that_are_made_at_random_are_let_through() -> None:
    dice = random.Random(17)
    for _ in range(20_000):
        order_id = f"o-{dice.getrandbits(80):020x}"
        assert not is_account_number(order_id)
        assert not is_account_number(f"{order_id}-{dice.getrandbits(48):012x}")
        assert not is_account_number(f"o-{dice.randrange(100, 9999)}-{dice.getrandbits(48):012x}")
        assert not is_account_number(str(uuid.UUID(int=dice.getrandbits(128), version=4)))


@pytest.mark.parametrize("milliseconds", range(1_732_900_000_000, 1_732_900_000_200))
def test_a_timestamp_is_no_card(milliseconds: int) -> None:
    assert not is_account_number(f"o-{milliseconds}")


def test_the_resource_has_the_same_expressions() -> None:
    definition = yamls.load((CHECKOUT / "crds" / "ordersaga.yaml").read_text())
    spec = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    fields = [
        spec["orderID"],
        spec["customerID"],
        *(spec[part]["properties"][name] for part, name in (("payment", "methodRef"), ("shipTo", "addressRef"))),
        spec["notify"]["properties"]["contactRef"],
    ]
    for field in fields:
        [rule] = [each["rule"] for each in field["x-kubernetes-validations"] if "findAll" in each["rule"]]
        assert all(f"'{expression}'" in rule for expression in (IBAN, MADE, HASH, INLINE, DIGITS, CARD))
