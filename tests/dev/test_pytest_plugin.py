"""How the tests are shared out among several workers."""

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from dev.setup.paths import CHECKOUT

SYSTEM = """
import pytest

@pytest.fixture(scope="session")
def operator() -> None:
    pass
"""
ALONE = "import pytest\n\n@pytest.mark.parametrize('number', range(6))\ndef test_it(number: int) -> None:\n    pass\n"
OF_THE_SYSTEM = ALONE.replace("number: int", "number: int, operator: None")
OPTIONS = ("-n", "2", "--dist", "loadgroup", "--no-loadscope-reorder", "-p", "no:randomly", "-v")


def test_one_worker_has_all_tests_of_a_file_and_all_of_a_folder_that_share_a_system(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "conftest.py").write_text(SYSTEM)
    for name in ("a", "b", "c", "d"):
        (tmp_path / f"test_{name}.py").write_text(ALONE)
    for name in ("one", "two"):
        (tmp_path / "folder" / f"test_{name}.py").write_text(OF_THE_SYSTEM)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p dev.stack.pytest_plugin --import-mode=importlib\n")
    command = [sys.executable, "-m", "pytest", *OPTIONS, "--rootdir", tmp_path, "-c", tmp_path / "pytest.ini", tmp_path]
    run = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    workers = defaultdict(set)
    for worker, file in re.findall(r"^\[(gw\d)\] .* PASSED \S*?(folder|test_\w+\.py)\S* *$", run.stdout, re.M):
        workers[file].add(worker)
    assert workers.keys() == {"folder", *(f"test_{name}.py" for name in ("a", "b", "c", "d"))}
    assert {len(each) for each in workers.values()} == {1}, workers
    assert len(set().union(*workers.values())) > 1
