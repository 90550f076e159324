"""`python -m tests.mutation [WORD …]`: take each remedy out in turn, and see its test fail.

Works on a copy of the tracked files, so the checkout is not touched. With words: only remedies whose name has one.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.mutation.remedies import REMEDIES, Remedy

ROOT = Path(__file__).resolve().parents[2]
TESTS_FAILED = 1  # pytest's exit status; everything else means that the test did not run
TIME_LIMIT = 300  # seconds; the slowest of these tests takes about a minute


def copy_of_the_tree(folder: Path) -> None:
    """Every tracked file, as it is in the work tree."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")
    for name in filter(None, (raw.decode() for raw in tracked)):
        source, target = ROOT / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())


def fails_without(remedy: Remedy) -> tuple[bool, str]:
    """Whether the test fails when the remedy is taken out, and the end of what pytest said."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_of_the_tree(folder)
        path = folder / remedy.file
        text = path.read_text()
        if text.count(remedy.old) != 1:
            return (
                False,
                f"{remedy.file} doesn't have exactly one {remedy.old!r}: bring tests/mutation/remedies.py up to date",
            )
        path.write_text(text.replace(remedy.old, remedy.new))
        env = {**os.environ, "PYTHONPATH": f"{folder}:{folder / 'operator'}"}
        command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", remedy.test]
        try:
            ran = subprocess.run(
                command, cwd=folder, env=env, capture_output=True, text=True, timeout=TIME_LIMIT, check=False
            )
        except subprocess.TimeoutExpired:
            return True, "the test did not end"
        return ran.returncode == TESTS_FAILED, ran.stdout[-1500:]


def main(words: list[str]) -> int:
    """Exit status 0 if every remedy is missed by its test, 1 otherwise."""
    chosen = [remedy for remedy in REMEDIES if not words or any(word in remedy.name for word in words)]
    unnoticed = 0
    for remedy in chosen:
        started = time.monotonic()
        noticed, output = fails_without(remedy)
        unnoticed += not noticed
        verdict = "noticed  " if noticed else "UNNOTICED"
        print(
            f"{verdict} {time.monotonic() - started:5.0f} s  hazard {remedy.hazard or '-':>2}  without: {remedy.name}"
        )
        if not noticed:
            print(f"    {remedy.test}\n{output}")
    print(f"{len(chosen) - unnoticed} passed, {unnoticed} failed")
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
