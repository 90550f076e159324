"""References that look like the number of a card or of a bank account: they are refused wherever they come in.

A reference is stored, shown and logged, and such a number must not be. What is looked for:

- 13 to 19 digits that begin as a card does (2200 to 2799, or 3 to 6) and whose check digit is right (ISO/IEC 7812-1),
  in one piece or in the groups that are printed on cards, with any of `-._ ` between them, whatever stands around them;
- the letters of a country, two digits, and as many letters and digits of the right kind as its IBANs have (ISO 13616),
  with any of `-._ ` between them. The check digits aren't counted, so that a mistyped one is refused as well.

So a timestamp or a number of one's own in a reference is let through, unless it has both the beginning and the check
digit of a card. What is made at random isn't looked at: hexadecimal digits, 20 or more of them, and UUIDs.

crds/ordersaga.yaml has the same expressions; a test compares them. Pure.
"""

import re
from typing import Final

from pydantic import AfterValidator

MADE: Final = (
    r"^(?:o-[0-9a-f]{20}(?:-[0-9a-f]{12})?"
    r"|(?:[A-Za-z]{1,8}[-_.])?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$"
)
"""A whole reference that we have made ourselves, or a UUID with or without a prefix."""
HASH: Final = r"^(?:[A-Za-z]{1,8}[-_.])?[0-9a-f]{20,64}(?:-[0-9a-f]{12})?$"
"""Hexadecimal digits, with or without a prefix: no card has so many, and by chance one stands in them."""
INLINE: Final = r"-[0-9a-f]{12}$"
"""What the order service adds to an order's id for the address and the contact that come along with it."""
DIGITS: Final = (
    r"[0-9]{13,}"
    r"|3[0-9]{3}[-._ ]+[0-9]{6}[-._ ]+[0-9]{4,5}"
    r"|[2-6][0-9]{3}(?:[-._ ]+[0-9]{4}){2}[-._ ]+[0-9]{1,4}(?:[-._ ]+[0-9]{1,3})?"
)
"""Digits in one piece, or in the groups of a card."""
CARD: Final = r"^(?:2[2-7]|[3-6][0-9])[0-9]{11,17}$"
"""The digits of a card, without what stands between them."""

_KINDS: Final = {"n": "[0-9]", "a": "[A-Z]", "c": "[0-9A-Z]"}
_ACCOUNTS: Final = {
    "no": "n11", "be": "n12", "dk|fi|fo|gl": "n14", "si": "n15", "at|ba|ee|lt|xk": "n16", "hr": "n17",
    "cr|de|me|rs|va": "n18", "ae|il|tl": "n19", "cz|es|se|sk|tn": "n20", "pt": "n21", "is": "n22", "mr": "n23",
    "hu|pl": "n24", "eg": "n25", "ch|li": "n5c12", "ad": "n8c12", "al|cy": "n8c16", "gr": "n7c16", "kz|lu": "n3c13",
    "lb": "n4c20", "sa": "n2c18", "tr": "n6c16", "ua": "n6c19", "mk": "n3c10n2", "fr|mc": "n10c11n2",
    "gb|ie": "a4n14", "nl": "a4n10", "vg": "a4n16", "do": "a4n20", "bg": "a4n6c8", "lv": "a4c13", "gi": "a4c15",
    "pk|ro": "a4c16", "bh": "a4c14", "mt": "a4n5c18", "jo": "a4n4c18", "ps|qa": "a4c21", "kw": "a4c22", "iq": "a4n15",
    "az": "a4c20", "lc": "a4c24", "mu": "a4n19a3", "it|sm": "a1n10c12", "ge": "a2n16", "br": "n23a1c1", "by": "c4n16",
    "gt": "c4c20", "md": "c20",
}  # fmt: skip
"""What follows the check digits, by country: n digits, a letters, c both (the IBAN registry's own letters)."""


def _written(kind: str) -> str:
    parts = re.findall(r"([nac])(\d+)", kind)
    return "".join(f"(?:{_KINDS[what]}[-._ ]?){{{number}}}" for what, number in parts)


IBAN: Final = (
    "(?:^|[^A-Z]|IBAN)(?:"
    + "|".join(f"(?:{countries.upper()})[0-9]{{2}}[-._ ]?{_written(kind)}" for countries, kind in _ACCOUNTS.items())
    + ")(?:$|[^0-9A-Z])"
)
"""An IBAN within anything, in capital letters: a reference without any is read as if it were written in them."""

REFUSED: Final = (
    "this looks like the number of a card or of a bank account: give the reference under which the service keeps it"
)
SHORTEST: Final = 13
"""Characters: of a card. Most references are shorter, and looked at no further."""

_MADE, _HASH, _INLINE = re.compile(MADE), re.compile(HASH), re.compile(INLINE)
_DIGITS, _CARD, _IBAN = re.compile(DIGITS), re.compile(CARD), re.compile(IBAN)
_CAPITAL: Final = re.compile(r"[A-Z]")
_BETWEEN: Final = re.compile(r"[^0-9]")
_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def is_account_number(text: str) -> bool:
    """Whether the number of a card or an account stands in this reference."""
    if len(text) < SHORTEST or _MADE.search(text):
        return False
    if _IBAN.search(text if _CAPITAL.search(text) else text.upper()):
        return True
    return not _HASH.search(text) and any(_is_card(found) for found in _DIGITS.findall(_INLINE.sub("", text)))


def _is_card(found: str) -> bool:
    digits = _BETWEEN.sub("", found)
    if not _CARD.search(digits):
        return False
    backwards = [int(digit) for digit in reversed(digits)]  # ISO/IEC 7812-1, annex B: Luhn's formula
    return sum(_DOUBLED[each] if place % 2 else each for place, each in enumerate(backwards)) % 10 == 0


def _no_account_number(text: str) -> str:
    if is_account_number(text):
        raise ValueError(REFUSED)
    return text


NO_ACCOUNT_NUMBER: Final = AfterValidator(_no_account_number)
"""For a field that is a reference. The refusal doesn't repeat what it is of."""


NOT_KEPT: Final = "number-not-kept"
"""What stands in an order in place of a product whose id looks like such a number."""


def kept(text: str) -> str:
    """The id of an ordered product, or `NOT_KEPT`."""
    return NOT_KEPT if is_account_number(text) else text
