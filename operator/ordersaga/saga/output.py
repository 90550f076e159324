"""Where a command's words go: to a person at a terminal, or to a program."""

import json
import shutil
import sys
import textwrap
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

import yaml

from common.text import lines, printable
from ordersaga.saga.sentence import Sentence, parts
from ordersaga.saga.table import Cell, Style, Table, coloured_text, colours, line

NARROW = 100
"""Columns of a paragraph: a longer line is hard to read."""


@dataclass(slots=True)
class Output:
    """One command's. Nothing that a resource or a service says reaches a terminal as anything but text."""

    out: TextIO
    errors: TextIO
    coloured: bool
    unicode: bool
    width: int
    """Columns of the terminal; 0: nobody's, and no line is cut."""

    @classmethod
    def of_process(cls, color: str = "auto") -> "Output":
        """This process's; `color`: auto, always or never."""
        out = sys.stdout
        coloured = color == "always" or (color == "auto" and colours(out))
        unicode = (out.encoding or "").lower().replace("-", "") == "utf8"
        width = shutil.get_terminal_size().columns if out.isatty() else 0
        return cls(out, sys.stderr, coloured, unicode, width)

    @property
    def is_person(self) -> bool:
        """Whether somebody looks on."""
        return bool(self.width)

    def say(self, text: str = "", style: Style = Style.PLAIN) -> None:
        """One line or more."""
        fit = lines(text)
        print(coloured_text(fit, style) if self.coloured else fit, file=self.out, flush=True)

    def warn(self, text: str) -> None:
        """To the person, beside the output."""
        print(lines(text), file=self.errors, flush=True)

    def row(self, cells: Iterable[Cell]) -> None:
        """One line of a picture."""
        print(line(cells, width=self.width, coloured=self.coloured), file=self.out)

    def table(self, table: Table, *, headings: bool = True) -> None:
        """All of it."""
        for each in table.lines(width=self.width, coloured=self.coloured, headings=headings):
            print(each, file=self.out)
        self.out.flush()

    def sentence(self, sentence: Sentence) -> None:
        """Its parts, each under its name."""
        style = Style.BAD if sentence.needs_person else Style.BOLD
        for position, (name, text) in enumerate(parts(sentence)):
            for number, part in enumerate(textwrap.wrap(printable(text, 4096), (self.width or NARROW) - 12)):
                cells = [
                    Cell(f"{name if not number else '':<10}  ", Style.DIM),
                    Cell(part, style if not position else Style.PLAIN),
                ]
                print(line(cells, coloured=self.coloured), file=self.out)

    def machine(self, form: str, value: Mapping[str, Any]) -> None:
        """For programs: `json` or `yaml`."""
        if form == "json":
            print(json.dumps(value, indent=2, ensure_ascii=not self.unicode), file=self.out)
        else:
            print(yaml.dump(value, sort_keys=False, allow_unicode=self.unicode), end="", file=self.out)


def clean(item: Mapping[str, Any]) -> dict[str, Any]:
    """A resource without what is of no use to a reader: who wrote which field."""
    metadata = {key: value for key, value in item["metadata"].items() if key != "managedFields"}
    return {**item, "metadata": metadata}


def now() -> float:
    """Seconds since the epoch."""
    return time.time()
