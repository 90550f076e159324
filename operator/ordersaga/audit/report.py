"""What an audit says, while it goes on: a table for people, or one JSON document for machines. Nothing is collected."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Protocol, TextIO

from ordersaga.audit.rules.findings import Finding, Judgement, Verdict


class Summary:
    """What is counted on the way."""

    def __init__(self) -> None:
        self.verdicts = Counter[Verdict]()
        self.findings = 0
        """Those that a person has to do something about."""
        self.oldest_open: Judgement | None = None

    def count(self, judgement: Judgement) -> None:
        """One more order."""
        self.verdicts[judgement.verdict] += 1
        self.findings += sum(not finding.by_hand for finding in judgement.findings)
        if judgement.verdict is Verdict.OPEN:
            oldest = self.oldest_open
            if oldest is None or judgement.since < oldest.since:
                self.oldest_open = judgement

    @property
    def orders(self) -> int:
        """How many orders there are."""
        return self.verdicts.total()


class Report(Protocol):
    """Somebody who is told."""

    def finding(self, finding: Finding) -> None:
        """Something doesn't balance."""

    def end(self, summary: Summary, *, seconds: float, unseen: Sequence[str]) -> None:
        """That was all. `unseen` says what could not be looked at."""


_ROW = "{:<26}  {:<8}  {}"


class Table:
    """For people: a row for each finding, and below it what to do."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._begun = False

    def finding(self, finding: Finding) -> None:
        """A row; the first one comes with the head of the table."""
        if not self._begun:
            self._say(_ROW.format("ORDER OR PRODUCT", "BOOKS", "WHAT IS WRONG, AND WHAT TO DO"))
            self._begun = True
        self._say(_ROW.format(finding.subject, finding.books, finding.what))
        self._say(_ROW.format("", "by hand" if finding.by_hand else "", f"→ {finding.advice}"))

    def end(self, summary: Summary, *, seconds: float, unseen: Sequence[str]) -> None:
        """The sums."""
        if self._begun:
            self._say("")
        counts = ", ".join(f"{summary.verdicts[verdict]} {verdict}" for verdict in Verdict)
        self._say(f"{summary.orders} orders in {seconds:.1f} s: {counts}")
        if summary.oldest_open is not None:
            self._say(f"oldest open order: {summary.oldest_open.order_id}, since {summary.oldest_open.since}")
        for what in unseen:
            self._say(f"not looked at: {what}")
        if summary.findings:
            noun = "finding" if summary.findings == 1 else "findings"
            self._say(f"the books don't balance: {summary.findings} {noun}")
        else:
            self._say("the books balance" if summary.orders else "there are no orders: is this the right installation?")

    def _say(self, line: str) -> None:
        self._out.write(f"{line.rstrip()}\n")


class Json:
    """For machines: `{"findings": […], "orders": {…}, …}`."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._separator = '{"findings": ['

    def finding(self, finding: Finding) -> None:
        """One more of the list."""
        self._out.write(f"{self._separator}\n  {json.dumps(finding.to_json(), ensure_ascii=False)}")
        self._separator = ","

    def end(self, summary: Summary, *, seconds: float, unseen: Sequence[str]) -> None:
        """The rest of the document."""
        if self._separator != ",":
            self._out.write(self._separator)
        oldest = summary.oldest_open
        rest = {
            "balanced": not summary.findings,
            "orders": {str(verdict).replace(" ", "_"): summary.verdicts[verdict] for verdict in Verdict},
            "oldest_open": oldest and {"order_id": oldest.order_id, "since": oldest.since},
            "not_looked_at": list(unseen),
            "seconds": round(seconds, 1),
        }
        self._out.write(f"],\n{json.dumps(rest, indent=1, ensure_ascii=False)[2:]}\n")
