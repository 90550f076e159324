"""The second look, the report and the restored manifest, without a system."""

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest

from ordersaga.audit.auditor import Auditor
from ordersaga.audit.report import JsonReport, Report, Summary, TableReport
from ordersaga.audit.restore import manifest_of
from ordersaga.audit.rules.outcome import CheckedOrder, Finding, Verdict
from ordersaga.audit.rules.records import LEDGERS, Document, RecordKind
from ordersaga.audit.rules.streams import Keyed
from tests.cli.orders import COMPENSATED, COMPLETED, ID, Records, archived, put, records_of, saga, step
from tests.support.samples import spec

RUNNING = dict(records_of(COMPLETED, saga("Running"), put(RecordKind.ORDER, status="PENDING")).by_kind)


class System:
    """A system that moves between two looks: `first` is what the streams show, `then` what single looks show."""

    namespace = "shop"
    tombstones = True
    ledgers = frozenset(LEDGERS)

    def __init__(self, first: Mapping[RecordKind, list[Any]], then: Mapping[RecordKind, list[Any]]) -> None:
        self.first, self.then = first, then

    def stream(self) -> Iterator[Keyed]:
        return iter([(ID, each) for each in self.first.get(RecordKind.SAGA, [])])

    def get(self, name: str) -> Document | None:
        found = self.then.get(RecordKind.SAGA, [])
        return found[0] if found else None

    def streams(self, sagas: Iterator[Keyed]) -> Mapping[RecordKind, Iterable[Keyed]]:
        others = {kind: [(ID, each) for each in found] for kind, found in self.first.items() if kind != RecordKind.SAGA}
        return {RecordKind.SAGA: sagas, **others}

    def look(self, order_ids: Iterable[str]) -> Mapping[str, Mapping[RecordKind, list[Document]]]:
        return {
            each: {kind: found for kind, found in self.then.items() if kind != RecordKind.SAGA} for each in order_ids
        }

    def stock(self) -> Iterator[tuple[Document, int]]:
        return iter([])


def verdict(
    first: Records | Mapping[RecordKind, list[Document]], then: Records | Mapping[RecordKind, list[Document]]
) -> Verdict:
    system = System(first, then)
    (checked,) = Auditor(system, system).orders()
    return checked.verdict


def test_what_moved_between_two_reads_is_no_finding() -> None:
    without_resource = {kind: found for kind, found in RUNNING.items() if kind != RecordKind.SAGA}
    assert verdict(without_resource, RUNNING) is Verdict.OPEN
    old_documents = {**RUNNING, RecordKind.SAGA: COMPLETED[RecordKind.SAGA]}
    assert verdict(old_documents, COMPLETED) is Verdict.BALANCED


def test_what_is_still_wrong_is_a_finding() -> None:
    unshipped = {**COMPLETED, RecordKind.SHIPMENT: []}
    assert verdict(unshipped, unshipped) is Verdict.WRONG


def test_the_archive_is_asked_about_what_does_not_balance() -> None:
    marked = archived(
        "Compensated", steps=[step("payment", "Compensated", compensation={"reason": "MarkedCompensated"})]
    )
    then = records_of(COMPENSATED, marked, put(RecordKind.PAYMENT, refunded_minor=0)).by_kind
    first = {kind: found for kind, found in then.items() if kind != RecordKind.ARCHIVED_SAGA}
    assert verdict(first, then) is Verdict.BY_HAND


def test_a_story_that_can_not_be_read_hides_nothing() -> None:
    unpaid = {**COMPLETED, RecordKind.PAYMENT: [], RecordKind.SAGA: []}
    (told,) = Auditor(system := System(unpaid, unpaid), system).orders()
    odd = {"created_at": "2099-01-01T00:00:00Z", "status": {"phase": "Completed", "steps": [1]}}
    with_story = {**unpaid, RecordKind.ARCHIVED_SAGA: [odd]}
    (checked,) = Auditor(system := System(unpaid, with_story), system).orders()
    assert checked == told


UNREADABLE: tuple[Mapping[RecordKind, list[Any]], ...] = (
    {RecordKind.SAGA: [{"metadata": 7, "status": {"phase": "Completed", "steps": "none"}}]},
    {RecordKind.SAGA: [{"status": {"phase": "Completed", "failure": ["no"]}}]},
    {RecordKind.ORDER: [{"status": "CONFIRMED", "total_minor": "a lot", "currency": 7, "items": None}]},
    {RecordKind.ORDER: [{"status": {}, "items": "zz"}]},
    {RecordKind.PAYMENT: [{"status": "captured", "captured_minor": "a"}]},
    {RecordKind.RESERVATION: [{"status": "reserved", "lines": "zz"}]},
    {RecordKind.CHARGES: [{}]},
)


@pytest.mark.parametrize("odd", UNREADABLE)
def test_records_that_can_not_be_read_are_a_finding_of_their_own_order(odd: Mapping[RecordKind, list[Any]]) -> None:
    broken = {**COMPLETED, **odd}
    assert verdict(broken, broken) is Verdict.WRONG


def test_a_product_that_can_not_be_read_does_not_hide_the_others() -> None:
    class Stocks(System):
        def stock(self) -> Iterator[tuple[Document, int]]:
            yield {"_id": "p-odd", "stocked": "many"}, 2
            yield {"_id": "p-mug", "product_id": "p-mug", "stocked": 5, "reserved": 1, "available": 4}, 2

    system = Stocks({}, {})
    assert [finding.subject for finding in Auditor(system, system).stock()] == ["p-odd", "p-mug"]


def written(report: Report, summary: Summary, *findings: Finding) -> None:
    for finding in findings:
        report.finding(finding)
    report.end(summary, seconds=1.25, not_read=["the ledgers"])


def test_people_read_a_table_and_machines_read_json() -> None:
    summary = Summary()
    wrong = Finding("o-1", "money", "Completed, but …", "give it back")
    by_hand = Finding("o-2", "units", "Compensated, but …", "nothing", by_hand=True)
    summary.count(CheckedOrder("o-1", Verdict.WRONG, (wrong,)))
    summary.count(CheckedOrder("o-2", Verdict.BY_HAND, (by_hand,)))
    summary.count(CheckedOrder("o-4", Verdict.OPEN, since="2026-11-22T11:00:00Z"))
    summary.count(CheckedOrder("o-3", Verdict.OPEN, since="2026-11-22T10:00:00Z"))
    text, machine = io.StringIO(), io.StringIO()
    written(TableReport(text), summary, wrong, by_hand)
    assert text.getvalue().splitlines()[-4:] == [
        "4 orders in 1.2 s: 0 balanced, 2 open, 1 by hand, 1 wrong",
        "oldest open order: o-3, since 2026-11-22T10:00:00Z",
        "not checked: the ledgers",
        "the books don't balance: 1 finding",
    ]
    written(JsonReport(machine), summary, wrong, by_hand)
    said = json.loads(machine.getvalue())
    assert [each["subject"] for each in said["findings"]] == ["o-1", "o-2"]
    assert said["balanced"] is False
    assert said["orders"] == {"balanced": 0, "open": 2, "by_hand": 1, "wrong": 1}


def test_json_without_findings_is_json() -> None:
    out = io.StringIO()
    written(JsonReport(out), Summary())
    assert json.loads(out.getvalue())["findings"] == []


def test_a_lost_resource_is_made_again_with_the_same_content() -> None:
    order = {
        **COMPLETED[RecordKind.ORDER][0],
        "order_id": "o-1",
        "customer_id": "c-17",
        "payment": {"method_ref": "test-ok"},
        "ship_to": {"address_ref": "a-17"},
        "notify": {"contact_ref": "c-17"},
    }
    manifest = manifest_of(order, "shop")
    assert manifest["metadata"] == {"name": "o-1", "namespace": "shop"}
    assert manifest["spec"] == spec("o-1", notify={"contactRef": "c-17"})
