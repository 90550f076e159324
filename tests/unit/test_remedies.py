"""The table of remedies fits the code and the manual: a remedy that moved must not silently lose its test."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.mutation.remedies import REMEDIES, Remedy

ROOT = Path(__file__).resolve().parents[2]
MANUAL = (ROOT / "docs" / "failure-modes.md").read_text()


@pytest.mark.parametrize("remedy", REMEDIES, ids=lambda remedy: remedy.name)
def test_a_remedy_stands_in_the_code_once_and_its_test_exists(remedy: Remedy) -> None:
    assert (ROOT / remedy.file).read_text().count(remedy.old) == 1
    assert remedy.new != remedy.old
    path, name = remedy.test.split("::")
    assert f"def {name}(" in (ROOT / path).read_text()


def test_every_remedy_has_a_name_of_its_own() -> None:
    assert [name for name, count in Counter(remedy.name for remedy in REMEDIES).items() if count > 1] == []


def test_every_hazard_of_the_manual_has_a_remedy() -> None:
    hazards = set(map(int, re.findall(r"^\| (\d+) \|", MANUAL, re.MULTILINE)))
    assert {remedy.hazard for remedy in REMEDIES} == hazards | {0}


def test_the_tests_of_the_manual_are_those_of_the_remedies() -> None:
    named = set(re.findall(r"`(test_\w+)`", MANUAL))
    assert named == {remedy.test.split("::")[1] for remedy in REMEDIES}


@pytest.mark.parametrize("hazard", sorted({remedy.hazard for remedy in REMEDIES} - {0}))
def test_a_remedys_test_stands_in_the_row_of_its_hazard(hazard: int) -> None:
    row = next(line for line in MANUAL.splitlines() if line.startswith(f"| {hazard} |"))
    assert {r.test.split("::")[1] for r in REMEDIES if r.hazard == hazard} <= set(re.findall(r"`(test_\w+)`", row))
