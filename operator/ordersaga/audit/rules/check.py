"""The books of one order. Pure: everything that is on record of it goes in, what doesn't balance comes out.

    Completed     net captured is the total; its units reserved or dispatched; one live shipment; one order_confirmed
                  (none if it bounced, the contact is unknown or a person left it out)
    Compensated   net nothing, no units, no live shipment, no message
    always        in the ledgers at most one charge, one refund, one booking, one cancellation, one message of a type

and what the ledgers of the providers say is what the documents say.
"""

from collections.abc import Iterator
from dataclasses import replace

from ordersaga.audit.rules.effects import goods
from ordersaga.audit.rules.findings import Finding, Judgement, Verdict
from ordersaga.audit.rules.messages import messages
from ordersaga.audit.rules.money import money
from ordersaga.audit.rules.outcome import CONFIRMED, Ending, Fate, ending_of
from ordersaga.audit.rules.records import LEDGERS, Kind, Papers, Saga

STEP_OF = {"money": "payment", "units": "inventory", "shipment": "shipping"}
"""Which step's undo would have put these books right."""


def judge(papers: Papers, namespace: str) -> Judgement:
    """The books of one order."""
    ending = ending_of(papers)
    findings = list(findings_of(papers, ending, namespace))
    if (author := papers.author) is not None:
        findings = [_by_hand(finding, author) for finding in findings]
    if any(not finding.by_hand for finding in findings):
        verdict = Verdict.WRONG
    elif findings:
        verdict = Verdict.BY_HAND
    else:
        verdict = Verdict.OPEN if ending.fate is Fate.OPEN else Verdict.BALANCED
    saga = papers.saga
    since = saga.created if saga is not None and verdict is Verdict.OPEN else ""
    return Judgement(papers.order_id, verdict, tuple(findings), since, ending.fate is Fate.ABANDONED)


def findings_of(papers: Papers, ending: Ending, namespace: str) -> Iterator[Finding]:
    """What is wrong with an order that has ended in this way."""
    yield from _repeated(papers)
    match ending.fate:
        case Fate.OPEN:
            return
        case Fate.ABANDONED:
            yield _abandoned(papers, ending, namespace)
        case Fate.STUCK:
            yield _stuck(papers)
        case Fate.ALL | Fate.NOTHING:
            yield from _order(papers, ending)
            yield from money(papers, ending, namespace)
            yield from goods(papers, ending, namespace)
            yield from messages(papers, ending, namespace)


def _repeated(papers: Papers) -> Iterator[Finding]:
    """True at every moment of a saga: nothing happens twice out there."""
    kinds = {each.get("notification_type") for each in papers.of(Kind.NOTIFICATION)}
    for ledger in LEDGERS:
        allowed = max(1, len(kinds)) if ledger is Kind.MESSAGES else 1
        for kind, count in papers.entries(ledger).items():
            if count > allowed:
                yield Finding(
                    papers.order_id,
                    {Kind.CHARGES: "money", Kind.BOOKINGS: "shipment"}.get(ledger, "message"),
                    f"{count} entries {kind!r} in the {ledger}",
                    f"it happened {count} times outside: take back all but one at the provider, by hand; and report "
                    "this as an error of the service: its barrier was got round",
                )


def _abandoned(papers: Papers, ending: Ending, namespace: str) -> Finding:
    """A finalizer stripped by hand, or an etcd that was restored: nobody will ever finish this order by itself."""
    return Finding(
        papers.order_id,
        "saga",
        f"the order is {ending.known_by}, and there is no OrderSaga {papers.order_id} in namespace {namespace}",
        "re-apply the resource with the same content, from Git or from the order document (ordersaga audit --restore "
        "FOLDER writes it): the operator then finishes it, in whichever direction its door stands open",
    )


def _stuck(papers: Papers) -> Finding:
    saga = papers.saga
    steps = saga.steps.items() if saga is not None else ()
    stuck = "; ".join(
        f"{name}: {step.undo_reason or 'no reason given'}" + (f" ({step.undo_message})" if step.undo_message else "")
        for name, step in steps
        if step.state == "CompensationFailed"
    )
    return Finding(
        papers.order_id,
        "saga",
        f"Failed: undoing it is stuck at {stuck or 'an unknown step'}",
        "repair the cause, then set spec.intervention with action RetryNow; or undo it by hand, then MarkCompensated "
        "(docs/ordersaga.md, 'repair what is stuck')",
    )


def _order(papers: Papers, ending: Ending) -> Iterator[Finding]:
    """The order document says what the resource says. Who asks the document alone is answered by it."""
    if ending.by_document:
        return
    status = papers.order.get("status")
    expected = CONFIRMED if ending.fate is Fate.ALL else ("CANCELLED",)
    tombstone = bool(papers.of(Kind.ORDER)) or not papers.tombstones
    if status in expected or (status is None and ending.fate is Fate.NOTHING and tombstone):
        return
    yield Finding(
        papers.order_id,
        "order",
        f"{ending.known_by}, but the order is {status or 'missing'}",
        "one of the two was changed outside the saga (a restored database, an edit by hand): find out which of them "
        "the money and the goods follow, and correct the other",
    )


def _by_hand(finding: Finding, saga: Saga) -> Finding:
    step = STEP_OF.get(finding.books)
    if step is None or not saga.marked_by_hand(step):
        return finding
    advice = "nothing, if it was really done: a person marked it as undone by hand, which no database can prove"
    return replace(finding, by_hand=True, advice=advice)
