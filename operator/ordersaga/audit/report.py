"""What an audit prints while it goes on: a table for people, or one JSON document. It keeps no findings in memory."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Protocol, TextIO

from ordersaga.audit.rules.outcome import CheckedOrder, Finding, Verdict


class Summary:
    """The numbers at the end of a report."""

    def __init__(self) -> None:
        self.verdicts = Counter[Verdict]()
        self.findings = 0
        """The findings that a person has to do something about: not those `by_hand`."""
        self.oldest_open: CheckedOrder | None = None

    def count(self, checked: CheckedOrder) -> None:
        """Count one more order."""
        self.verdicts[checked.verdict] += 1
        self.findings += sum(not finding.by_hand for finding in checked.findings)
        if checked.verdict is Verdict.OPEN:
            oldest = self.oldest_open
            if oldest is None or checked.since < oldest.since:
                self.oldest_open = checked

    @property
    def orders(self) -> int:
        """The number of orders counted so far."""
        return self.verdicts.total()


class Report(Protocol):
    """Where an audit writes what it finds."""

    def finding(self, finding: Finding) -> None:
        """Write one finding."""

    def end(self, summary: Summary, *, seconds: float, not_read: Sequence[str]) -> None:
        """Write the end of the report. `not_read` names what the source doesn't show."""


_ROW = "{:<26}  {:<8}  {}"


class TableReport:
    """For people: a row for each finding, and below it what to do."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._begun = False

    def finding(self, finding: Finding) -> None:
        """Write a row; before the first one, the head of the table."""
        if not self._begun:
            self._print(_ROW.format("ORDER OR PRODUCT", "AREA", "WHAT IS WRONG, AND WHAT TO DO"))
            self._begun = True
        self._print(_ROW.format(finding.subject, finding.area, finding.what))
        self._print(_ROW.format("", "by hand" if finding.by_hand else "", f"→ {finding.advice}"))

    def end(self, summary: Summary, *, seconds: float, not_read: Sequence[str]) -> None:
        """Write the numbers, and the last line: whether the books balance."""
        if self._begun:
            self._print("")
        counts = ", ".join(f"{summary.verdicts[verdict]} {verdict}" for verdict in Verdict)
        self._print(f"{summary.orders} orders in {seconds:.1f} s: {counts}")
        if summary.oldest_open is not None:
            self._print(f"oldest open order: {summary.oldest_open.order_id}, since {summary.oldest_open.since}")
        for what in not_read:
            self._print(f"not checked: {what}")
        if summary.findings:
            noun = "finding" if summary.findings == 1 else "findings"
            self._print(f"the books don't balance: {summary.findings} {noun}")
        else:
            self._print(
                "the books balance" if summary.orders else "there are no orders: is this the right installation?"
            )

    def _print(self, line: str) -> None:
        self._out.write(f"{line.rstrip()}\n")


class JsonReport:
    """For programs: `{"findings": […], "orders": {…}, …}`."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._separator = '{"findings": ['

    def finding(self, finding: Finding) -> None:
        """Write one more item of `findings`."""
        self._out.write(f"{self._separator}\n  {json.dumps(finding.to_json())}")
        self._separator = ","

    def end(self, summary: Summary, *, seconds: float, not_read: Sequence[str]) -> None:
        """Write the rest of the document."""
        if self._separator != ",":
            self._out.write(self._separator)
        oldest = summary.oldest_open
        rest = {
            "balanced": not summary.findings,
            "orders": {str(verdict).replace(" ", "_"): summary.verdicts[verdict] for verdict in Verdict},
            "oldest_open": oldest and {"order_id": oldest.order_id, "since": oldest.since},
            "not_looked_at": list(not_read),
            "seconds": round(seconds, 1),
        }
        self._out.write(f"],\n{json.dumps(rest, indent=1)[2:]}\n")
