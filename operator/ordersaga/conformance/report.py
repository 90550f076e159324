"""What came of a run: for the participant's author, or as JSON for machines."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import TextIO

from ordersaga.conformance.exchange import Exchange
from ordersaga.conformance.promises import Outcome, Result

SHOWN = 14
"""Requests of a timeline that are shown: those of the order that broke the claim."""
_MARKS = {Outcome.KEPT: "ok", Outcome.BROKEN: "BROKEN", Outcome.NOT_TRIED: "-"}


def told(result: Result) -> list[str]:
    """One claim's lines."""
    claim = result.claim
    lines = [f"{_MARKS[result.outcome]:<7} {claim.name:<18} {claim.promise}"]
    if result.outcome is Outcome.NOT_TRIED:
        lines.append(f"{'':<27}({result.message})")
    if result.outcome is Outcome.BROKEN:
        lines += [f"{'':<8}what:     {result.message}", f"{'':<8}because:  {claim.because}", f"{'':<8}timeline:"]
        lines += [f"{'':<8}{line}" for exchange in decisive(result.timeline) for line in exchange.lines()]
    return lines


def decisive(timeline: Sequence[Exchange]) -> Sequence[Exchange]:
    """The exchanges that broke the claim: those of its last order, if there were many."""
    if len(timeline) <= SHOWN:
        return timeline
    last = timeline[-1].order_id
    return [exchange for exchange in timeline if exchange.order_id == last][-SHOWN:]


def print_end(out: TextIO, results: Sequence[Result]) -> None:
    """The sums, and what to do."""
    counts = Counter(result.outcome for result in results)
    out.write(f"\n{', '.join(f'{counts[outcome]} {outcome.lower()}' for outcome in Outcome)}\n")
    broken = [result.claim.name for result in results if result.outcome is Outcome.BROKEN]
    if broken:
        out.write(
            f"start with {broken[0]}: what is broken below it often follows from it; docs/participants.md says what "
            f"each claim asks for. Try it alone: --only {broken[0]}\n"
        )


def print_json(out: TextIO, results: Sequence[Result]) -> None:
    """Everything, with the timelines of what is broken."""
    document = {
        "conforms": all(result.outcome is not Outcome.BROKEN for result in results),
        "claims": [
            {
                "name": result.claim.name,
                "promise": result.claim.promise,
                "outcome": result.outcome.lower().replace(" ", "_"),
                "message": result.message,
                "timeline": [exchange.to_json() for exchange in decisive(result.timeline)]
                if result.outcome is Outcome.BROKEN
                else [],
            }
            for result in results
        ],
    }
    out.write(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
