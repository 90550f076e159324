"""What messages say, in one language: the texts of a file, checked when it is read, and filled in for an order. Pure.

A file has a table for each type of message, with `subject` and `text`, and the tables `line`, `payment`, `reason` and
`money` (messages/en.toml is the model). `${…}` is a placeholder: what may stand where is in `_TEXTS`. Nothing that a
stranger has written gets into a message: it is made of ids, numbers and the shop's own sentences.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Template
from typing import Any, Final

from common.shop.money import parts_of
from common.text import printable
from services.notification.models import NotificationType

LONGEST_TEXT: Final = 4000
"""Characters of one text in a file. A hundred lines of an order come to it: far from the 10 MiB that servers take."""
GENERAL: Final = "general"

_MESSAGE: Final[Mapping[NotificationType, frozenset[str]]] = {
    "order_confirmed": frozenset({"order_id", "lines", "total"}),
    "order_cancelled": frozenset({"order_id", "lines", "total", "reason", "payment"}),
}
_TEXTS: Final[Mapping[str, Mapping[str, tuple[frozenset[str], frozenset[str]]]]] = {
    # table: {text: (the placeholders that it must have, those that it may have besides)}
    **{
        name: {
            "subject": (frozenset({"order_id"}), frozenset({"total"})),
            "text": (fields - {"lines", "total"}, frozenset({"lines", "total"})),
        }
        for name, fields in _MESSAGE.items()
    },
    "line": {
        "plain": (frozenset({"quantity", "product_id"}), frozenset()),
        "priced": (frozenset({"quantity", "product_id", "sum"}), frozenset({"price"})),
    },
    "payment": dict.fromkeys(("refunded", "not_charged", GENERAL), (frozenset(), frozenset({"total"}))),
    "reason": {GENERAL: (frozenset(), frozenset())},
    "money": {
        "with_symbol": (frozenset({"symbol", "amount"}), frozenset()),
        "with_code": (frozenset({"code", "amount"}), frozenset()),
    },
}
_MARKS: Final = {"decimal": 1, "group": 0}
"""The marks in a number, and how many characters each has at least: `group` may be empty."""
_ALSO: Final = "\n\u00a0\u202f"
"""What a text may have although Python doesn't call it printable: line breaks and the two no-break spaces."""
_ONE_LINE: Final = frozenset({"subject", "plain", "priced", "with_symbol", "with_code"})


class BadWording(ValueError):  # noqa: N818 - it reads as what is wrong
    """A file that no message can be made of. The text says where, and what is missing."""


@dataclass(frozen=True, slots=True)
class Wording:
    """The texts of one language: `texts[table][name]`."""

    locale: str
    texts: Mapping[str, Mapping[str, Template]]
    decimal: str
    group: str
    symbols: Mapping[str, str]

    def message(self, notification: Mapping[str, Any]) -> tuple[str, str]:
        """Subject and text of a notification, as its document has it."""
        kind, currency = notification["notification_type"], notification["currency"]
        reasons, payments = self.texts["reason"], self.texts["payment"]
        total = {"total": self.money(notification["total_minor"], currency)}
        values = {
            **total,
            "order_id": notification["order_id"],
            "lines": self._lines(notification["items"], currency),
            "reason": reasons.get(notification.get("why") or GENERAL, reasons[GENERAL]).substitute(),
            "payment": payments.get(notification.get("payment") or GENERAL, payments[GENERAL]).substitute(total),
        }
        texts = self.texts[kind]
        return texts["subject"].substitute(values), texts["text"].substitute(values)

    def money(self, minor: int, currency: str) -> str:
        """An amount in minor units, as this language writes it; the decimals are those of the currency (ISO 4217)."""
        sign, whole, decimals = parts_of(minor, currency)
        head = len(whole) % 3
        groups = [whole[:head]] * (head > 0) + [whole[at : at + 3] for at in range(head, len(whole), 3)]
        amount = self.group.join(groups) + (self.decimal + decimals if decimals else "")
        if symbol := self.symbols.get(currency):
            return sign + self.texts["money"]["with_symbol"].substitute(symbol=symbol, amount=amount)
        return sign + self.texts["money"]["with_code"].substitute(code=currency, amount=amount)

    def _lines(self, items: Sequence[Mapping[str, Any]], currency: str) -> str:
        lines = self.texts["line"]
        shown = []
        for item in items:
            values = {"quantity": item["quantity"], "product_id": item["product_id"]}
            price = item.get("unit_price_minor")
            if price is None:
                shown.append(lines["plain"].substitute(values))
                continue
            values |= {"price": self.money(price, currency), "sum": self.money(price * item["quantity"], currency)}
            shown.append(lines["priced"].substitute(values))
        return "\n".join(shown)


@dataclass(frozen=True, slots=True)
class Wordings:
    """All languages of the shop, and the one that is used where a contact has none of them."""

    by_locale: Mapping[str, Wording]
    """Under the name in lower case."""
    default: str

    def of(self, locale: str | None) -> Wording:
        """The language that is asked for, or a wider one (de for de-AT), or the shop's own."""
        wanted = (locale or "").lower()
        while wanted:
            if (found := self.by_locale.get(wanted)) is not None:
                return found
            wanted = wanted.rpartition("-")[0]
        return self.by_locale[self.default.lower()]


def wording_of(locale: str, content: Mapping[str, Any]) -> Wording:
    """The texts of a file's `content`.

    Raises:
        BadWording: something is missing, or isn't what it should be.
    """
    money = _table(content, "money")
    for name, shortest in _MARKS.items():
        if not (isinstance(mark := money.get(name), str) and shortest <= len(mark) <= 1):
            raise BadWording(f"[money] {name} has to be one character" + ("" if shortest else ", or none"))
    symbols = money.get("symbols", {})
    if not (isinstance(symbols, Mapping) and all(isinstance(each, str) for each in symbols.values())):
        raise BadWording("[money.symbols] has to be a table of texts")
    if unknown := content.keys() - _TEXTS.keys():
        raise BadWording(f"[{_named(unknown)}] is no table of a file with messages: there are {', '.join(_TEXTS)}")
    texts = {table: _texts(table, _table(content, table), wanted) for table, wanted in _TEXTS.items()}
    return Wording(locale, texts, money["decimal"], money["group"], dict(symbols))


def _table(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    if not isinstance(found := content.get(name), Mapping):
        raise BadWording(f"the table [{name}] is missing; messages/en.toml is the model")
    return found


def _texts(
    table: str, content: Mapping[str, Any], wanted: Mapping[str, tuple[frozenset[str], frozenset[str]]]
) -> dict[str, Template]:
    others = content.keys() - wanted.keys() - ({*_MARKS, "symbols"} if table == "money" else set())
    if others and table != "reason":
        raise BadWording(f"[{table}] {_named(others)} is not used: there are {', '.join(wanted)}")
    names = [*wanted, *(sorted(others) if table == "reason" else ())]
    plain = (frozenset[str](), frozenset[str]())  # a reason of the shop's own
    return {name: _text(table, name, content.get(name), *wanted.get(name, plain)) for name in names}


def _text(table: str, name: str, text: object, needed: frozenset[str], allowed: frozenset[str]) -> Template:
    where = f"[{table}] {name}"
    if not isinstance(text, str) or not text.strip() or len(text) > LONGEST_TEXT:
        raise BadWording(f"{where} has to be a text of 1 to {LONGEST_TEXT} characters")
    text = text.strip("\n") + "\n" if name == "text" else text
    if not all(character.isprintable() or character in _ALSO for character in text):
        raise BadWording(f"{where} has a character that can't be printed")
    if name in _ONE_LINE and "\n" in text:
        raise BadWording(f"{where} has to be one line")
    template = Template(text)
    if not template.is_valid():
        raise BadWording(f"{where} has a $ that begins no placeholder: write $$ for the sign itself")
    found = set(template.get_identifiers())
    if unknown := found - needed - allowed:
        raise BadWording(f"{where} has ${{{_named(unknown)}}}, which it can't have: {_list(needed | allowed)}")
    if missing := needed - found:
        raise BadWording(f"{where} needs ${{{_named(missing)}}}")
    return template


def _named(names: Any) -> str:
    return printable(sorted(names)[0], 40)


def _list(names: frozenset[str]) -> str:
    return "there is " + ", ".join(f"${{{name}}}" for name in sorted(names)) if names else "it has no placeholders"
