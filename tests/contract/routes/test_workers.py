"""A service is one process: several workers would each show their own figures, and are refused at the start."""

import subprocess
import sys

from dev.setup.paths import CHECKOUT


def test_a_server_with_two_workers_ends_and_says_what_to_do_instead() -> None:
    program = (sys.executable, "-m", "uvicorn", "services.payment.main:app", "--port", "0", "--workers", "2")
    ended = subprocess.run(program, cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False)
    said = ended.stdout + ended.stderr
    assert "this server has 2 workers (--workers, WEB_CONCURRENCY)" in said
    assert "more replicas instead" in said
