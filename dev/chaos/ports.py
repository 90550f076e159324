"""Ports for a stack whose parts come and go."""

import random

from dev.errors import StackError
from dev.ports import in_use

# Below 32768, where Linux takes the ports of outgoing connections from: while a part is dead, its port must not become
# the local end of somebody's connection, or the part can't come back.
LOWEST, HIGHEST = 20_000, 32_000


def quiet_ports(count: int) -> list[int]:
    """So many ports of 127.0.0.1 that nobody listens on. Raises StackError when there aren't as many."""
    candidates = random.SystemRandom().sample(range(LOWEST, HIGHEST), 20 * count)
    found = [port for port in candidates if not in_use(port)][:count]
    if len(found) < count:
        raise StackError(f"there are no {count} free ports between {LOWEST} and {HIGHEST}")
    return found
