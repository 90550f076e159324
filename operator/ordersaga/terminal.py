"""What the command prints on a terminal: text of resources, services and databases, without what a terminal obeys."""

import contextlib
import io
from collections.abc import Iterator
from typing import TextIO, cast

from common.text import lines


class Printable(io.TextIOBase):
    """A stream in front of another: lines stay, escape sequences and marks of direction don't arrive."""

    def __init__(self, out: TextIO) -> None:
        super().__init__()
        self._out = out

    def write(self, text: str) -> int:
        """Pass on what can be printed."""
        self._out.write(lines(text))
        return len(text)

    def flush(self) -> None:
        """Pass it on at once."""
        self._out.flush()

    def isatty(self) -> bool:
        """Whether a person reads it."""
        return self._out.isatty()


@contextlib.contextmanager
def printable_only(out: TextIO, errors: TextIO) -> Iterator[None]:
    """Everything that is printed in the block goes through `Printable`."""
    with (
        contextlib.redirect_stdout(cast(TextIO, Printable(out))),
        contextlib.redirect_stderr(cast(TextIO, Printable(errors))),
    ):
        yield
