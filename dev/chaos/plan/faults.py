"""What is done to the parts of the system, and when: a pure function of the seed.

A fault comes after a number of placed orders, not after a time: a slow machine meets the same plan as a fast one.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from common.services import SERVICES
from dev.chaos.plan.seeded import between, draw, shuffled

OPERATOR, SECOND, MONGOD, APISERVER, ETCD = "operator", "second operator", "mongod", "kube-apiserver", "etcd"
CONNECTIONS = "connections to the API server"


class FaultKind(StrEnum):
    """What happens to a part."""

    KILL = "kill -9"
    PAUSE = "pause"
    """SIGSTOP, and SIGCONT after `seconds`."""
    JOIN = "join"
    """A second operator runs for `seconds` and is then told to stop."""
    OUTAGE = "long outage"
    """kill -9, and a long time until the part is started again."""
    CUT = "cut"
    """All connections to the API server are closed."""
    FREEZE = "freeze"
    """The present connections to the API server, watches included, stay open and carry nothing any more."""
    OVERLAP = "overlap"
    """A second operator runs; the first is paused for longer than its Lease lasts, and goes on beside the second."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one part."""

    after: int
    """How many orders are placed before it."""
    kind: FaultKind
    part: str
    seconds: float
    """How long the part stays away."""

    def __str__(self) -> str:
        return f"{self.kind} {self.part}" + (f" for {self.seconds:.1f} s" if self.seconds else "")


# A plan shuffles the schedule, uses it up, shuffles it anew, and so on: even a short run meets all of these.
SCHEDULE: Final = (
    *((FaultKind.KILL, OPERATOR),) * 3,
    *((FaultKind.KILL, service) for service in SERVICES),
    (FaultKind.KILL, MONGOD),
    (FaultKind.KILL, APISERVER),
    (FaultKind.KILL, ETCD),
    (FaultKind.PAUSE, OPERATOR),
    (FaultKind.PAUSE, "a service"),
    (FaultKind.PAUSE, "a store"),
    (FaultKind.OUTAGE, "anything"),
    (FaultKind.CUT, CONNECTIONS),
    (FaultKind.FREEZE, CONNECTIONS),
    (FaultKind.JOIN, SECOND),
    (FaultKind.OVERLAP, SECOND),
)
ONE_OF: Final = {
    "a service": tuple(SERVICES),
    "a store": (MONGOD, APISERVER, ETCD),
    "anything": (*SERVICES, MONGOD, APISERVER, ETCD),
}
SECONDS: Final = {
    FaultKind.KILL: (0.05, 1.5),
    FaultKind.PAUSE: (0.3, 7.0),  # up to more than the 5 s that a call may take
    FaultKind.OUTAGE: (8.0, 18.0),  # until circuit breakers are open and short retry budgets are spent
    FaultKind.JOIN: (3.0, 9.0),
    FaultKind.OVERLAP: (7.0, 10.0),  # longer than the Lease lasts, which is short here (dev/chaos/random_faults.py)
}
SPACING: Final = 12
"""Orders between two faults, on average: with the default of 2,000 orders each part is killed about ten times."""


def make_faults(seed: int, orders: int) -> tuple[Fault, ...]:
    """The faults of a run with this number of orders, the last of them before the last order."""
    faults: list[Fault] = []
    schedule: list[tuple[FaultKind, str]] = []
    after = 3
    while after < orders:
        number = len(faults)
        schedule = schedule or shuffled(SCHEDULE, seed, "bag", number)
        kind, part = schedule.pop()
        if part in ONE_OF:
            part = ONE_OF[part][int(len(ONE_OF[part]) * draw(seed, "which", number))]
        faults.append(Fault(after, kind, part, between(*SECONDS.get(kind, (0, 0)), seed, "seconds", number)))
        after += 1 + round(2 * (SPACING - 1) * draw(seed, "spacing", number))
    return tuple(faults)
