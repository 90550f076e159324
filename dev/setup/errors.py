"""The error that a person sees as one sentence, and how a command ends with it."""

import signal
import sys
from collections.abc import Callable


class StackError(Exception):
    """What a person has to know or to do: one clear sentence, with the path of a log where there is one."""


def exit_status(work: Callable[[], int | None], *, interrupted: str | None = None) -> int:
    """Do the work; its status (0 for None), or 1 with one sentence on stderr when it raises StackError.

    With `interrupted`, Ctrl-C and SIGTERM raise KeyboardInterrupt in `work`; then that sentence is printed, and the
    status is 130.
    """
    if interrupted is not None:
        for number in (signal.SIGINT, signal.SIGTERM):  # explicitly: a shell starts background jobs with SIGINT ignored
            signal.signal(number, signal.default_int_handler)
    try:
        return work() or 0
    except StackError as error:
        print(error if interrupted is None else f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        if interrupted is None:
            raise
        print(f"\n{interrupted}", file=sys.stderr)
        return 130
