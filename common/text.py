"""Text from outside, made fit for where it goes: the one place that knows what a header, a status, an Event, a line of
a log, a metric and a terminal can hold.

Whatever a client, a participant, a person or a proxy wrote may hold anything: half an emoji, which no encoder writes; a
line break, which forges a line of a log; an escape sequence, which a terminal obeys; marks that turn the reading order
round; 200,000 characters. None of that may make a write fail, a call impossible, or an answer a 500. Pure, and nothing
in here raises.
"""

import re
import unicodedata
from typing import Final

MESSAGE: Final = 1024
"""Characters of a sentence for people: as long as the longest message of the resource (crds/ordersaga.yaml)."""
LONGEST_WAIT: Final = 86_400.0
"""Seconds. A Retry-After beyond a day is a mistake of its sender, and so is one that is no number."""

_CUT: Final = "…"
_CUT_OCTETS: Final = len(_CUT.encode())
_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_SECONDS: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_TOKEN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,127}")


class _Fit(dict[int, str]):
    """What each character becomes, found out once: itself, nothing, a space, or U+FFFD."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if character.isprintable():
            fit = character
        else:
            match unicodedata.category(character):
                case "Cf":  # invisible, or it turns the reading order round
                    fit = ""
                case "Cs" | "Co" | "Cn":  # half a character, or one that means nothing here
                    fit = "\ufffd"
                case _:  # a control character or a line break
                    fit = " "
        if len(self) < 4096:
            self[code] = fit
        return fit


_FIT: Final = _Fit()


def printable(text: object, limit: int = MESSAGE, *, octets: int | None = None) -> str:
    """`text` in one line of printable characters, at most `limit` of them and at most `octets` bytes of UTF-8.

    Without `octets` twice as many bytes as characters are allowed. What is cut off is shown by "…". Whatever is neither
    text nor a number becomes "": nothing that a program nested a thousand deep is for people. Doing it twice changes
    nothing.
    """
    octets = 2 * limit if octets is None else octets
    if isinstance(text, int | float):
        text = _number(text)
    if not isinstance(text, str):
        return ""
    if len(text) <= min(limit, octets) and text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    # Invisible characters take no room in the result, so more is looked at than fits; but not all of a megabyte.
    whole = len(text) <= 4 * limit + 64
    fit = " ".join(text[: 4 * limit + 64].translate(_FIT).split())
    if whole and len(fit) <= limit and len(fit.encode()) <= octets:
        return fit
    cut = fit[: max(0, limit - 1)].encode()[: max(0, octets - _CUT_OCTETS)].decode(errors="ignore")
    return f"{cut.rstrip(' ' + _CUT)}{_CUT}"


def lines(text: str) -> str:
    """`text` of several lines for a terminal: line breaks and tabs stay, nothing else that isn't printable."""
    return "\n".join("\t".join(part.translate(_FIT) for part in line.split("\t")) for line in text.split("\n"))


def _number(value: float) -> str:
    try:
        return str(value)
    except ValueError:  # an integer of more digits than Python writes
        return "a number of thousands of digits"


def identifier(text: object) -> str:
    """`text` if it is fit to be a correlation id, which goes into headers, log lines and annotations; otherwise ""."""
    return text if isinstance(text, str) and _ID.fullmatch(text) else ""


def word(text: object, otherwise: str = "Other") -> str:
    """`text` if it is one word of ASCII letters, digits and underscores, as reasons and the labels of metrics are."""
    return text if isinstance(text, str) and _TOKEN.fullmatch(text) else otherwise


def seconds(text: object) -> float | None:
    """A number of seconds that somebody asks to wait, such as a Retry-After: from 0 to `LONGEST_WAIT`, else None.

    Only ASCII digits count (RFC 9110 §10.2.3): Python alone would take "nan", "1e400", "1_0" and "١٢" for numbers. More
    than `LONGEST_WAIT` is cut to that.
    """
    if isinstance(text, int | float):
        return float(min(text, LONGEST_WAIT)) if text >= 0 else None  # NaN is not
    if not isinstance(text, str) or not _SECONDS.fullmatch(text.strip(" \t")):
        return None
    return min(float(text), LONGEST_WAIT)
