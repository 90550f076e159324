"""The check of one order: which outcome is expected, and everything in its records that contradicts it."""

from collections.abc import Iterator
from dataclasses import replace

from ordersaga.audit.rules.effects import message_findings, money_findings, shipment_findings, unit_findings
from ordersaga.audit.rules.outcome import (
    CONFIRMED,
    CheckedOrder,
    ExpectedOutcome,
    Finding,
    Outcome,
    Verdict,
    outcome_of,
)
from ordersaga.audit.rules.records import LEDGERS, OrderRecords, RecordedSaga, RecordKind

STEP_OF = {"money": "payment", "units": "inventory", "shipment": "shipping"}
"""Area of a finding → the step whose undo would have put it right."""


def check(records: OrderRecords, namespace: str) -> CheckedOrder:
    """The verdict on one order. `namespace` is that of its resource: the advice names it."""
    outcome = outcome_of(records)
    findings = list(findings_of(records, outcome, namespace))
    if (author := records.author) is not None:
        findings = [_by_hand(finding, author) for finding in findings]
    if any(not finding.by_hand for finding in findings):
        verdict = Verdict.WRONG
    elif findings:
        verdict = Verdict.BY_HAND
    else:
        verdict = Verdict.OPEN if outcome.expected is ExpectedOutcome.OPEN else Verdict.BALANCED
    saga = records.saga
    since = saga.created if saga is not None and verdict is Verdict.OPEN else ""
    abandoned = outcome.expected is ExpectedOutcome.ABANDONED
    return CheckedOrder(records.order_id, verdict, tuple(findings), since, abandoned)


def findings_of(records: OrderRecords, outcome: Outcome, namespace: str) -> Iterator[Finding]:
    """Everything in the records that contradicts this outcome."""
    yield from _repeated_effects(records)
    match outcome.expected:
        case ExpectedOutcome.OPEN:
            return
        case ExpectedOutcome.ABANDONED:
            yield _abandoned(records, outcome, namespace)
        case ExpectedOutcome.STUCK:
            yield _stuck(records)
        case ExpectedOutcome.ALL | ExpectedOutcome.NOTHING:
            yield from _order_findings(records, outcome)
            yield from money_findings(records, outcome, namespace)
            yield from unit_findings(records, outcome, namespace)
            yield from shipment_findings(records, outcome, namespace)
            yield from message_findings(records, outcome, namespace)


def _repeated_effects(records: OrderRecords) -> Iterator[Finding]:
    """A wrong at every moment of a saga: an effect that happened twice at a provider."""
    types = {each.get("notification_type") for each in records.of(RecordKind.NOTIFICATION)}
    for ledger in LEDGERS:
        allowed = max(1, len(types)) if ledger is RecordKind.MESSAGES else 1
        for kind, count in records.entries(ledger).items():
            if count > allowed:
                yield Finding(
                    records.order_id,
                    {RecordKind.CHARGES: "money", RecordKind.BOOKINGS: "shipment"}.get(ledger, "message"),
                    f"{count} entries {kind!r} in the {ledger}",
                    f"it happened {count} times at the provider: take back all but one there, by hand; and report this "
                    "as an error of the service, since its barrier was bypassed",
                )


def _abandoned(records: OrderRecords, outcome: Outcome, namespace: str) -> Finding:
    """A finalizer was removed by hand, or an etcd was restored: the operator doesn't know of this order."""
    return Finding(
        records.order_id,
        "saga",
        f"the order is {outcome.known_by}, and there is no OrderSaga {records.order_id} in namespace {namespace}",
        "re-apply the resource with the same content, from Git or from the order document (ordersaga audit --restore "
        "FOLDER writes it): the operator then finishes it, forward or, if the order was rejected, by undoing it",
    )


def _stuck(records: OrderRecords) -> Finding:
    saga = records.saga
    steps = list(saga.steps.items()) if saga is not None else []
    stuck = "; ".join(
        f"{name}: {step.undo_reason or 'no reason given'}" + (f" ({step.undo_message})" if step.undo_message else "")
        for name, step in steps
        if step.state == "CompensationFailed"
    )
    if saga is not None and not stuck and (refused := [n for n, s in steps if s.state == "Refused"]):
        return Finding(
            records.order_id,
            "saga",
            f"Failed: {', '.join(refused)} was refused after somebody had confirmed the order",
            "set spec.intervention with action RetryNow once that has been dealt with, or Skip "
            "(docs/ordersaga.md, 'repair what is stuck')",
        )
    return Finding(
        records.order_id,
        "saga",
        f"Failed: undoing it is stuck at {stuck or 'an unknown step'}",
        "repair the cause, then set spec.intervention with action RetryNow; or undo it by hand, then MarkCompensated "
        "(docs/ordersaga.md, 'repair what is stuck')",
    )


def _order_findings(records: OrderRecords, outcome: Outcome) -> Iterator[Finding]:
    """The order document has to say what the resource says: clients may read either."""
    if outcome.by_document:
        return
    status = records.order.get("status")
    expected = CONFIRMED if outcome.expected is ExpectedOutcome.ALL else ("CANCELLED",)
    tombstone = bool(records.of(RecordKind.ORDER)) or not records.tombstones
    if status in expected or (status is None and outcome.expected is ExpectedOutcome.NOTHING and tombstone):
        return
    yield Finding(
        records.order_id,
        "order",
        f"{outcome.known_by}, but the order is {status or 'missing'}",
        "one of the two was changed outside the saga (a restored database, an edit by hand): find out which of them "
        "the money and the goods agree with, and correct the other",
    )


def _by_hand(finding: Finding, saga: RecordedSaga) -> Finding:
    step = STEP_OF.get(finding.area)
    if step is None or not (saga.marked_by_hand(step) or saga.skipped_by_hand(step)):
        return finding
    did = "marked it as undone" if saga.marked_by_hand(step) else "left it out"
    advice = f"nothing, if it was really dealt with: a person {did} by hand, which no record can prove"
    return replace(finding, by_hand=True, advice=advice)
