"""Sessions of tests that run side by side draw different ports."""

import json
import subprocess
import sys

from dev.setup.paths import CHECKOUT

PROCESSES, PORTS = 4, 200
DRAW = f"""
import json, sys
from dev.stack.ports import free_ports
print(json.dumps(free_ports({PORTS})), flush=True)
sys.stdin.read()
"""


def test_processes_that_draw_ports_at_the_same_time_draw_different_ones() -> None:
    sessions = [
        subprocess.Popen([sys.executable, "-c", DRAW], cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(PROCESSES)
    ]
    drawn: list[int] = []
    for session in sessions:
        assert session.stdout is not None
        drawn += json.loads(session.stdout.readline())
    for session in sessions:
        session.communicate()
        assert session.returncode == 0
    assert len(drawn) == len(set(drawn)) == PROCESSES * PORTS
