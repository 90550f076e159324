"""A mutant: the code without one remedy against a hazard of docs/failure-modes.md, and the test that must notice."""

from dataclasses import dataclass

OPERATOR = "operator/saga_operator"
OUTAGE = 0


@dataclass(frozen=True, slots=True)
class Mutant:
    """`old` stands exactly once in `file`. With `new` in its place the remedy `name` is gone, and `test` must fail."""

    name: str
    hazard: int
    """The number of its row in docs/failure-modes.md; OUTAGE for the outages at the end of that page."""
    file: str
    old: str
    new: str
    test: str
    """`path/of/test_file.py::test_name`."""
