"""Child processes that can't outlive us: the kernel ends them if we are killed (PR_SET_PDEATHSIG, Linux)."""

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """For the child, between fork and exec: the kernel kills it when the thread that started it is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
