"""What is done to the parts of the system, and when: a pure function of the seed.

A strike comes when so many orders have been placed: a slow machine meets the same plan as a fast one.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from common.services import SERVICES
from dev.chaos.plan.seeded import between, draw, shuffled

OPERATOR, SECOND, MONGOD, APISERVER, ETCD = "operator", "second operator", "mongod", "kube-apiserver", "etcd"
CONNECTIONS = "connections to the API server"


class Blow(StrEnum):
    """What happens to a part."""

    KILL = "kill -9"
    PAUSE = "pause"
    """SIGSTOP, and SIGCONT after `seconds`."""
    JOIN = "join"
    """A second operator runs for `seconds` and is then told to stop."""
    OUTAGE = "long outage"
    """kill -9, and a long time until it comes back."""
    CUT = "cut"
    """All connections to the API server are closed."""
    FREEZE = "freeze"
    """Nothing comes through the present connections to the API server any more, watches included; nobody is told."""
    OVERLAP = "overlap"
    """A second operator runs; the first is paused for longer than its Lease lasts, and goes on beside the second."""


@dataclass(frozen=True)
class Strike:
    """One strike. `seconds`: how long the part stays away."""

    after: int
    """Orders placed before."""
    blow: Blow
    part: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.blow} {self.part}" + (f" for {self.seconds:.1f} s" if self.seconds else "")


# One bag of strikes after the other, each shuffled: even a short run meets all of them.
BAG: Final = (
    *((Blow.KILL, OPERATOR),) * 3,
    *((Blow.KILL, service) for service in SERVICES),
    (Blow.KILL, MONGOD),
    (Blow.KILL, APISERVER),
    (Blow.KILL, ETCD),
    (Blow.PAUSE, OPERATOR),
    (Blow.PAUSE, "a service"),
    (Blow.PAUSE, "a store"),
    (Blow.OUTAGE, "anything"),
    (Blow.CUT, CONNECTIONS),
    (Blow.FREEZE, CONNECTIONS),
    (Blow.JOIN, SECOND),
    (Blow.OVERLAP, SECOND),
)
ONE_OF: Final = {
    "a service": tuple(SERVICES),
    "a store": (MONGOD, APISERVER, ETCD),
    "anything": (*SERVICES, MONGOD, APISERVER, ETCD),
}
SECONDS: Final = {
    Blow.KILL: (0.05, 1.5),
    Blow.PAUSE: (0.3, 7.0),  # up to more than the 5 s that a call may take
    Blow.OUTAGE: (8.0, 18.0),  # until the breakers are open and short retry budgets are spent
    Blow.JOIN: (3.0, 9.0),
    Blow.OVERLAP: (7.0, 10.0),  # longer than the Lease lasts, which is short here (dev/chaos/system.py)
}
SPACING: Final = 12
"""Orders between two strikes: with the default of 2,000 orders each part is killed about ten times."""


def make_strikes(seed: int, orders: int) -> tuple[Strike, ...]:
    """The strikes of a run with so many orders, the last one before the last order."""
    strikes: list[Strike] = []
    bag: list[tuple[Blow, str]] = []
    after = 3
    while after < orders:
        number = len(strikes)
        bag = bag or shuffled(BAG, seed, "bag", number)
        blow, part = bag.pop()
        if part in ONE_OF:
            part = ONE_OF[part][int(len(ONE_OF[part]) * draw(seed, "which", number))]
        strikes.append(Strike(after, blow, part, between(*SECONDS.get(blow, (0, 0)), seed, "seconds", number)))
        after += 1 + round(2 * (SPACING - 1) * draw(seed, "spacing", number))
    return tuple(strikes)
