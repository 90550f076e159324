"""The report of a run: lines for the participant's author, or one JSON document."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import TextIO

from ordersaga.conformance.exchange import Exchange
from ordersaga.conformance.promises import Conformity, Result

SHOWN = 14
"""The most requests of a timeline that are shown: the last ones of the order that broke the promise."""
_MARKS = {Conformity.KEPT: "ok", Conformity.BROKEN: "BROKEN", Conformity.NOT_TRIED: "-"}


def lines_of(result: Result) -> list[str]:
    """The lines on one promise: more than one if it is broken, or was not tried."""
    promise = result.promise
    lines = [f"{_MARKS[result.outcome]:<7} {promise.name:<18} {promise.text}"]
    if result.outcome is Conformity.NOT_TRIED:
        lines.append(f"{'':<27}({result.message})")
    if result.outcome is Conformity.BROKEN:
        lines += [f"{'':<8}what:     {result.message}", f"{'':<8}because:  {promise.because}", f"{'':<8}timeline:"]
        lines += [f"{'':<8}{line}" for exchange in decisive(result.timeline) for line in exchange.lines()]
    return lines


def decisive(timeline: Sequence[Exchange]) -> Sequence[Exchange]:
    """The exchanges that broke the promise: those of the last order, if there were many."""
    if len(timeline) <= SHOWN:
        return timeline
    last = timeline[-1].order_id
    return [exchange for exchange in timeline if exchange.order_id == last][-SHOWN:]


def print_end(out: TextIO, results: Sequence[Result]) -> None:
    """Write the numbers, and what to do."""
    counts = Counter(result.outcome for result in results)
    out.write(f"\n{', '.join(f'{counts[outcome]} {outcome.lower()}' for outcome in Conformity)}\n")
    broken = [result.promise.name for result in results if result.outcome is Conformity.BROKEN]
    if broken:
        out.write(
            f"start with {broken[0]}: what is broken below it often follows from it; docs/participants.md has "
            f"the protocol. Try this promise alone: --only {broken[0]}\n"
        )


def print_json(out: TextIO, results: Sequence[Result]) -> None:
    """Write one JSON document, with the timelines of broken promises. Its names are part of the command's interface."""
    document = {
        "conforms": all(result.outcome is not Conformity.BROKEN for result in results),
        "claims": [
            {
                "name": result.promise.name,
                "promise": result.promise.text,
                "outcome": result.outcome.lower().replace(" ", "_"),
                "message": result.message,
                "timeline": [exchange.to_json() for exchange in decisive(result.timeline)]
                if result.outcome is Conformity.BROKEN
                else [],
            }
            for result in results
        ],
    }
    out.write(json.dumps(document, indent=1) + "\n")
