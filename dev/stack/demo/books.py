"""The books of a running stack, for demonstrations and tests: the rules of `ordersaga audit` on its databases.

A test knows which outcome its orders should have, and passes it, instead of asking the API server: so a resource with
the wrong outcome is found, too.
"""

from collections import Counter
from collections.abc import Mapping

from common.services import SERVICES
from ordersaga.audit.rules.check import findings_of
from ordersaga.audit.rules.effects import stock_findings
from ordersaga.audit.rules.outcome import ExpectedOutcome, Outcome
from ordersaga.audit.rules.records import OrderRecords, RecordKind
from ordersaga.audit.sources.databases import Databases

NAMESPACE = "shop"
EXPECTED = {"Completed": ExpectedOutcome.ALL, "Compensated": ExpectedOutcome.NOTHING}
LEDGERS = {"payment": RecordKind.CHARGES, "shipping": RecordKind.BOOKINGS, "notification": RecordKind.MESSAGES}


class Books:
    """The databases `{prefix}{service}` of one installation. Use as a context manager."""

    def __init__(self, mongodb_url: str, prefix: str = "ordersaga_") -> None:
        self._databases = Databases(dict.fromkeys(SERVICES, mongodb_url), prefix)

    def __enter__(self) -> "Books":
        return self

    def __exit__(self, *error: object) -> None:
        self._databases.close()

    def audit(self, phases: Mapping[str, str]) -> list[str]:
        """What is wrong with these orders (id → expected phase, Completed or Compensated), and with the stock.

        Raises:
            DatabaseError: when a database doesn't answer.
        """
        found = self._databases.look(phases)
        findings = [
            finding
            for order_id, phase in phases.items()
            for finding in findings_of(
                OrderRecords(order_id, found[order_id]), Outcome(EXPECTED[phase], phase), NAMESPACE
            )
        ]
        findings += [each for product, held in self._databases.stock() for each in stock_findings(product, held)]
        return [str(finding) for finding in findings]

    def ledger(self, service: str, order_id: str) -> Counter[str]:
        """How many entries of each kind (`charge`, …) that service's provider has in its ledger for the order."""
        return OrderRecords(order_id, self._databases.look([order_id])[order_id]).entries(LEDGERS[service])
