"""Tables and colours: for people on a terminal, plain where somebody else reads. Pure but for `colours`."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TextIO

from common.text import printable


class Style(StrEnum):
    """What a cell means; the value is its colour (ECMA-48, SGR)."""

    PLAIN = ""
    DIM = "2"
    GOOD = "32"
    BUSY = "36"
    WARN = "33"
    BAD = "31"
    BOLD = "1"


PHASES: Final = {
    "Completed": Style.GOOD,
    "Compensated": Style.DIM,
    "Failed": Style.BAD,
    "Compensating": Style.WARN,
    "Suspended": Style.WARN,
    "Running": Style.BUSY,
}


@dataclass(frozen=True, slots=True)
class Cell:
    """A text and what it means."""

    text: str
    style: Style = Style.PLAIN

    def __str__(self) -> str:
        return self.text


class Table:
    """Rows under headings, in columns that are as wide as they need to be; the last one gets what is left."""

    def __init__(self, headings: Sequence[str]) -> None:
        self._headings = [Cell(each, Style.DIM) for each in headings]
        self.rows: list[list[Cell]] = []

    def add(self, *cells: Cell | str) -> None:
        """A row: as many cells as there are headings. What isn't printable is left out of their texts."""
        made = [cell if isinstance(cell, Cell) else Cell(cell) for cell in cells]
        self.rows.append([Cell(_kept(cell.text), cell.style) for cell in made])

    def lines(self, *, width: int = 0, coloured: bool = False, headings: bool = True) -> Iterator[str]:
        """The rows as text. `width`: longer ones are cut (0: none is)."""
        rows = ([self._headings] if headings else []) + self.rows
        widths = [max((len(row[column].text) for row in rows), default=0) for column in range(len(self._headings))]
        for row in rows:
            yield line(_padded(row, widths), width=width, coloured=coloured)


def line(cells: Iterable[Cell], *, width: int = 0, coloured: bool = False) -> str:
    """Cells side by side, cut to `width`."""
    shown, used = [], 0
    for cell in cells:
        text = cell.text
        if width and used + len(text) > width:
            text = text[: max(0, width - used - 1)] + "…" if width > used else ""
        used += len(text)
        shown.append(coloured_text(text, cell.style) if coloured else text)
    return "".join(shown).rstrip()


def coloured_text(text: str, style: Style) -> str:
    """The text, with what makes a terminal show it in that style."""
    bare = text.rstrip()
    return f"\x1b[{style}m{bare}\x1b[0m{text[len(bare) :]}" if style and bare else text


def colours(out: TextIO) -> bool:
    """Whether a person reads it on a terminal, and hasn't asked for none (https://no-color.org)."""
    return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _kept(text: str) -> str:
    indent = len(text) - len(text.lstrip(" "))
    return " " * indent + printable(text)


def _padded(row: Sequence[Cell], widths: Sequence[int]) -> Iterator[Cell]:
    for position, (cell, width) in enumerate(zip(row, widths, strict=True)):
        last = position == len(widths) - 1
        yield Cell(cell.text if last else cell.text.ljust(width) + "   ", cell.style)
