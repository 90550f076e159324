"""What a person reads at the end: a table of numbers, and for each violation the timeline of its order."""

from collections import Counter
from collections.abc import Iterator

from dev.chaos.checks import ObservedOrder, Violations
from dev.chaos.customers import FINAL_PHASES
from dev.chaos.network.calls import CallLog
from dev.chaos.plan.call_faults import CallFaultKind
from dev.chaos.system import System

AROUND = 3.0
"""Seconds before an order's first event and after its last one of which its timeline shows the faults of parts."""


def summary(log: CallLog, system: System, orders: dict[str, ObservedOrder], more: dict[str, str]) -> str:
    """The numbers of a run; `more` are rows of the scenario."""
    ends = Counter(observed.phase if observed.phase in FINAL_PHASES else "not ended" for observed in orders.values())
    kills = ", ".join(f"{count} {part}" for part, count in system.kills.most_common())
    kinds = ", ".join(
        f"{count} {kind}" for kind, count in log.call_faults.most_common() if kind is not CallFaultKind.NONE
    )
    rows = {
        **more,
        "sagas": f"{len(orders)} ({', '.join(f'{count} {end}' for end, count in sorted(ends.items()))})",
        "kills": f"{system.kills.total()} ({kills})",
        "other faults": f"{len(log.faults) - sum('kill -9' in text for _, text in log.faults)}",
        "restarted": ", ".join(f"{count} × {text}" for text, count in system.restarts.items()) or "no part",
        "calls": f"{sum(map(len, log.calls.values()))}, of which {log.repeated} were repetitions",
        "with a fault": f"{log.faulty} ({kinds})" if kinds else "none",
        "answers": _answers(log),
    }
    return "\n".join(f"  {name:<14}{text}" for name, text in rows.items())


def _answers(log: CallLog) -> str:
    """The answers of the services, the most frequent first."""
    counts = Counter(
        f"{status} {code}".rstrip() for calls in log.calls.values() for call in calls for status, code in call.answers()
    )
    return ", ".join(f"{count} × {answer}" for answer, count in counts.most_common())


def timeline(observed: ObservedOrder, log: CallLog) -> Iterator[str]:
    """Everything that happened to one order, in the order in which it happened."""
    order_id = observed.order.order_id
    own = [(call.at, str(call)) for call in observed.calls] + log.events.get(order_id, [])
    for call in observed.calls:
        late = (each for each in call.deliveries if each.at > call.at + 0.1)
        own += [(each.at, f"{call.step} {call.operation} #{call.number} arrived: {each}") for each in late]
    first, last = min((at for at, _ in own), default=0.0), max((at for at, _ in own), default=0.0)
    faults = [(at, f"*** {text}") for at, text in log.faults if first - AROUND < at < last + AROUND]
    kind = f"{observed.order.kind.name}, {observed.order.action}"
    yield f"{order_id} ({kind}{', by Kubernetes' if observed.order.by_kubernetes else ''}): {observed.phase}"
    yield f"    answers to the customer: {observed.promises}"
    for at, text in sorted(own + faults):
        yield f"    {at:9.3f}  {text}"
    yield f"    order   {observed.view and {key: observed.view[key] for key in ('status', 'reason')}}"
    yield f"    status  {(observed.resource or {}).get('status')}"


def violations(
    found: Violations, orders: dict[str, ObservedOrder], log: CallLog, most: int | None = None
) -> Iterator[str]:
    """Each violation, followed by the timeline of its order; of `most` orders only, if given."""
    for order_id, findings in list(found.by_order.items())[:most]:
        for finding in findings:
            yield f"VIOLATION {order_id or 'of the system'}: {finding}"
        if order_id in orders:
            yield from timeline(orders[order_id], log)
        yield ""
