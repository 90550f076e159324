"""The local stack: starts every part, seeds, demonstrates, keeps watch, and ends everything in order.

`dev.setup.bootstrap` runs it with the checkout's virtual environment; see `dev.setup.options` for its options.
"""

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator

from dev.setup.errors import StackError, exit_status
from dev.setup.locks import locked
from dev.setup.options import parser
from dev.stack.demo.console import print_heading, print_line
from dev.stack.layout import Layout
from dev.stack.stack import Stack


def main(arguments: list[str]) -> int:
    """Run the stack. Exit status 0 if all went as it should, 1 with one sentence on stderr, 130 after Ctrl-C."""
    options = parser().parse_args(arguments)
    layout = Layout.from_environment()

    def work() -> int:
        with _only_one(layout), contextlib.ExitStack() as ending:
            if options.fresh:
                shutil.rmtree(layout.data, ignore_errors=True)
            layout.require_free_ports()
            stack = Stack(layout)
            ending.callback(stack.supervisor.stop)
            return _run(stack, once=options.once, demo=not options.no_demo, kill=options.demo_kill)

    return exit_status(work, interrupted="Interrupted: everything is ended, the data stays.")


def _run(stack: Stack, *, once: bool, demo: bool, kill: bool) -> int:
    stack.start()
    with stack.shop() as shop:
        shop.seed()
        passed = stack.demonstrate(shop, kill=kill) if demo else True
    stack.describe()
    if once:
        print_line("Ending everything (the data stays)")
        return 0 if passed else 1
    print_heading("Running until Ctrl-C; the data stays")
    try:
        stack.supervisor.run()
    except KeyboardInterrupt:
        print_line("\nEnding everything")
    return 0 if passed else 1


@contextlib.contextmanager
def _only_one(layout: Layout) -> Iterator[None]:
    """Hold the stack's lock; the file is gone afterwards. Raises StackError when another stack holds it."""
    layout.folder.mkdir(parents=True, exist_ok=True)
    path = layout.folder / "lock"
    with contextlib.ExitStack() as held:
        try:
            lock = held.enter_context(locked(path, wait=False))
        except BlockingIOError:
            pid = path.read_text().strip()
            raise StackError(f"this stack runs already (process {pid}): end it with Ctrl-C or `kill {pid}`") from None
        if not path.exists() or path.stat().st_ino != os.fstat(lock).st_ino:
            raise StackError("another stack of this checkout has just ended: try again")
        path.write_text(str(os.getpid()))
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
