"""Writes docs/failure-modes-tests.md from the mutants: `python -m tests.mutation.document`, a part of `make docs`."""

import re
from pathlib import Path

from tests.mutation.mutants import MUTANTS, OUTAGE, Mutant

ROOT = Path(__file__).resolve().parents[2]
MANUAL = ROOT / "docs" / "failure-modes.md"
DOCUMENT = ROOT / "docs" / "failure-modes-tests.md"

HEAD = """\
<!-- Written by `make docs` from tests/mutation/mutants/: change it there. -->

# The tests that guard each hazard

For each hazard of [failure-modes.md](failure-modes.md): what the system keeps, and the test that fails when exactly
that is taken out of the code. `make mutate` makes each of these changes in turn on a copy, and sees its test fail.
"""


def hazards() -> dict[int, str]:
    """Number → what goes wrong, as the headings of the manual have it."""
    rows = re.findall(r"^### (\d+)\. (.+)$", MANUAL.read_text(), re.MULTILINE)
    return {int(number): title for number, title in rows}


def section(title: str, mutants: list[Mutant]) -> str:
    """One hazard: a line for each mutant."""
    lines = [f"\n## {title}\n"]
    for mutant in mutants:
        path, test = mutant.test.split("::")
        lines.append(f"- {mutant.name}  \n  [`{test}`](../{path})")
    return "\n".join(lines) + "\n"


def text() -> str:
    """The whole document."""
    sections = [(number, f"{number}. {title}") for number, title in hazards().items()] + [(OUTAGE, "Outages")]
    return HEAD + "".join(section(title, [m for m in MUTANTS if m.hazard == number]) for number, title in sections)


if __name__ == "__main__":
    DOCUMENT.write_text(text())
