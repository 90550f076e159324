"""The checkout's virtual environment: exactly the packages of the lock file, and our own commands. Nothing is done
while both are unchanged.

Standard library only.
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

from dev.setup.errors import StackError
from dev.setup.jobs import Job
from dev.setup.paths import CHECKOUT, VENV

PYTHON = VENV / "bin" / "python"
# requirements-dev.lock holds everything of requirements.lock, at the same versions (a test guards that).
RUNTIME_LOCK = CHECKOUT / "requirements.lock"
DEV_LOCK = CHECKOUT / "requirements-dev.lock"
STAMP = VENV / "installed.json"


def current(lock: Path) -> bool:
    """Whether the environment was installed from this lock file as it is now, and has our commands."""
    try:
        stamp = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return False
    return bool(stamp == {**stamp, **_stamp(lock)}) and PYTHON.exists()


def create(job: Job) -> None:
    """Make the environment, unless there is one that works."""
    if (
        PYTHON.exists()
        and subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0
    ):
        return
    job.doing = "making the virtual environment"
    job.run(
        [sys.executable, "-m", "venv", "--clear", VENV],
        failure=f"{sys.executable} can't make a virtual environment (on Debian and Ubuntu: install python3-venv)",
    )


def install(job: Job, lock: Path) -> None:
    """Install the packages of the lock file, checked by their hashes, and the project itself as editable."""
    STAMP.unlink(missing_ok=True)
    pip: list[str | Path] = [
        PYTHON,
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--progress-bar",
        "off",
        "--no-input",
    ]
    count = _Progress(job, lock)
    job.doing = "downloading packages"
    job.run(
        [*pip, "--no-deps", "--require-hashes", "--only-binary", ":all:", "-r", lock],
        failure="installing the Python packages failed",
        on_line=count,
    )
    job.doing = "installing the project"
    job.run(
        [*pip, "--no-deps", "--no-build-isolation", "-e", CHECKOUT],
        failure="installing the project itself failed",
    )
    locks = (RUNTIME_LOCK, DEV_LOCK) if lock == DEV_LOCK else (lock,)
    stamp = {name: digest for each in locks for name, digest in _stamp(each).items()}
    STAMP.write_text(json.dumps(stamp, indent=2))


class _Progress:
    """Makes the job's progress text from pip's output."""

    def __init__(self, job: Job, lock: Path) -> None:
        self._job = job
        self._total = sum("==" in line for line in lock.read_text().splitlines())
        self._collected = 0

    def __call__(self, line: str) -> None:
        if line.startswith("Collecting"):
            self._collected += 1
            self._job.doing = f"downloading packages, {self._collected} of {self._total}"
        elif line.startswith("Installing"):
            self._job.doing = f"installing {self._collected} packages"


def _stamp(lock: Path) -> dict[str, str]:
    import tomllib  # noqa: PLC0415 - a Python that is too old for it is told so first (`require_python`)

    commands = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["scripts"]
    # With the checkout's path, because the editable install points at it.
    return {
        "checkout": str(CHECKOUT),
        "commands": json.dumps(commands, sort_keys=True),
        lock.name: hashlib.sha256(lock.read_bytes()).hexdigest(),
    }


def require_python() -> None:
    """Raises StackError when this Python is too old for the project."""
    if sys.version_info < (3, 11):  # noqa: UP036 - run by whatever python3 the machine has
        have = ".".join(str(part) for part in sys.version_info[:2])
        raise StackError(f"Python 3.11 or newer is needed, and {sys.executable} is {have}")
