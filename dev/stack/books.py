"""The books of the running stack, for demonstrations and tests: a thin use of `ordersaga audit`'s own rules.

A test knows how its orders have ended, so it says that itself instead of asking the API server: what the resources say
is then checked, too.
"""

from collections import Counter
from collections.abc import Mapping

from ordersaga.audit.auditor import stock_findings
from ordersaga.audit.rules.check import findings_of
from ordersaga.audit.rules.outcome import Ending, Fate
from ordersaga.audit.rules.records import Kind, Papers
from ordersaga.audit.sources.databases import Databases
from ordersaga.settings import SERVICES

NAMESPACE = "shop"
FATES = {"Completed": Fate.ALL, "Compensated": Fate.NOTHING}
LEDGERS = {"payment": Kind.CHARGES, "shipping": Kind.BOOKINGS, "notification": Kind.MESSAGES}


class Books:
    """The databases of one installation. Use as a context manager."""

    def __init__(self, mongodb_url: str, prefix: str = "ordersaga_") -> None:
        self._databases = Databases(dict.fromkeys(SERVICES, mongodb_url), prefix)

    def __enter__(self) -> "Books":
        return self

    def __exit__(self, *error: object) -> None:
        self._databases.close()

    def audit(self, phases: Mapping[str, str]) -> list[str]:
        """What is wrong with these orders (id → phase of the saga, Completed or Compensated), and with the stock."""
        found = self._databases.look(phases)
        findings = [
            finding
            for order_id, phase in phases.items()
            for finding in findings_of(Papers(order_id, found[order_id]), Ending(FATES[phase], phase), NAMESPACE)
        ]
        return [str(finding) for finding in (*findings, *stock_findings(self._databases))]

    def ledger(self, service: str, order_id: str) -> Counter[str]:
        """How often each kind of entry is in that provider's ledger for the order."""
        return Papers(order_id, self._databases.look([order_id])[order_id]).entries(LEDGERS[service])
