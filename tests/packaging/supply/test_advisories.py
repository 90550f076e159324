"""What is publicly known against our packages: the kept answer is of the lock files there are; silence is none."""

from pathlib import Path
from typing import Any

import pytest

from dev.release.supply import advisories
from dev.release.supply.advisories import Answer
from dev.setup.paths import CHECKOUT

LOCK = """\
aiohttp==3.14.5 \\
    --hash=sha256:{one}
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:{one}
PyYAML==6.0.3 \\
    --hash=sha256:{one}
"""
CLEAN = [{"name": "aiohttp", "version": "3.14.5", "vulns": []}, {"name": "pyyaml", "version": "6.0.3", "vulns": []}]
BAD = {"id": "PYSEC-2026-1", "fix_versions": ["3.14.6"], "aliases": [], "description": ""}


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "requirements.lock"
    path.write_text(LOCK.format(one="0" * 64))
    return path


def answer(lock: Path, *dependencies: dict[str, Any], day: str = "2026-11-29") -> Answer:
    return advisories.understood({"dependencies": list(dependencies), "fixes": []}, lock, day)


def status(found: Answer) -> int:
    return advisories.status({"requirements.lock": found})


def test_what_is_kept_is_of_the_lock_files_there_are() -> None:
    kept = advisories.kept()
    assert set(kept) == set(advisories.LOCKS)
    for name, each in kept.items():
        assert each.sha256 == advisories.sum_of(CHECKOUT / name), f"{name} has changed: run `make audit-packages`"


def test_nothing_is_known_against_what_is_locked() -> None:
    assert [each for kept in advisories.kept().values() for each in kept.known] == []


def test_every_package_answered_and_nothing_known_is_well(lock: Path) -> None:
    found = answer(lock, *CLEAN)
    assert (found.packages, found.answered, found.known) == (2, 2, [])
    assert status(found) == 0


def test_a_package_with_an_advisory_is_told(lock: Path) -> None:
    found = answer(lock, {**CLEAN[0], "vulns": [BAD]}, CLEAN[1])
    assert [(each.package, each.id, each.fixed) for each in found.known] == [("aiohttp", "PYSEC-2026-1", ["3.14.6"])]
    assert status(found) == 1


@pytest.mark.parametrize(
    "second",
    [
        {"name": "pyyaml", "skip_reason": "Dependency not found on PyPI and could not be audited: pyyaml (6.0.3)"},
        {"name": "pyyaml", "version": "6.0.2", "vulns": []},
        {"name": "something-else", "version": "1", "vulns": []},
    ],
    ids=["skipped", "another version", "left out"],
)
def test_a_package_of_which_nothing_is_said_is_not_well(lock: Path, second: dict[str, Any]) -> None:
    found = answer(lock, CLEAN[0], second)
    assert (found.packages, found.answered) == (2, 1)
    assert status(found) == advisories.UNANSWERED


def test_an_answer_is_kept_as_it_was_given(lock: Path, tmp_path: Path) -> None:
    given = {"requirements.lock": answer(lock, {**CLEAN[0], "vulns": [BAD]}, CLEAN[1])}
    advisories.keep(given, tmp_path / "kept.json")
    assert advisories.kept(tmp_path / "kept.json") == given


def test_silence_does_not_take_the_place_of_an_answer_on_the_same_packages(lock: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    full, silent = answer(lock, *CLEAN), answer(lock, day="2026-12-24")
    advisories.keep({"requirements.lock": full}, kept)
    advisories.keep({"requirements.lock": silent}, kept)
    assert advisories.kept(kept) == {"requirements.lock": full}
    lock.write_text(lock.read_text().replace("3.14.5", "3.14.6"))
    other = answer(lock, day="2026-12-24")
    advisories.keep({"requirements.lock": other}, kept)
    assert advisories.kept(kept) == {"requirements.lock": other}
