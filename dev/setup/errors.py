"""The error that a person sees as one sentence, and how a command ends with it."""

import sys
from collections.abc import Callable


class StackError(Exception):
    """What a person has to know or to do: one clear sentence, with the path of a log where there is one."""


def exit_status(work: Callable[[], int | None]) -> int:
    """Do the work; its status (0 for None), or 1 with one sentence on stderr when it raises StackError."""
    try:
        return work() or 0
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
