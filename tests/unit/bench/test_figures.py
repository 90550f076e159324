"""What the bench makes of its figures: only cases that count, each compared with the bare case of its own round."""

from typing import Any
from xml.etree import ElementTree

import pytest

from bench.apiserver import kind_of
from bench.cases import PRODUCTS
from bench.identified import DEVELOPMENT, IDENTIFIED, identified_table
from bench.picture import picture
from bench.rows import BARE, RESOURCE
from bench.table import as_markdown, as_text, groups, ratio, tables
from bench.traced import OFF, TRACED, traced_table

COMMIT = "0123abc"


def case(row: str, round_: int, rate: float, *, problems: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "row": row,
        "commit": COMMIT,
        "in_flight": 16,
        "products": PRODUCTS,
        "round": round_,
        "orders": 100,
        "rate": rate,
        "p50": 0.1,
        "p99": 0.2,
        "bytes": 2000.0,
        "cpu": {"load": 0.5, "operator": 1.0, "kube-apiserver": 2.0, "etcd": 0.5, "order": 1.0, "mongod": 1.0},
        "cpu_later": {"operator": 0.1},
        "cpu_deleting": {},
        "writes": {"create": 100, "status": 250} if row == RESOURCE else {},
        "writes_later": {"finalizer": 100},
        "writes_deleting": {},
        "problems": list(problems),
    }


RUN = {
    "cases": [case(BARE, 1, 100), case(RESOURCE, 1, 50), case(BARE, 2, 50), case(RESOURCE, 2, 40)],
    "endpoints": [{"endpoint": "POST /x", "commit": COMMIT, "calls": 100, "service": 0.5, "mongod": 0.2}],
}


def test_a_case_is_compared_with_the_bare_case_of_its_own_round() -> None:
    found = groups(RUN["cases"])
    ours, bare = found[RESOURCE, COMMIT, 16, PRODUCTS], found[BARE, COMMIT, 16, PRODUCTS]
    assert ratio(ours, bare) == pytest.approx((0.5 + 0.8) / 2)


def test_a_case_with_wrong_books_does_not_count_and_is_shown_as_wrong() -> None:
    wrong = [case(BARE, 1, 100), case(RESOURCE, 1, 999, problems=("o-1 was charged twice",))]
    text = "\n".join(as_text(lines) for _, lines in tables({"cases": wrong}))
    assert "999" not in text
    assert "wrong" in text


def test_cpu_and_writes_are_shown_per_saga() -> None:
    text = dict(tables(RUN))
    speed = next(
        line for line in text["Rates and durations, and CPU ms per saga: keeping it, and all"] if RESOURCE in line
    )
    assert speed[-2:] == ["35.0", "60.0"]
    writes = as_markdown(text["Writes to the API server per saga"])
    assert "1.00 | 2.50 |" in writes


def test_the_picture_is_svg_also_of_a_run_without_figures() -> None:
    assert RESOURCE in "".join(ElementTree.fromstring(picture(RUN)).itertext())  # noqa: S314 - our own
    ElementTree.fromstring(picture({"cases": []}))  # noqa: S314 - our own


@pytest.mark.parametrize(
    ("verb", "resource", "subresource", "kind"),
    [
        ("POST", "ordersagas", "", "create"),
        ("PATCH", "ordersagas", "status", "status"),
        ("PUT", "ordersagas", "status", "status"),
        ("PATCH", "ordersagas", "", "finalizer"),
        ("DELETE", "ordersagas", "", "delete"),
        ("POST", "events", "", "event"),
        ("PUT", "leases", "", "lease"),
        ("GET", "leases", "", ""),
        ("POST", "subjectaccessreviews", "", ""),
    ],
)
def test_what_a_request_was(verb: str, resource: str, subresource: str, kind: str) -> None:
    assert kind_of({"verb": verb, "resource": resource, "subresource": subresource}) == kind


def test_what_being_identified_costs_is_the_median_of_pairs_that_ran_side_by_side() -> None:
    """A machine that was busy in one pair counts once, and on both sides."""
    turns = []
    for turn, (identified, development) in enumerate([(1.02, 1.0), (5.1, 5.0), (1.0, 1.0), (1.02, 1.0), (1.05, 1.0)]):
        # the order within a pair changes with every pair
        pair = [(IDENTIFIED, identified), (DEVELOPMENT, development)]
        for side, cpu in pair[:: -1 if turn % 2 else 1]:
            turns.append({"side": side, "turn": turn, "calls": 1000, "cpu": cpu})
    heads, development_row, identified_row = identified_table(turns)
    assert len(heads) == len(development_row) == len(identified_row)
    assert development_row[:2] == [DEVELOPMENT, "1.000"]
    assert identified_row[:3] == [IDENTIFIED, "1.020", "+2.0 %"]
    assert identified_row[3].endswith("5 pairs")
    assert identified_table([])[1:] == []


def test_what_traces_cost_is_the_median_of_the_pairs_that_count() -> None:
    turns: list[dict[str, Any]] = []
    for number, more in enumerate((1.01, 1.02, 1.03, 9.0)):
        for side, factor in ((OFF, 1.0), (TRACED, more)):
            turn = case(RESOURCE, number, 40, problems=("books",) if more == 9.0 else ())
            turns.append({**turn, "side": side, "cpu": {role: factor * used for role, used in turn["cpu"].items()}})
            turns[-1]["cpu_later"] = {}
    _, off, traced = traced_table(turns)
    assert (off[0], off[3]) == (OFF, "55.00"), "the load itself doesn't count"
    assert (traced[0], traced[4]) == (TRACED, "+2.0 %")
    assert traced_table([]) == traced_table(turns[:2]), "one pair has no quartiles"
