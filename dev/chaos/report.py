"""What a person reads at the end: one paragraph, and for each violation the timeline of its order."""

from collections import Counter
from collections.abc import Iterator

from dev.chaos.checks import Outcome, Verdict
from dev.chaos.customers import FINAL_PHASES
from dev.chaos.network.calls import History
from dev.chaos.plan.plan import Plan
from dev.chaos.system import System

AROUND = 3.0
"""Seconds before and after an order's own events in which strikes are shown in its timeline."""


def summary(plan: Plan, history: History, system: System, outcomes: dict[str, Outcome], seconds: float) -> str:
    """The numbers of a run."""
    ends = Counter(outcome.phase if outcome.phase in FINAL_PHASES else "not ended" for outcome in outcomes.values())
    kills = ", ".join(f"{count} {part}" for part, count in system.kills.most_common())
    troubles = ", ".join(f"{count} {trouble}" for trouble, count in history.troubles.most_common() if trouble != "-")
    rows = {
        "seed": f"{plan.seed}",
        "sagas": f"{len(outcomes)} ({', '.join(f'{count} {end}' for end, count in sorted(ends.items()))})",
        "kills": f"{system.kills.total()} ({kills})",
        "other strikes": f"{len(history.strikes) - sum('kill -9' in text for _, text in history.strikes)}",
        "gave way": ", ".join(f"{count} × {text}" for text, count in system.restarts.items()) or "nobody",
        "calls": f"{sum(map(len, history.calls.values()))}, of which {history.repeated} were repetitions",
        "disturbed": f"{history.disturbed} ({troubles})",
        "answers": _answers(history),
        "duration": f"{seconds:.0f} s",
    }
    return "\n".join(f"  {name:<14}{text}" for name, text in rows.items())


def _answers(history: History) -> str:
    """What the services said, the most frequent first."""
    counts = Counter(
        f"{status} {code}".rstrip()
        for calls in history.calls.values()
        for call in calls
        for status, code in call.answers()
    )
    return ", ".join(f"{count} × {answer}" for answer, count in counts.most_common())


def timeline(outcome: Outcome, history: History) -> Iterator[str]:
    """Everything that happened to one order, in the order in which it happened."""
    order_id = outcome.order.order_id
    own = [(call.at, str(call)) for call in outcome.calls] + history.events.get(order_id, [])
    for call in outcome.calls:
        late = (each for each in call.deliveries if each.at > call.at + 0.1)
        own += [(each.at, f"{call.step} {call.operation} #{call.number} arrived late: {each}") for each in late]
    first, last = min((at for at, _ in own), default=0.0), max((at for at, _ in own), default=0.0)
    strikes = [(at, f"*** {text}") for at, text in history.strikes if first - AROUND < at < last + AROUND]
    kind = f"{outcome.order.kind.name}, {outcome.order.meddling}"
    yield f"{order_id} ({kind}{', by Kubernetes' if outcome.order.by_kubernetes else ''}): {outcome.phase}"
    yield f"    customers were told {outcome.promises}"
    for at, text in sorted(own + strikes):
        yield f"    {at:9.3f}  {text}"
    yield f"    order   {outcome.view and {key: outcome.view[key] for key in ('status', 'reason')}}"
    yield f"    status  {(outcome.resource or {}).get('status')}"


def violations(
    verdict: Verdict, outcomes: dict[str, Outcome], history: History, most: int | None = None
) -> Iterator[str]:
    """Each violation, followed by the timeline of its order; of at most so many orders."""
    for order_id, findings in list(verdict.violations.items())[:most]:
        for finding in findings:
            yield f"VIOLATION {order_id or 'of the whole'}: {finding}"
        if order_id in outcomes:
            yield from timeline(outcomes[order_id], history)
        yield ""
