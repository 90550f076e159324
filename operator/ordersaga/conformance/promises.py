"""The kit: all claims, and the run of some of them against one participant."""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

import httpx

from ordersaga.conformance import headers, races, sequences
from ordersaga.conformance.claims import Claim
from ordersaga.conformance.exchange import Exchange
from ordersaga.conformance.subject import Subject
from ordersaga.conformance.trial import BrokenError, Trial, new_run

CLAIMS: tuple[Claim, ...] = (*sequences.CLAIMS, *races.CLAIMS, *headers.CLAIMS)
"""In the order in which an author repairs them: what comes later often follows from what comes first."""


class Outcome(StrEnum):
    """What became of a claim."""

    KEPT = "kept"
    BROKEN = "BROKEN"
    NOT_TRIED = "not tried"


@dataclass(frozen=True)
class Result:
    """A claim that was tried, or not: `message` says what is broken, or what would be needed to try it."""

    claim: Claim
    outcome: Outcome
    message: str = ""
    timeline: Sequence[Exchange] = ()


async def try_claim(claim: Claim, trial: Trial) -> Result:
    """Find out whether it is kept."""
    if missing := claim.why_not(trial.subject):
        return Result(claim, Outcome.NOT_TRIED, missing)
    try:
        await claim.check(trial)
    except BrokenError as broken:
        return Result(claim, Outcome.BROKEN, str(broken), tuple(trial.timeline))
    return Result(claim, Outcome.KEPT, timeline=tuple(trial.timeline))


async def try_all(
    subject: Subject,
    replicas: Sequence[httpx.AsyncClient],
    *,
    only: Collection[str] = (),
    rounds: int = 5,
    longest_pause: float = 1.0,
) -> AsyncIterator[Result]:
    """One result for each claim (those named in `only`, or all), each with order ids of its own."""
    run = new_run()
    for number, claim in enumerate(CLAIMS):
        if not only or claim.name in only:
            trial = Trial(subject, replicas, run=f"{run}-{number}", rounds=rounds, longest_pause=longest_pause)
            yield await try_claim(claim, trial)
