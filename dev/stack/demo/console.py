"""What a person sees: one line per event, and a saga's steps as they happen."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from common.wire import Json
from dev.stack.demo.shop import phase

console = Console(highlight=False, soft_wrap=True)

COLOURS = {
    "Succeeded": "green",
    "Completed": "bold green",
    "Compensated": "yellow",
    "Refused": "red",
    "Failed": "bold red",
    "CompensationFailed": "bold red",
    "Unknown": "magenta",
    "Running": "cyan",
    "Compensating": "yellow",
    "Skipped": "dim",
    "Pending": "dim",
}


def print_line(text: str = "", style: str | None = None) -> None:
    """One line."""
    console.print(Text(text, style=style or ""))


def print_heading(text: str) -> None:
    """What comes next."""
    print_line()
    print_line(text, "bold")


def coloured(word: str) -> Text:
    """A phase or a step's state."""
    return Text(word, style=COLOURS.get(word, ""))


@contextmanager
def progress(order_id: str) -> Iterator[Callable[[Json], None]]:
    """Show an order's steps: a table that changes in place on a terminal, a line for each change elsewhere."""
    if not console.is_terminal:
        yield _Lines()
        return
    with Live(console=console, refresh_per_second=20) as live:
        started = time.monotonic()
        yield lambda order: live.update(_table(order_id, order, time.monotonic() - started))


class _Lines:
    """Prints a line for each change."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._told: dict[str, str] = {}

    def __call__(self, order: Json) -> None:
        for name, word in [*_states(order), ("saga", phase(order))]:
            if self._told.get(name, "Pending") != word:
                self._told[name] = word
                print_line(f"  {time.monotonic() - self._started:5.2f} s  {name:14}{word}")


def _states(order: Json) -> list[tuple[str, str]]:
    saga = order.get("saga") or {}
    return [(step["name"], _with_reason(step)) for step in saga.get("steps") or []]


def _with_reason(step: Json) -> str:
    reason = f" ({step['reason']})" if step.get("reason") else ""
    return f"{step['state']}{reason}"


def _table(order_id: str, order: Json, seconds: float) -> Table:
    saga = order.get("saga") or {}
    table = Table(title=f"{order_id}  {phase(order)}  {seconds:.1f} s", title_justify="left", box=None, padding=(0, 2))
    for column in ("step", "state", "attempts", "reason"):
        table.add_column(column, header_style="dim")
    for step in saga.get("steps") or []:
        attempts = step.get("attempts") or ""
        table.add_row(step["name"], coloured(step["state"]), str(attempts), str(step.get("reason") or ""))
    return table
