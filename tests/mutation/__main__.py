"""`python -m tests.mutation [WORD …]`: see every test pass, then make each mutant in turn and see its test fail.

Works on copies of the tracked files, so the checkout is not touched; two side by side, since half of the time is
spent waiting. With words: only mutants whose name or file has one, so that a module that was changed has its part.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutation.mutants import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]
TESTS_FAILED = 1  # pytest's exit status; everything else means that the test did not run
TIME_LIMIT = 300  # seconds; the slowest of these tests takes about a minute
TIME_LIMIT_OF_ALL = 1800  # seconds
SIDE_BY_SIDE = 2


def copy_of_the_tree(folder: Path) -> None:
    """Every tracked file, as it is in the work tree."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")
    for name in filter(None, (raw.decode() for raw in tracked)):
        source, target = ROOT / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())


def run(tests: list[str], mutant: Mutant | None, limit: float) -> tuple[int | None, str]:
    """pytest's exit status on a copy with `mutant`, None if it did not end in time (seconds), and what it said."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_of_the_tree(folder)
        if mutant is not None:
            path = folder / mutant.file
            text = path.read_text()
            if text.count(mutant.old) != 1:
                return None, f"{mutant.file} doesn't have exactly one {mutant.old!r}: bring tests/mutation up to date"
            path.write_text(text.replace(mutant.old, mutant.new))
        env = {**os.environ, "PYTHONPATH": f"{folder}:{folder / 'operator'}"}
        command = [sys.executable, "-m", "pytest", "-q", "--no-header", *(["-x"] if mutant else []), *tests]
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # its API server and MongoDB as well
            process.communicate()
            return None, "the test did not end"
        return process.returncode, output


def is_noticed(status: int | None, output: str) -> bool:
    """A test has failed. One that could not even be set up (ERROR), or did not end, shows nothing about the mutant."""
    return status == TESTS_FAILED and "\nFAILED " in output


def is_killed(mutant: Mutant) -> bool:
    """Make it, run its test, print and return whether the test failed."""
    started = time.monotonic()
    status, output = run([mutant.test], mutant, TIME_LIMIT)
    noticed = is_noticed(status, output)
    verdict = "noticed  " if noticed else "UNNOTICED"
    text = f"{verdict} {time.monotonic() - started:5.0f} s  hazard {mutant.hazard or '-':>2}  without: {mutant.name}"
    print(text if noticed else f"{text}\n    {mutant.test}\n{output[-1500:]}", flush=True)
    return noticed


def main(words: list[str]) -> int:
    """Exit status 0 if every test passes and every mutant is noticed by its test, 1 otherwise."""
    chosen = [
        mutant for mutant in MUTANTS if not words or any(word in f"{mutant.name} {mutant.file}" for word in words)
    ]
    if not chosen:  # without a test to name, pytest would run all there are
        print(f"no mutant's name or file has any of: {' '.join(words)}")
        return 1
    started = time.monotonic()
    status, output = run(sorted({mutant.test for mutant in chosen}), None, TIME_LIMIT_OF_ALL)
    print(f"without any mutant: {output.strip().rsplit(chr(10), 1)[-1]}", flush=True)
    if status != 0:
        print(output)
        return 1
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        noticed = sum(pool.map(is_killed, chosen))
    print(f"{noticed} passed, {len(chosen) - noticed} failed in {time.monotonic() - started:.0f} s")
    return 0 if noticed == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
