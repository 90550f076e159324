"""CPU time of processes with all their children, as the kernel counts it."""

import contextlib
from collections.abc import Mapping

import psutil

Cpu = dict[str, float]
"""Seconds by role."""
LOAD = "load"
"""The role of this process: it makes the load (and, bare and in the coordinator, also the calls)."""


def cpu_of(parts: Mapping[str, psutil.Process]) -> Cpu:
    """CPU seconds of each of them up to now, and of this process. Raises psutil.NoSuchProcess if one has ended."""
    own = psutil.Process().cpu_times()
    return {**{role: _with_children(part) for role, part in parts.items()}, LOAD: own.user + own.system}


def _with_children(part: psutil.Process) -> float:
    seconds = 0.0
    for process in (part, *part.children(recursive=True)):
        with contextlib.suppress(*(() if process is part else (psutil.NoSuchProcess,))):
            times = process.cpu_times()
            seconds += times.user + times.system + times.children_user + times.children_system
    return seconds


def spent(before: Cpu, after: Cpu) -> Cpu:
    """What was used between two looks."""
    return {role: after[role] - before.get(role, 0.0) for role in after}
