"""The panels of the dashboards that show nothing, though a Prometheus has read a busy shop."""

from collections.abc import Callable
from typing import Any, Final

from dev.release.observing.drawn import ROWS, asked

WELL: Final = {
    "Requests that failed, per second",
    "Work beside the requests that fails",
    "Operations that failed, per second",
    "Lifecycle events, per second",
    "Lifecycle events that wait",
}
"""Panels that show nothing while nothing is wrong, or told to a sink."""


def empty_panels(query: Callable[[str], Any], namespace: str, *, over: str, hour: str = "1h") -> set[str]:
    """Title and expression of each; `query` answers an expression, `over` is the graphs' window."""
    return {
        f"{panel.title}: {each.expression}"
        for row in ROWS
        for panel in row.panels
        for each in panel.queries
        if panel.title not in WELL
        and not query(asked(each, namespace=f'namespace="{namespace}"', over=over).replace("[1h]", f"[{hour}]"))
    }
