"""The books of money: what was captured and given back, here and in the provider's ledger. Minor units."""

from collections.abc import Iterator

from ordersaga.audit.rules.findings import Finding
from ordersaga.audit.rules.outcome import Ending, Fate
from ordersaga.audit.rules.records import Kind, Papers

SIGNS = {"charge": 1, "refund": -1}


def money(papers: Papers, ending: Ending, namespace: str) -> Iterator[Finding]:
    """Completed: net captured is the order's total. Compensated: nothing is."""
    total = papers.total_minor if ending.fate is Fate.ALL else 0
    payments = papers.of(Kind.PAYMENT)
    net = sum(each.get("captured_minor", 0) - each.get("refunded_minor", 0) for each in payments)
    advice = _advice(papers.order_id, namespace, too_much=net > total)
    if net != total:
        shown = ", ".join(_shown(each) for each in payments) or "there is no payment"
        yield _finding(papers, f"{ending.known_by}, but net captured {net} instead of {total} ({shown})", advice)
    elif ending.fate is Fate.NOTHING:
        for each in payments:
            if each.get("status") in ("processing", "refunding"):
                yield _finding(papers, f"{ending.known_by}, but {_shown(each)}: nobody waits for it", advice)
    if ending.fate is Fate.ALL:
        for each in payments:
            if each.get("currency") != papers.order.get("currency"):
                what = f"paid in {each.get('currency')}, ordered in {papers.order.get('currency')}"
                yield _finding(papers, what, "refund the customer and charge in the right currency by hand")
    if Kind.CHARGES in papers.ledgers:
        outside = sum(SIGNS.get(entry["kind"], 0) * entry["amount_minor"] for entry in papers.of(Kind.CHARGES))
        if outside != total:
            what = f"{ending.known_by}, but the provider's ledger says {outside} instead of {total}"
            yield _finding(papers, what, _advice(papers.order_id, namespace, too_much=outside > total))


def _shown(payment: object) -> str:
    assert isinstance(payment, dict)  # noqa: S101
    reason = f" ({payment['reason']})" if payment.get("reason") else ""
    return f"the payment is {payment.get('status')}{reason}"


def _advice(order_id: str, namespace: str, *, too_much: bool) -> str:
    if too_much:
        return (
            f"give it back: POST /api/payments/refund with Idempotency-Key {namespace}/{order_id}/payment/undo; if "
            "that answers that it is done already, correct it at the provider"
        )
    return "money is missing: look at the provider's account; charge the customer again by hand, or take the goods back"


def _finding(papers: Papers, what: str, advice: str) -> Finding:
    return Finding(papers.order_id, "money", what, advice)
