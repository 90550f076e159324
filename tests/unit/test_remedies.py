"""The table of remedies fits the code and the manual: a remedy that moved must not silently lose its test."""

from pathlib import Path

import pytest

from tests.mutation.remedies import REMEDIES, Remedy

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("remedy", REMEDIES, ids=lambda remedy: remedy.name)
def test_a_remedy_stands_in_the_code_once_and_its_test_exists(remedy: Remedy) -> None:
    assert (ROOT / remedy.file).read_text().count(remedy.old) == 1
    path, name = remedy.test.split("::")
    assert f"def {name}(" in (ROOT / path).read_text()


def test_every_hazard_has_a_remedy_and_a_line_in_the_manual() -> None:
    manual = (ROOT / "docs" / "failure-modes.md").read_text()
    assert {remedy.hazard for remedy in REMEDIES} - {0} == set(range(1, 13))
    assert [remedy.test for remedy in REMEDIES if remedy.test.split("::")[1] not in manual] == []
