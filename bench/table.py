"""The cases of a run as tables: rates and durations, CPU of each process, and what was written for each saga."""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bench.apiserver import KINDS
from bench.rows import BARE
from bench.usage import LOAD
from common.services import SERVICES

Case = Mapping[str, Any]
Group = list[Case]
KEEPERS = ("operator", "kube-apiserver", "etcd", "restate service", "restate-server")
"""What keeps the sagas; the coordinator is a part of the load."""
ORDER = (LOAD, *KEEPERS, *SERVICES, "mongod")


def groups(cases: Iterable[Case]) -> dict[tuple[str, str, int], Group]:
    """The rounds of each case that counts, by row, commit and sagas in flight, in the order of the run."""
    found: dict[tuple[str, str, int], Group] = {}
    for case in cases:
        key = (str(case["row"]), str(case["commit"]), int(case["in_flight"]))
        found.setdefault(key, []).extend([] if case["problems"] else [case])
    return found


def median(group: Group, value: Callable[[Case], float]) -> float:
    """The median over the rounds; 0 if none counts."""
    return statistics.median(map(value, group)) if group else 0.0


def cpu_ms(group: Group, roles: Iterable[str], field: str = "cpu") -> float:
    """CPU milliseconds per saga of these roles together."""
    orders = sum(case["orders"] for case in group)
    used = sum(case[field].get(role, 0.0) for case in group for role in roles)
    return 1000 * used / orders if orders else 0.0


def per_saga(group: Group, field: str, kind: str) -> float:
    """Requests of this kind per saga."""
    orders = sum(case["orders"] for case in group)
    return sum(case[field].get(kind, 0) for case in group) / orders if orders else 0.0


def ratio(group: Group, bare: Group) -> float:
    """The share of the bare rate: the median over the rounds, each compared with the bare case of its own round."""
    rates = {case["round"]: case["rate"] for case in bare}
    shares = [case["rate"] / rates[case["round"]] for case in group if rates.get(case["round"])]
    return statistics.median(shares) if shares else 0.0


def tables(run: Mapping[str, Any]) -> list[tuple[str, list[list[str]]]]:
    """Every table of a run: its heading, and its lines; the first line holds the columns' names."""
    found = groups(run["cases"])
    several = len({commit for _, commit, _ in found}) > 1
    names = {key: key[0] + (f" @ {key[1]}" if several else "") for key in found}

    def number(value: float, digits: int = 1) -> str:
        return f"{value:.{digits}f}" if value else "–"

    speed = [["row", "C", "orders/s", "× bare", "p50 ms", "p99 ms", "× bare p50", "CPU ms: keeping", "whole"]]
    roles = [role for role in ORDER if any(role in case["cpu"] for case in run["cases"])]
    cpu = [["row", "C", *roles, "later"]]
    writes = [["row", "C", *KINDS, "finalizer, later", "all, later", "finalizer, deleting", "delete"]]
    for key, group in found.items():
        head = [names[key], str(key[2])]
        bare = found.get((BARE, key[1], key[2]), [])
        if not group:
            speed.append([*head, "wrong", *[""] * 6])
            continue
        p50, bare_p50 = median(group, lambda case: case["p50"]), median(bare, lambda case: case["p50"])
        speed.append(
            [
                *head,
                number(median(group, lambda case: case["rate"])),
                number(ratio(group, bare), 2),
                number(1000 * p50, 0),
                number(1000 * median(group, lambda case: case["p99"]), 0),
                number(p50 / bare_p50 if bare_p50 else 0.0, 2),
                number(cpu_ms(group, KEEPERS)),
                number(cpu_ms(group, ORDER)),
            ]
        )
        cpu.append(
            [*head, *(number(cpu_ms(group, [role])) for role in roles), number(cpu_ms(group, ORDER, "cpu_later"))]
        )
        if any(case["writes"].get("status") for case in group):
            later = sum(per_saga(group, "writes_later", kind) for kind in KINDS)
            deleting = ("finalizer", "delete")
            writes.append(
                [
                    *head,
                    *(number(per_saga(group, "writes", kind), 2) for kind in KINDS),
                    number(per_saga(group, "writes_later", "finalizer"), 2),
                    number(later, 2),
                    *(number(per_saga(group, "writes_deleting", kind), 2) for kind in deleting),
                ]
            )
    named = [
        ("Rates and durations, and CPU ms per saga", speed),
        ("CPU ms per saga of each process", cpu),
        ("Writes to the API server per saga", writes),
    ]
    return [(heading, lines) for heading, lines in named if len(lines) > 1]


def as_text(lines: Sequence[Sequence[str]]) -> str:
    """With columns of equal width."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) if column == 0 else cell.rjust(width) for column, (cell, width) in cells)
        for cells in ([*enumerate(zip(line, widths, strict=True))] for line in lines)
    )


def as_markdown(lines: Sequence[Sequence[str]]) -> str:
    """As a table of a page."""
    marks = ["---", *["---:"] * (len(lines[0]) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (lines[0], marks, *lines[1:]))
