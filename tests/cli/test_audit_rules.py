"""The rules of the audit, by tables: what is wrong is named, what is right is not."""

import pytest

from ordersaga.audit.rules.check import check
from ordersaga.audit.rules.effects import stock_findings
from ordersaga.audit.rules.outcome import Verdict
from ordersaga.audit.rules.records import RecordKind
from tests.cli.orders import COMPENSATED, COMPLETED, Change, Records, add, archived, lose, put, records_of, saga, step

BALANCED: list[tuple[str, Records, list[Change]]] = [
    ("all of it happened", COMPLETED, []),
    ("none of it is left", COMPENSATED, []),
    ("the resource went after its time to live", COMPLETED, [lose(RecordKind.SAGA)]),
    ("and so did a cancelled one", COMPENSATED, [lose(RecordKind.SAGA)]),
    (
        "it is on its way",
        COMPLETED,
        [put(RecordKind.ORDER, status="SHIPPED"), put(RecordKind.SHIPMENT, status="in_transit")],
    ),
    ("its units have left", COMPLETED, [put(RecordKind.RESERVATION, status="dispatched")]),
    (
        "the message bounced",
        COMPLETED,
        [put(RecordKind.NOTIFICATION, status="failed", reason="bounced"), lose(RecordKind.MESSAGES)],
    ),
    (
        "the contact is unknown",
        COMPLETED,
        [put(RecordKind.NOTIFICATION, status="failed", reason="contact_unknown"), lose(RecordKind.MESSAGES)],
    ),
    (
        "a person skipped the message",
        COMPLETED,
        [
            saga("Completed", steps=[step("notification", "Skipped", reason="SkippedByHand")]),
            lose(RecordKind.NOTIFICATION, RecordKind.MESSAGES),
        ],
    ),
    (
        "a person skipped the message, and the resource is gone",
        COMPLETED,
        [
            archived("Completed", steps=[step("notification", "Skipped", reason="SkippedByHand")]),
            lose(RecordKind.NOTIFICATION, RecordKind.MESSAGES),
        ],
    ),
    (
        "a person cancelled the message before it was asked for: a tombstone",
        COMPLETED,
        [lambda records: records[RecordKind.NOTIFICATION][0].clear(), lose(RecordKind.MESSAGES)],
    ),
    (
        "the customer got another message, too",
        COMPLETED,
        [
            add(RecordKind.NOTIFICATION, status="sent", notification_type="order_cancelled"),
            add(RecordKind.MESSAGES, kind="message"),
        ],
    ),
    (
        "the customer of an undone order was told so",
        COMPENSATED,
        [
            add(RecordKind.NOTIFICATION, status="sent", notification_type="order_cancelled"),
            add(RecordKind.MESSAGES, kind="message"),
        ],
    ),
    (
        "the customer of an undone order could not be told",
        COMPENSATED,
        [add(RecordKind.NOTIFICATION, status="failed", reason="bounced", notification_type="order_cancelled")],
    ),
    (
        "declined",
        COMPENSATED,
        [put(RecordKind.PAYMENT, status="declined", captured_minor=0, refunded_minor=0), lose(RecordKind.CHARGES)],
    ),
    (
        "refused at once: nothing but the rejected order",
        {RecordKind.SAGA: COMPENSATED[RecordKind.SAGA], RecordKind.ORDER: COMPENSATED[RecordKind.ORDER]},
        [],
    ),
    ("a tombstone of an order that never was", {RecordKind.ORDER: [{"reason": None}]}, []),
    (
        "tombstones at a participant alone",
        {RecordKind.PAYMENT: [{}], RecordKind.RESERVATION: [{}], RecordKind.SHIPMENT: [{}]},
        [],
    ),
    (
        "another order's id: that order is complete",
        COMPLETED,
        [saga("Compensated", failure={"step": "order", "reason": "OrderIDUsed"})],
    ),
    ("sent by a mail server, which has no ledger", COMPLETED,
     [put(RecordKind.NOTIFICATION, delivered_by="smtp"), lose(RecordKind.MESSAGES)]),
]  # fmt: skip

STUCK = step("payment", "CompensationFailed", compensation={"reason": "RefundFailed", "message": "no"})
WRONG: list[tuple[str, Records, list[Change], list[str]]] = [
    ("paid too little", COMPLETED, [put(RecordKind.PAYMENT, captured_minor=2400)],
     ["money: Completed, but net captured 2400 instead of 2500 (the payment is captured)"]),
    ("not paid at all", COMPLETED, [lose(RecordKind.PAYMENT, RecordKind.CHARGES)],
     ["money: Completed, but net captured 0 instead of 2500 (there is no payment)",
      "money: Completed, but the provider's ledger says 0 instead of 2500"]),
    ("given back, and sent", COMPLETED, [add(RecordKind.CHARGES, kind="refund", amount_minor=2500)],
     ["money: Completed, but the provider's ledger says 0 instead of 2500"]),
    ("charged twice", COMPLETED, [add(RecordKind.CHARGES, kind="charge", amount_minor=2500)],
     ["money: 2 entries 'charge' in the payment ledger",
      "money: Completed, but the provider's ledger says 5000 instead of 2500"]),
    ("another currency", COMPLETED, [put(RecordKind.PAYMENT, currency="JPY")], ["money: paid in JPY, ordered in EUR"]),
    ("not given back", COMPENSATED, [put(RecordKind.PAYMENT, status="captured", refunded_minor=0)],
     ["money: Compensated, but net captured 2500 instead of 0 (the payment is captured)"]),
    ("refunded twice", COMPENSATED, [add(RecordKind.CHARGES, kind="refund", amount_minor=2500)],
     ["money: 2 entries 'refund' in the payment ledger",
      "money: Compensated, but the provider's ledger says -2500 instead of 0"]),
    ("no saga waits for the settlement", COMPENSATED,
     [put(RecordKind.PAYMENT, status="processing", captured_minor=0, refunded_minor=0), lose(RecordKind.CHARGES)],
     ["money: Compensated, but the payment is processing: no saga waits for it"]),
    ("no parcel", COMPLETED, [lose(RecordKind.SHIPMENT)], ["shipment: Completed, but 0 live shipments instead of 1"]),
    ("a parcel that should not exist", COMPENSATED, [put(RecordKind.SHIPMENT, status="scheduled")],
     ["shipment: Compensated, but 1 live shipments instead of 0"]),
    ("booked and never cancelled", COMPENSATED, [lambda records: records[RecordKind.BOOKINGS].pop()],
     ["shipment: Compensated, but the carrier's ledger has 1 live bookings instead of 0"]),
    ("booked twice", COMPLETED, [add(RecordKind.BOOKINGS, kind="booking")],
     ["shipment: 2 entries 'booking' in the shipping ledger",
      "shipment: Completed, but the carrier's ledger has 2 live bookings instead of 1"]),
    ("no message", COMPLETED, [lose(RecordKind.NOTIFICATION, RecordKind.MESSAGES)],
     ["message: Completed, but 0 messages instead of 1"]),
    ("a message that is stuck", COMPLETED, [put(RecordKind.NOTIFICATION, status="sending"), lose(RecordKind.MESSAGES)],
     ["message: Completed, but 0 messages instead of 1 (it is sending)"]),
    ("a message of a confirmation that did not happen", COMPENSATED,
     [add(RecordKind.NOTIFICATION, status="sent"), add(RecordKind.MESSAGES, kind="message")],
     ["message: Compensated, but 1 messages instead of 0"]),
    ("two messages", COMPLETED, [add(RecordKind.MESSAGES, kind="message")],
     ["message: 2 entries 'message' in the notification ledger",
      "message: the provider's ledger has 2 messages, 1 are recorded as sent"]),
    ("sent by the test provider, whose ledger lacks it", COMPLETED,
     [put(RecordKind.NOTIFICATION, delivered_by="test"), lose(RecordKind.MESSAGES)],
     ["message: the provider's ledger has 0 messages, 1 are recorded as sent"]),
    ("no units", COMPLETED, [put(RecordKind.RESERVATION, status="released")],
     ["units: Completed, but holds {} instead of {'p-mug': 2}"]),
    ("too few units", COMPLETED, [put(RecordKind.RESERVATION, lines=[{"product_id": "p-mug", "quantity": 1}])],
     ["units: Completed, but holds {'p-mug': 1} instead of {'p-mug': 2}"]),
    ("units that were not released", COMPENSATED, [put(RecordKind.RESERVATION, status="reserved")],
     ["units: Compensated, but holds {'p-mug': 2} instead of {}"]),
    ("the order says otherwise", COMPENSATED, [put(RecordKind.ORDER, status="PENDING")],
     ["order: Compensated, but the order is PENDING"]),
    ("the order is lost", {RecordKind.SAGA: COMPENSATED[RecordKind.SAGA]}, [],
     ["order: Compensated, but the order is missing"]),
    ("money of no order", {kind: COMPLETED[kind] for kind in (RecordKind.PAYMENT, RecordKind.CHARGES)}, [],
     ["money: there is no such order, but net captured 2500 instead of 0 (the payment is captured)",
      "money: there is no such order, but the provider's ledger says 2500 instead of 0"]),
    ("no saga finishes it", COMPLETED, [lose(RecordKind.SAGA), put(RecordKind.ORDER, status="PENDING")],
     ["saga: the order is PENDING, and there is no OrderSaga o-1 in namespace shop"]),
    ("no saga undoes it", COMPLETED, [lose(RecordKind.SAGA), put(RecordKind.ORDER, status="CANCELLING")],
     ["saga: the order is CANCELLING, and there is no OrderSaga o-1 in namespace shop"]),
    ("an undo is stuck", COMPLETED, [saga("Failed", steps=[STUCK])],
     ["saga: Failed: undoing it is stuck at payment: RefundFailed (no)"]),
    ("open, and charged twice", COMPLETED, [saga("Running"), add(RecordKind.CHARGES, kind="charge", amount_minor=2500)],
     ["money: 2 entries 'charge' in the payment ledger"]),
]  # fmt: skip


@pytest.mark.parametrize(("records", "changes"), [row[1:] for row in BALANCED], ids=[row[0] for row in BALANCED])
def test_what_is_right_balances(records: Records, changes: list[Change]) -> None:
    checked = check(records_of(records, *changes), "shop")
    assert (checked.verdict, checked.findings) == (Verdict.BALANCED, ())


@pytest.mark.parametrize(("records", "changes", "said"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_what_is_wrong_is_named_with_what_to_do(records: Records, changes: list[Change], said: list[str]) -> None:
    checked = check(records_of(records, *changes), "shop")
    assert checked.verdict is Verdict.WRONG
    assert [f"{finding.area}: {finding.what}" for finding in checked.findings] == said
    assert all(finding.advice for finding in checked.findings)


@pytest.mark.parametrize("phase", ["Pending", "Running", "Suspended", "Compensating"])
def test_a_saga_at_work_is_open_whatever_is_there_already(phase: str) -> None:
    checked = check(
        records_of(COMPLETED, saga(phase), put(RecordKind.ORDER, status="PENDING"), lose(RecordKind.SHIPMENT)), "shop"
    )
    assert (checked.verdict, checked.since) == (Verdict.OPEN, "2026-11-22T10:00:00Z")


def test_what_a_person_marked_as_undone_is_said_and_is_no_finding() -> None:
    marked = saga("Compensated", steps=[step("payment", "Compensated", compensation={"reason": "MarkedCompensated"})])
    checked = check(records_of(COMPENSATED, marked, put(RecordKind.PAYMENT, refunded_minor=0)), "shop")
    assert (checked.verdict, len(checked.findings)) == (Verdict.BY_HAND, 1)
    other = check(records_of(COMPENSATED, marked, put(RecordKind.SHIPMENT, status="scheduled")), "shop")
    assert other.verdict is Verdict.WRONG


MARKED = [step("payment", "Compensated", compensation={"reason": "MarkedCompensated"})]
TAKEN = {"step": "order", "reason": "OrderIDUsed"}


@pytest.mark.parametrize(
    "sagas",
    [
        [archived("Compensated", steps=MARKED)],
        # The id was used again, by a saga that ended without touching anything: the one before wrote the documents.
        [archived("Compensated", steps=MARKED), archived("Compensated", day=23, failure=TAKEN)],
        [archived("Compensated", steps=MARKED), saga("Compensated", failure=TAKEN)],
    ],
    ids=["its archived saga", "the archived saga before", "the archived saga, not the resource"],
)
def test_a_mark_is_known_from_the_archive_when_its_resource_is_gone(sagas: list[Change]) -> None:
    checked = check(records_of(COMPENSATED, *sagas, put(RecordKind.PAYMENT, refunded_minor=0)), "shop")
    assert checked.verdict is Verdict.BY_HAND


def test_the_latest_archived_saga_wrote_the_documents() -> None:
    sagas = (archived("Compensated", day=24), archived("Compensated", day=23, steps=MARKED))
    assert (
        check(records_of(COMPENSATED, *sagas, put(RecordKind.PAYMENT, refunded_minor=0)), "shop").verdict
        is Verdict.WRONG
    )


def test_a_ledger_that_is_not_there_is_not_missed() -> None:
    ledgers = lose(RecordKind.CHARGES, RecordKind.BOOKINGS, RecordKind.MESSAGES)
    for records in (COMPLETED, COMPENSATED):
        assert check(records_of(records, ledgers, ledgers=frozenset()), "shop").verdict is Verdict.BALANCED


def test_over_rest_a_tombstone_is_not_missed() -> None:
    alone: Records = {RecordKind.SAGA: COMPENSATED[RecordKind.SAGA]}
    assert check(records_of(alone, tombstones=False), "shop").verdict is Verdict.BALANCED
    assert check(records_of(alone), "shop").verdict is Verdict.WRONG


def test_an_abandoned_order_is_marked_as_such() -> None:
    assert check(
        records_of(COMPLETED, lose(RecordKind.SAGA), put(RecordKind.ORDER, status="PENDING")), "shop"
    ).abandoned
    assert not check(records_of(COMPLETED, lose(RecordKind.SAGA)), "shop").abandoned


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
    assert [finding.what for finding in stock_findings(product, held)] == said
