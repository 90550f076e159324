"""The rules of the books, by tables: what is wrong is named, what is right is not."""

import pytest

from ordersaga.audit.rules.check import judge
from ordersaga.audit.rules.findings import Verdict
from ordersaga.audit.rules.records import Kind
from ordersaga.audit.rules.stock import stock
from tests.cli.orders import COMPENSATED, COMPLETED, Change, Records, add, lose, papers, put, saga, step, story

BALANCED: list[tuple[str, Records, list[Change]]] = [
    ("all of it happened", COMPLETED, []),
    ("none of it is left", COMPENSATED, []),
    ("the resource went after its time to live", COMPLETED, [lose(Kind.SAGA)]),
    ("and so did a cancelled one", COMPENSATED, [lose(Kind.SAGA)]),
    ("it is on its way", COMPLETED, [put(Kind.ORDER, status="SHIPPED"), put(Kind.SHIPMENT, status="in_transit")]),
    ("its units have left", COMPLETED, [put(Kind.RESERVATION, status="dispatched")]),
    (
        "the message bounced",
        COMPLETED,
        [put(Kind.NOTIFICATION, status="failed", reason="bounced"), lose(Kind.MESSAGES)],
    ),
    (
        "nobody knows the contact",
        COMPLETED,
        [put(Kind.NOTIFICATION, status="failed", reason="contact_unknown"), lose(Kind.MESSAGES)],
    ),
    (
        "a person skipped the message",
        COMPLETED,
        [
            saga("Completed", steps=[step("notification", "Skipped", reason="SkippedByHand")]),
            lose(Kind.NOTIFICATION, Kind.MESSAGES),
        ],
    ),
    (
        "a person skipped the message, and the resource is gone",
        COMPLETED,
        [
            story("Completed", steps=[step("notification", "Skipped", reason="SkippedByHand")]),
            lose(Kind.NOTIFICATION, Kind.MESSAGES),
        ],
    ),
    (
        "a person cancelled the message before it was asked for: a tombstone",
        COMPLETED,
        [lambda records: records[Kind.NOTIFICATION][0].clear(), lose(Kind.MESSAGES)],
    ),
    (
        "the customer was told of something else, too",
        COMPLETED,
        [
            add(Kind.NOTIFICATION, status="sent", notification_type="order_cancelled"),
            add(Kind.MESSAGES, kind="message"),
        ],
    ),
    (
        "declined",
        COMPENSATED,
        [put(Kind.PAYMENT, status="declined", captured_minor=0, refunded_minor=0), lose(Kind.CHARGES)],
    ),
    (
        "refused at once: nothing but the closed door",
        {Kind.SAGA: COMPENSATED[Kind.SAGA], Kind.ORDER: COMPENSATED[Kind.ORDER]},
        [],
    ),
    ("a tombstone of an order that never was", {Kind.ORDER: [{"reason": None}]}, []),
    ("tombstones at a participant alone", {Kind.PAYMENT: [{}], Kind.RESERVATION: [{}], Kind.SHIPMENT: [{}]}, []),
    (
        "another order's id: that order is complete",
        COMPLETED,
        [saga("Compensated", failure={"step": "order", "reason": "OrderIDUsed"})],
    ),
]  # fmt: skip

STUCK = step("payment", "CompensationFailed", compensation={"reason": "RefundFailed", "message": "no"})
WRONG: list[tuple[str, Records, list[Change], list[str]]] = [
    ("paid too little", COMPLETED, [put(Kind.PAYMENT, captured_minor=2400)],
     ["money: Completed, but net captured 2400 instead of 2500 (the payment is captured)"]),
    ("not paid at all", COMPLETED, [lose(Kind.PAYMENT, Kind.CHARGES)],
     ["money: Completed, but net captured 0 instead of 2500 (there is no payment)",
      "money: Completed, but the provider's ledger says 0 instead of 2500"]),
    ("given back, and sent", COMPLETED, [add(Kind.CHARGES, kind="refund", amount_minor=2500)],
     ["money: Completed, but the provider's ledger says 0 instead of 2500"]),
    ("charged twice", COMPLETED, [add(Kind.CHARGES, kind="charge", amount_minor=2500)],
     ["money: 2 entries 'charge' in the payment ledger",
      "money: Completed, but the provider's ledger says 5000 instead of 2500"]),
    ("another currency", COMPLETED, [put(Kind.PAYMENT, currency="JPY")], ["money: paid in JPY, ordered in EUR"]),
    ("not given back", COMPENSATED, [put(Kind.PAYMENT, status="captured", refunded_minor=0)],
     ["money: Compensated, but net captured 2500 instead of 0 (the payment is captured)"]),
    ("refunded twice", COMPENSATED, [add(Kind.CHARGES, kind="refund", amount_minor=2500)],
     ["money: 2 entries 'refund' in the payment ledger",
      "money: Compensated, but the provider's ledger says -2500 instead of 0"]),
    ("nobody waits for the settlement", COMPENSATED,
     [put(Kind.PAYMENT, status="processing", captured_minor=0, refunded_minor=0), lose(Kind.CHARGES)],
     ["money: Compensated, but the payment is processing: nobody waits for it"]),
    ("no parcel", COMPLETED, [lose(Kind.SHIPMENT)], ["shipment: Completed, but 0 live shipments instead of 1"]),
    ("a parcel for nobody", COMPENSATED, [put(Kind.SHIPMENT, status="scheduled")],
     ["shipment: Compensated, but 1 live shipments instead of 0"]),
    ("booked and never cancelled", COMPENSATED, [lambda records: records[Kind.BOOKINGS].pop()],
     ["shipment: Compensated, but the carrier's ledger has 1 live bookings instead of 0"]),
    ("booked twice", COMPLETED, [add(Kind.BOOKINGS, kind="booking")],
     ["shipment: 2 entries 'booking' in the shipping ledger",
      "shipment: Completed, but the carrier's ledger has 2 live bookings instead of 1"]),
    ("no message", COMPLETED, [lose(Kind.NOTIFICATION, Kind.MESSAGES)],
     ["message: Completed, but 0 messages instead of 1"]),
    ("a message that is stuck", COMPLETED, [put(Kind.NOTIFICATION, status="sending"), lose(Kind.MESSAGES)],
     ["message: Completed, but 0 messages instead of 1 (it is sending)"]),
    ("told of a confirmation that wasn't", COMPENSATED,
     [add(Kind.NOTIFICATION, status="sent"), add(Kind.MESSAGES, kind="message")],
     ["message: Compensated, but 1 messages instead of 0"]),
    ("told twice", COMPLETED, [add(Kind.MESSAGES, kind="message")],
     ["message: 2 entries 'message' in the notification ledger",
      "message: the provider's ledger has 2 messages, 1 are recorded as sent"]),
    ("no units", COMPLETED, [put(Kind.RESERVATION, status="released")],
     ["units: Completed, but holds {} instead of {'p-mug': 2}"]),
    ("too few units", COMPLETED, [put(Kind.RESERVATION, lines=[{"product_id": "p-mug", "quantity": 1}])],
     ["units: Completed, but holds {'p-mug': 1} instead of {'p-mug': 2}"]),
    ("units that nobody gets", COMPENSATED, [put(Kind.RESERVATION, status="reserved")],
     ["units: Compensated, but holds {'p-mug': 2} instead of {}"]),
    ("the order says otherwise", COMPENSATED, [put(Kind.ORDER, status="PENDING")],
     ["order: Compensated, but the order is PENDING"]),
    ("the order is lost", {Kind.SAGA: COMPENSATED[Kind.SAGA]}, [], ["order: Compensated, but the order is missing"]),
    ("money of no order", {Kind.PAYMENT: COMPLETED[Kind.PAYMENT], Kind.CHARGES: COMPLETED[Kind.CHARGES]}, [],
     ["money: there is no such order, but net captured 2500 instead of 0 (the payment is captured)",
      "money: there is no such order, but the provider's ledger says 2500 instead of 0"]),
    ("nobody works on it", COMPLETED, [lose(Kind.SAGA), put(Kind.ORDER, status="PENDING")],
     ["saga: the order is PENDING, and there is no OrderSaga o-1 in namespace shop"]),
    ("nobody undoes it", COMPLETED, [lose(Kind.SAGA), put(Kind.ORDER, status="CANCELLING")],
     ["saga: the order is CANCELLING, and there is no OrderSaga o-1 in namespace shop"]),
    ("an undo is stuck", COMPLETED, [saga("Failed", steps=[STUCK])],
     ["saga: Failed: undoing it is stuck at payment: RefundFailed (no)"]),
    ("open, and charged twice", COMPLETED, [saga("Running"), add(Kind.CHARGES, kind="charge", amount_minor=2500)],
     ["money: 2 entries 'charge' in the payment ledger"]),
]  # fmt: skip


@pytest.mark.parametrize(("records", "changes"), [row[1:] for row in BALANCED], ids=[row[0] for row in BALANCED])
def test_what_is_right_balances(records: Records, changes: list[Change]) -> None:
    judgement = judge(papers(records, *changes), "shop")
    assert (judgement.verdict, judgement.findings) == (Verdict.BALANCED, ())


@pytest.mark.parametrize(("records", "changes", "said"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_what_is_wrong_is_named_with_what_to_do(records: Records, changes: list[Change], said: list[str]) -> None:
    judgement = judge(papers(records, *changes), "shop")
    assert judgement.verdict is Verdict.WRONG
    assert [f"{finding.books}: {finding.what}" for finding in judgement.findings] == said
    assert all(finding.advice for finding in judgement.findings)


@pytest.mark.parametrize("phase", ["Pending", "Running", "Suspended", "Compensating"])
def test_a_saga_at_work_is_open_whatever_is_there_already(phase: str) -> None:
    judgement = judge(papers(COMPLETED, saga(phase), put(Kind.ORDER, status="PENDING"), lose(Kind.SHIPMENT)), "shop")
    assert (judgement.verdict, judgement.since) == (Verdict.OPEN, "2026-11-22T10:00:00Z")


def test_what_a_person_marked_as_undone_is_said_and_is_no_finding() -> None:
    marked = saga("Compensated", steps=[step("payment", "Compensated", compensation={"reason": "MarkedCompensated"})])
    judgement = judge(papers(COMPENSATED, marked, put(Kind.PAYMENT, refunded_minor=0)), "shop")
    assert (judgement.verdict, len(judgement.findings)) == (Verdict.BY_HAND, 1)
    other = judge(papers(COMPENSATED, marked, put(Kind.SHIPMENT, status="scheduled")), "shop")
    assert other.verdict is Verdict.WRONG


MARKED = [step("payment", "Compensated", compensation={"reason": "MarkedCompensated"})]
TAKEN = {"step": "order", "reason": "OrderIDUsed"}


@pytest.mark.parametrize(
    "told",
    [
        [story("Compensated", steps=MARKED)],
        # The id was used again, by a saga that ended without touching anything: the story before it is the documents'.
        [story("Compensated", steps=MARKED), story("Compensated", day=23, failure=TAKEN)],
        [story("Compensated", steps=MARKED), saga("Compensated", failure=TAKEN)],
    ],
    ids=["its story", "the story before", "the story, not the resource"],
)
def test_a_mark_is_known_from_the_archive_when_its_resource_is_gone(told: list[Change]) -> None:
    judgement = judge(papers(COMPENSATED, *told, put(Kind.PAYMENT, refunded_minor=0)), "shop")
    assert judgement.verdict is Verdict.BY_HAND


def test_the_latest_story_is_the_documents() -> None:
    told = (story("Compensated", day=24), story("Compensated", day=23, steps=MARKED))
    assert judge(papers(COMPENSATED, *told, put(Kind.PAYMENT, refunded_minor=0)), "shop").verdict is Verdict.WRONG


def test_a_ledger_that_is_not_there_is_not_missed() -> None:
    ledgers = lose(Kind.CHARGES, Kind.BOOKINGS, Kind.MESSAGES)
    for records in (COMPLETED, COMPENSATED):
        assert judge(papers(records, ledgers, ledgers=frozenset()), "shop").verdict is Verdict.BALANCED


def test_over_rest_a_tombstone_is_not_missed() -> None:
    alone: Records = {Kind.SAGA: COMPENSATED[Kind.SAGA]}
    assert judge(papers(alone, tombstones=False), "shop").verdict is Verdict.BALANCED
    assert judge(papers(alone), "shop").verdict is Verdict.WRONG


def test_an_abandoned_order_is_told_apart() -> None:
    assert judge(papers(COMPLETED, lose(Kind.SAGA), put(Kind.ORDER, status="PENDING")), "shop").abandoned
    assert not judge(papers(COMPLETED, lose(Kind.SAGA)), "shop").abandoned


@pytest.mark.parametrize(
    ("stocked", "reserved", "available", "held", "said"),
    [
        (10, 4, 6, 4, []),
        (10, 4, 6, 3, ["4 reserved, but the reservations hold 3"]),
        (3, 4, -1, 4, ["4 reserved of 3: oversold"]),
        (10, 4, 7, 4, ["7 available, but 10 stocked less 4 reserved is 6"]),
    ],
)
def test_a_product_holds_what_its_reservations_hold(
    stocked: int, reserved: int, available: int, held: int, said: list[str]
) -> None:
    product = {"product_id": "p-mug", "stocked": stocked, "reserved": reserved, "available": available}
    assert [finding.what for finding in stock(product, held)] == said
