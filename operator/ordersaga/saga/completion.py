"""What the shell offers after `kubectl saga …` and a tab.

kubectl asks a program `kubectl_complete-saga` in PATH, with the words so far; it answers a candidate a line and then,
as Cobra's completions do, a directive: 4, which means that no files are offered (kubectl 1.26 and newer).
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from ordersaga.phases import Phase
from ordersaga.saga.access import AccessError, read_access
from ordersaga.saga.cluster import Cluster, ClusterError
from ordersaga.saga.command import parser
from ordersaga.saga.record import STEPS

NO_FILES: Final = ":4"
OFFERED: Final = 500
"""Orders that are offered: the first page of them."""
VALUES: Final = {"--phase": tuple(map(str, Phase)), "--step": STEPS}


def main() -> int:
    """Answer kubectl; never an error, which would be printed into what is being typed."""
    words = sys.argv[1:]
    for candidate in sorted(set(candidates(words, _orders))):
        sys.stdout.write(f"{candidate}\n")
    sys.stdout.write(f"{NO_FILES}\n")
    return 0


def candidates(words: Sequence[str], orders: Callable[[Sequence[str]], Iterator[str]]) -> Iterator[str]:
    """What may follow: `words` are those so far, the last of them begun (it may be empty)."""
    begun = words[-1] if words else ""
    yield from (each for each in _possible(words[:-1], begun, orders) if each.startswith(begun))


def _possible(before: Sequence[str], begun: str, orders: Callable[[Sequence[str]], Iterator[str]]) -> Iterator[str]:
    made = parser()
    commands = next(a for a in made._actions if isinstance(a, argparse._SubParsersAction)).choices
    named = next((word for word in before if word in commands), None)
    options = {
        name: action for action in (commands[named] if named else made)._actions for name in action.option_strings
    }
    last = options.get(before[-1]) if before else None
    if last is not None and last.nargs != 0:
        yield from map(str, last.choices or VALUES.get(before[-1], ()))
    elif begun.startswith("-"):
        yield from options
    elif named is None:
        yield from commands
    else:
        yield from _positional(commands[named], before[before.index(named) + 1 :], options, orders)


def _positional(
    command: argparse.ArgumentParser,
    given: Sequence[str],
    options: dict[str, argparse.Action],
    orders: Callable[[Sequence[str]], Iterator[str]],
) -> Iterator[str]:
    free = [
        word
        for position, word in enumerate(given)
        if not word.startswith("-") and not (position and _takes_value(options.get(given[position - 1])))
    ]
    places = [action for action in command._actions if not action.option_strings]
    if len(free) >= len(places):
        return
    place = places[len(free)]
    yield from orders(given) if place.dest == "order" else map(str, place.choices or ())


def _takes_value(option: argparse.Action | None) -> bool:
    return option is not None and option.nargs != 0


def _orders(words: Sequence[str]) -> Iterator[str]:
    """The names of open sagas where these words ask for them."""
    chosen, _ = _context().parse_known_args(words)
    try:
        with Cluster(read_access(chosen.kubeconfig, chosen.context, chosen.namespace)) as cluster:
            open_ones = {"fieldSelector": "status.phase!=Completed,status.phase!=Compensated", "limit": str(OFFERED)}
            for item in cluster.get(cluster.sagas(), open_ones)["items"]:
                yield item["metadata"]["name"]
    except (AccessError, ClusterError):
        return


def _context() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    made.add_argument("-n", "--namespace")
    made.add_argument("--context")
    made.add_argument("--kubeconfig")
    return made
