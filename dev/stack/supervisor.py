"""Keeps the stack's processes alive, and ends them in order.

A part that dies is started again with a message, so that a `kill -9` by hand shows how the system recovers; one that
keeps dying is a fault, and ends the stack with the path of its log.
"""

import signal
import time
from collections import deque
from collections.abc import Callable

from dev.setup.errors import StackError
from dev.stack.processes import Process, wait_ready

# Killing a part by hand a few times is a demonstration; more often than this within a minute, it is broken.
RESTARTS_PER_MINUTE = 6


class Supervisor:
    """Groups of processes in the order in which they were started; the groups end in the opposite order."""

    def __init__(self, announce: Callable[[str], None]) -> None:
        self._announce = announce
        self._groups: list[tuple[Process, ...]] = []
        self._deaths: dict[str, deque[float]] = {}
        self._settled: set[str] = set()
        self._chores: list[tuple[float, float, Callable[[], None]]] = []

    def start(self, *processes: Process) -> None:
        """Start these as a group; they are not ready yet."""
        self._groups.append(processes)
        for process in processes:
            process.start()

    def wait_ready(self, *processes: Process) -> None:
        """Wait until these are ready; from then on they are started again when they die."""
        wait_ready(processes, idle=self.tick)
        self._settled.update(process.name for process in processes)

    def every(self, seconds: float, chore: Callable[[], None]) -> None:
        """Call `chore` from `tick` every so many seconds."""
        self._chores.append((time.monotonic() + seconds, seconds, chore))

    def tick(self) -> None:
        """Start again each process that has ended, and do what is due. Raises StackError when one keeps ending."""
        for process in (process for group in self._groups for process in group):
            if process.running():
                continue
            if process.name not in self._settled:
                process.ready()  # raises, and says how it ended
            self._restart(process)
        now = time.monotonic()
        for index, (due, seconds, chore) in enumerate(self._chores):
            if now >= due:
                self._chores[index] = (now + seconds, seconds, chore)
                try:
                    chore()
                except StackError as error:  # perhaps a part is being started again just now
                    self._announce(f"{error}; next try in {seconds / 3600:.0f} hours")

    def run(self) -> None:
        """`tick` until a signal raises KeyboardInterrupt."""
        while True:
            self.tick()
            time.sleep(0.2)

    def stop(self) -> None:
        """End everything, the last group first. Ctrl-C does not interrupt this: it takes seconds at most."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        while self._groups:
            group = self._groups.pop()
            for process in group:
                process.ask_to_stop()
            for process in group:
                process.wait_until_stopped()

    def _restart(self, process: Process) -> None:
        deaths = self._deaths.setdefault(process.name, deque())
        now = time.monotonic()
        deaths.append(now)
        while now - deaths[0] > 60:
            deaths.popleft()
        if len(deaths) > RESTARTS_PER_MINUTE:
            raise StackError(f"{process.name} died {len(deaths)} times within a minute; see {process.log}")
        self._announce(f"{process.name} {process.how_it_ended()}; starting it again")
        process.start()
