"""Randomness that repeats: each draw is a hash of the seed and of words that say what it is for.

So the order of the draws doesn't matter: two runs with one seed make the same decision about the same call, however
differently their calls interleave. The words are part of the plan: a draw for other words is another draw.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


def draw(*what: object) -> float:
    """A number in [0, 1) that belongs to these words."""
    digest = hashlib.blake2b("/".join(map(str, what)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def between(low: float, high: float, *what: object) -> float:
    """A number in [low, high), rounded to three decimals so that people can read a plan."""
    return round(low + (high - low) * draw(*what), 3)


def weighted(weights: Mapping[T, float], *what: object) -> T:
    """One of the keys; the chance of each is its weight's share of the sum."""
    rest = draw(*what) * sum(weights.values())
    for option, weight in weights.items():
        rest -= weight
        if rest < 0:
            return option
    return option  # rounding


def shuffled(options: Sequence[T], *what: object) -> list[T]:
    """The options in another order."""
    numbered = sorted(enumerate(options), key=lambda each: draw(*what, each[0]))
    return [option for _, option in numbered]
