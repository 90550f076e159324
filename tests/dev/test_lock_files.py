"""The three lists of pinned packages agree with each other and with what pyproject.toml asks for."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
RENEW = "run `make lock`"


def pins(name: str) -> dict[str, Version]:
    """Package → version of a lock file."""
    lines = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", (ROOT / name).read_text(), re.MULTILINE)
    return {package.lower(): Version(version) for package, version in lines}


def asked(*extras: str) -> list[Requirement]:
    """What pyproject.toml asks for, with these extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    return [
        Requirement(text) for text in project["dependencies"] + [each for extra in extras for each in optional[extra]]
    ]


def assert_fits(requirements: list[Requirement], locked: dict[str, Version]) -> None:
    for requirement in requirements:
        version = locked.get(requirement.name.lower())
        assert version is not None, f"{requirement.name} is not locked: {RENEW}"
        assert requirement.specifier.contains(version), f"{requirement.name} {version} is not {requirement}: {RENEW}"


def test_the_runtime_lock_is_part_of_the_development_lock() -> None:
    runtime, dev = pins("requirements.lock"), pins("requirements-dev.lock")
    assert len(runtime) > 30
    assert runtime.items() <= dev.items(), RENEW


def test_the_constraints_are_the_development_lock_without_sums() -> None:
    assert pins("common/constraints.txt") == pins("requirements-dev.lock"), RENEW


def test_the_locks_hold_what_the_project_asks_for() -> None:
    assert_fits(asked("operator", "services", "stack"), pins("requirements.lock"))
    assert_fits(asked("operator", "services", "stack", "dev"), pins("requirements-dev.lock"))


def test_every_locked_package_is_checked_by_its_sum() -> None:
    for name in (
        "requirements.lock",
        "requirements-dev.lock",
        *(f"dev/setup/wheels/{each}.txt" for each in ("go", "kubectl", "mongod")),
    ):
        text = (ROOT / name).read_text()
        assert len(pins(name)) == len(re.findall(r"==[^\n]*\\\n +--hash=sha256:", text)), name


def test_nothing_locked_names_a_place_to_download_from() -> None:
    for path in [*ROOT.glob("*.lock"), ROOT / "common/constraints.txt", *(ROOT / "dev/setup/wheels").glob("*.txt")]:
        assert "://" not in path.read_text(), path
