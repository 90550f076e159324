"""What is publicly known against the packages of the lock files: pip-audit asks, and its answer is kept with its date.

python -m dev.release.supply.advisories      ask, print and keep the answer (`make audit-packages`, on the internet)

Exit status: 0 when nothing is known against any package, 1 when something is, 2 when packages are left of which nobody
has said anything. An index that doesn't serve advisories is such a nobody: pip-audit itself then says "No known
vulnerabilities found", and exits with 0.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from packaging.utils import canonicalize_name

from dev.release.supply.packages import locked
from dev.setup.errors import StackError, exit_status
from dev.setup.paths import CHECKOUT

LOCKS: Final = ("requirements.lock", "requirements-dev.lock")
KEPT: Final = CHECKOUT / "tests" / "packaging" / "supply" / "advisories.json"
UNANSWERED: Final = 2


@dataclass(frozen=True, slots=True)
class Advisory:
    """One thing that is known against one package of a lock file."""

    package: str
    version: str
    id: str
    """As the source has it: PYSEC-2026-1, GHSA-…"""
    fixed: list[str]
    """The versions from which it is gone."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said of one lock file."""

    sha256: str
    """Of the lock file that was asked about."""
    asked: str
    """The day, in UTC."""
    program: str
    packages: int
    """How many of the lock file's packages are installed on Linux."""
    answered: int
    """Of how many packages the source said anything, if only that it knows nothing against them."""
    known: list[Advisory] = field(default_factory=list)


def sum_of(lock: Path) -> str:
    """The sha256 of a lock file."""
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def understood(report: dict[str, Any], lock: Path, day: str) -> Answer:
    """What pip-audit's JSON says of this lock file. A package that it skipped, or leaves out, isn't answered."""
    said = {canonicalize_name(each["name"]): each for each in report["dependencies"] if "skip_reason" not in each}
    known = [
        Advisory(name, each["version"], found["id"], found["fix_versions"])
        for name, each in sorted(said.items())
        for found in each["vulns"]
    ]
    pins = {name: each for name, each in locked(lock).items() if each.there}
    answered = sum(name in said and said[name]["version"] == each.version for name, each in pins.items())
    program = f"pip-audit {metadata.version('pip-audit')}, Python Packaging Advisory Database"
    return Answer(sum_of(lock), day, program, len(pins), answered, known)


def status(answers: dict[str, Answer]) -> int:
    """The exit status: what is known comes before what isn't answered."""
    if any(answer.known for answer in answers.values()):
        return 1
    return 0 if all(answer.answered == answer.packages for answer in answers.values()) else UNANSWERED


def kept(path: Path = KEPT) -> dict[str, Answer]:
    """The answers that are kept, by the name of the lock file."""
    stored = json.loads(path.read_text()) if path.exists() else {}
    return {
        name: Answer(**{**each, "known": [Advisory(**advisory) for advisory in each["known"]]})
        for name, each in stored.items()
    }


def keep(answers: dict[str, Answer], path: Path = KEPT) -> None:
    """Keep these answers. One that says less of the same lock file doesn't take the place of one that says more."""
    before = kept(path)
    for name, answer in answers.items():
        old = before.get(name)
        if old is None or old.sha256 != answer.sha256 or old.answered <= answer.answered:
            before[name] = answer
    path.write_text(json.dumps({name: asdict(before[name]) for name in sorted(before)}, indent=2) + "\n")


def ask(lock: Path) -> Answer:
    """Ask about every package of this lock file; first about one, since a source that doesn't know it knows none."""
    day = datetime.now(UTC).date().isoformat()
    name, package = next(iter(locked(lock).items()))
    with tempfile.TemporaryDirectory() as folder:
        one = Path(folder) / "one.txt"
        sums = " ".join(f"--hash=sha256:{each}" for each in package.sums)
        one.write_text(f"{name}=={package.version} {sums}\n")
        probe = understood(_report(one), one, day)
    if not probe.answered:
        return understood({"dependencies": []}, lock, day)
    return understood(_report(lock), lock, day)


def _report(requirements: Path) -> dict[str, Any]:
    result = subprocess.run(
        [
            *(sys.executable, "-m", "pip_audit", "--requirement", requirements, "--require-hashes", "--disable-pip"),
            *("--format", "json", "--progress-spinner", "off"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        report: dict[str, Any] = json.loads(result.stdout)
    except ValueError:
        reason = (result.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise StackError(f"pip-audit didn't get an answer, and nothing is kept: {reason}") from None
    return report


def _tell(name: str, answer: Answer) -> None:
    print(f"{name}: {answer.answered} of {answer.packages} packages answered, {len(answer.known)} advisories")
    for each in answer.known:
        print(f"  {each.package} {each.version}: {each.id}, gone from {', '.join(each.fixed) or 'no version yet'}")
    if answer.answered < answer.packages:
        print("  Of the others nothing is known, neither good nor bad: this package index serves no advisories.")


def main() -> int:
    """Ask about both lock files, keep what was said; the exit status."""

    def work() -> int:
        answers = {name: ask(CHECKOUT / name) for name in LOCKS}
        for name, answer in answers.items():
            _tell(name, answer)
        keep(answers)
        return status(answers)

    return exit_status(work)


if __name__ == "__main__":
    sys.exit(main())
