"""The cases of a run as tables: rates and durations, CPU of each process, and what was written for each saga."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.apiserver import KINDS
from bench.identified import identified_table
from bench.rows import BARE, KEEPERS, ROLES, roles_of
from bench.traced import traced_table

Case = Mapping[str, Any]
Group = list[Case]
Key = tuple[str, str, int, int]
"""Row, commit, sagas in flight, number of products."""


def groups(cases: Iterable[Case]) -> dict[Key, Group]:
    """The rounds of each case that counts, in the order of the run."""
    found: dict[Key, Group] = {}
    for case in cases:
        key = (str(case["row"]), str(case["commit"]), int(case["in_flight"]), int(case["products"]))
        found.setdefault(key, []).extend([] if case["problems"] else [case])
    return found


def median(group: Group, field: str) -> float:
    """The median over the rounds; 0 if none counts."""
    return statistics.median(float(case[field]) for case in group) if group else 0.0


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
    several = len({key[1] for key in found}) > 1
    names = {
        key: key[0] + (f" @ {key[1]}" if several else "") + (", one product" if key[3] == 1 else "") for key in found
    }
    roles = [role for role in ROLES if any(role in roles_of(case["row"]) for case in run["cases"])]
    speed = [["row", "C", "orders/s", "× bare", "p50 ms", "p99 ms", "× bare p50", "keeping", "whole"]]
    cpu = [["row", "C", *roles, "later", "deleting"]]
    writes = [["row", "C", *KINDS, "finalizer, later", "all, later", "finalizer, deleting", "bytes"]]
    for key, group in found.items():
        head = [names[key], str(key[2])]
        if not group:
            speed.append([*head, "wrong", *[""] * 6])
            continue
        speed.append([*head, *_speed(group, found.get((BARE, *key[1:]), []))])
        used = roles_of(key[0])
        cpu.append([*head, *(_number(cpu_ms(group, [role] if role in used else [])) for role in roles)])
        cpu[-1] += [_number(cpu_ms(group, used, field)) for field in ("cpu_later", "cpu_deleting")]
        if any(case["writes"].get("create") for case in group):
            writes.append([*head, *_writes(group)])
    named = [
        ("Rates and durations, and CPU ms per saga: keeping it, and all", speed),
        ("CPU ms per saga of each process", cpu),
        ("Writes to the API server per saga", writes),
        ("CPU ms per call of each endpoint: service + mongod", endpoint_table(run.get("endpoints", []))),
        ("What it costs a service to know its callers", identified_table(run.get("identified", []))),
        ("What traces cost", traced_table(run.get("traced", []))),
    ]
    return [(heading, lines) for heading, lines in named if len(lines) > 1]


def _number(value: float, digits: int = 1) -> str:
    return f"{value:.{digits}f}" if value else "–"


def _speed(group: Group, bare: Group) -> list[str]:
    row, p50, bare_p50 = group[0]["row"], median(group, "p50"), median(bare, "p50")
    return [
        _number(median(group, "rate")),
        _number(ratio(group, bare), 2),
        _number(1000 * p50, 0),
        _number(1000 * median(group, "p99"), 0),
        _number(p50 / bare_p50 if bare_p50 else 0.0, 2),
        _number(cpu_ms(group, KEEPERS.get(row, ()))),
        _number(cpu_ms(group, roles_of(row))),
    ]


def _writes(group: Group) -> list[str]:
    later = sum(per_saga(group, "writes_later", kind) for kind in KINDS)
    return [
        *(_number(per_saga(group, "writes", kind), 2) for kind in KINDS),
        _number(per_saga(group, "writes_later", "finalizer"), 2),
        _number(later, 2),
        _number(per_saga(group, "writes_deleting", "finalizer"), 2),
        _number(median(group, "bytes"), 0),
    ]


def endpoint_table(endpoints: Sequence[Case]) -> list[list[str]]:
    """The endpoints' CPU, one column for each commit; several rounds are taken together."""
    commits = list(dict.fromkeys(str(each["commit"]) for each in endpoints))
    lines = [["endpoint", *commits]]
    for endpoint in dict.fromkeys(str(each["endpoint"]) for each in endpoints):
        cells = []
        for commit in commits:
            of = [each for each in endpoints if (each["endpoint"], each["commit"]) == (endpoint, commit)]
            calls = sum(each["calls"] for each in of) or 1
            service, mongod = (1000 * sum(each[role] for each in of) / calls for role in ("service", "mongod"))
            cells.append(f"{service:.1f} + {mongod:.1f}")
        lines.append([endpoint, *cells])
    return lines


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
