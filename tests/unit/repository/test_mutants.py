"""The mutants fit the code and the manual: a remedy that moved must not silently lose its test."""

from collections import Counter

import pytest

from tests.mutation import __main__ as runner
from tests.mutation import document
from tests.mutation.document import ROOT
from tests.mutation.mutants import MUTANTS, OUTAGE, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_what_a_mutant_takes_out_stands_in_the_code_once_and_its_test_exists(mutant: Mutant) -> None:
    assert (ROOT / mutant.file).read_text().count(mutant.old) == 1
    assert mutant.new != mutant.old
    path, name = mutant.test.split("::")
    assert f"def {name}(" in (ROOT / path).read_text()


def test_every_mutant_has_a_name_of_its_own() -> None:
    assert [name for name, count in Counter(mutant.name for mutant in MUTANTS).items() if count > 1] == []


def test_every_hazard_of_the_manual_has_a_mutant_and_every_mutant_a_hazard() -> None:
    assert {mutant.hazard for mutant in MUTANTS} == document.hazards().keys() | {OUTAGE}


def test_the_list_of_the_tests_of_each_hazard_is_fresh() -> None:
    assert document.DOCUMENT.read_text() == document.text(), "run `make docs`"


def test_words_that_fit_no_mutant_run_nothing_instead_of_every_test(capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.main(["no such mutant"]) == 1
    assert "no such mutant" in capsys.readouterr().out
