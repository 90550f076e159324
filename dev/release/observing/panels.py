"""What a dashboard is made of, whichever program draws it: rows of panels, and what each asks of Prometheus.

In a query `@` stands for the choice of namespace, and `~` for the time over which a rate is taken.
"""

from dataclasses import dataclass
from typing import Literal

Unit = Literal["short", "s", "ops", "percentunit", "bytes"]


@dataclass(frozen=True, slots=True)
class Query:
    """One query; `legend` names its series by their labels."""

    expression: str
    legend: str = ""
    has_exemplars: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture. `help` says what it means and what to look for."""

    title: str
    help: str
    queries: tuple[Query, ...]
    unit: Unit = "short"
    is_number: bool = False
    """It shows the last value alone."""
    bad_above: float | None = None
    """A number that is red from there on."""


@dataclass(frozen=True, slots=True)
class Row:
    """Panels about one thing."""

    title: str
    panels: tuple[Panel, ...]


def number(title: str, help_: str, expression: str, unit: Unit = "short", bad_above: float | None = None) -> Panel:
    """A panel that is one number."""
    return Panel(title, help_, (Query(expression),), unit, is_number=True, bad_above=bad_above)


def graph(title: str, help_: str, expression: str, legend: str, unit: Unit = "short") -> Panel:
    """A panel with one query over time."""
    return Panel(title, help_, (Query(expression, legend),), unit)


def rate(metric: str, by: str, where: str = "") -> str:
    """How often a second, by these labels."""
    return f"sum by ({by}) (rate({metric}{{@{where}}}[~]))"


def quantile(share: float, metric: str, by: str = "", where: str = "") -> str:
    """What this share of the observations is below, by these labels."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({metric}_bucket{{@{where}}}[~])))"


def quantiles(title: str, help_: str, metric: str, where: str = "") -> Panel:
    """The middle, and the slow ones."""
    shares = ((0.5, "half are faster"), (0.95, "95 % are faster"), (0.99, "99 % are faster"))
    queries = (Query(quantile(share, metric, where=where), legend, True) for share, legend in shares)
    return Panel(title, help_, tuple(queries), "s")


def slow(title: str, help_: str, metric: str, by: str, *, share: float = 0.95, where: str = "") -> Panel:
    """What is slow, by these labels."""
    legend = " ".join(f"{{{{{label.strip()}}}}}" for label in by.split(","))
    return Panel(title, help_, (Query(quantile(share, metric, by, where), legend, True),), "s")
