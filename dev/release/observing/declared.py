"""The metrics that the code declares, read from its source: nothing has to run, and none is forgotten."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from common.services import SERVICES
from dev.setup.paths import CHECKOUT

TYPES: Final = {
    "Counter": "counter",
    "Gauge": "gauge",
    "Histogram": "histogram",
    "CounterMetricFamily": "counter",
    "GaugeMetricFamily": "gauge",
}
PREFIX: Final = "ordersaga_"
SOURCES: Final = ("operator/saga_operator", "common", "services")

OPERATOR: Final = "operator"
EVERY_SERVICE: Final = frozenset(SERVICES)
EVERYBODY: Final = EVERY_SERVICE | {OPERATOR}
OF_SERVICES: Final = frozenset(
    {"ordersaga_database_operation_duration_seconds", "ordersaga_provider_call_duration_seconds"}
)
"""Declared beside those that the operator has as well."""
WITH_TLS: Final = frozenset({"ordersaga_certificate_not_before_seconds", "ordersaga_certificate_not_after_seconds"})
"""Shown where a port has a certificate."""

WHERE: Final = {
    "common/background.py": EVERY_SERVICE,
    "common/certificate.py": EVERYBODY,
    "common/process_metrics.py": EVERYBODY,
    "common/web/metrics.py": EVERY_SERVICE,
}
"""File → which processes show what it declares; those of the operator and of one service lie in their own folders."""


@dataclass(frozen=True, slots=True)
class Declared:
    """One metric."""

    name: str
    type: str
    help: str
    labels: tuple[str, ...]
    where: frozenset[str]
    """Processes: the operator, and services by name."""

    @property
    def series(self) -> frozenset[str]:
        """The names that its series have."""
        if self.type != "histogram":
            return frozenset({self.name})
        return frozenset(f"{self.name}_{suffix}" for suffix in ("bucket", "count", "sum"))


@cache
def declared() -> dict[str, Declared]:
    """All of ours, by name; not to be changed.

    Raises:
        ValueError: name, help or labels of one aren't plain text in the source.
    """
    found: dict[str, Declared] = {}
    for folder in SOURCES:
        for path in sorted((CHECKOUT / folder).rglob("*.py")):
            if "tests" not in path.parts:
                found |= {each.name: each for each in _in(path)}
    return dict(sorted(found.items()))


def exposed_by(process: str, *, tls: bool = False) -> dict[str, Declared]:
    """Those that this process shows: the operator, or a service by its name."""
    return {name: each for name, each in declared().items() if process in each.where and (tls or name not in WITH_TLS)}


def _in(path: Path) -> Iterator[Declared]:
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in TYPES:
            continue
        if not node.args or (isinstance(node.args[0], ast.GeneratorExp)):  # collections.Counter
            continue
        options = {each.arg: each.value for each in node.keywords}
        arguments = [*node.args, *(options[name] for name in ("labelnames", "labels") if name in options)]
        try:
            name, text, *labels = (ast.literal_eval(each) for each in arguments)
        except ValueError as error:
            raise ValueError(f"{path}:{node.lineno}: name, help and labels of a metric have to be literals") from error
        yield Declared(name, TYPES[node.func.id], text, tuple(labels[0] if labels else ()), _where(path, name))


def _where(path: Path, name: str) -> frozenset[str]:
    place = str(path.relative_to(CHECKOUT))
    if name in OF_SERVICES:
        return EVERY_SERVICE
    if place in WHERE:
        return WHERE[place]
    return frozenset({OPERATOR if place.startswith("operator/") else path.relative_to(CHECKOUT).parts[1]})
