"""A remedy against a hazard of docs/failure-modes.md, and what taking it out looks like."""

from dataclasses import dataclass

OPERATOR = "operator/saga_operator"


@dataclass(frozen=True)
class Remedy:
    """`old` stands exactly once in `file`; with `new` in its place the remedy is gone, and `test` has to fail."""

    name: str
    hazard: int
    """Its number in docs/failure-modes.md; 0 for outages."""
    file: str
    old: str
    new: str
    test: str
