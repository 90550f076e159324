"""The participants' side of the protocol as data: one document per order in each service, and what a call does to it.

A document is (kind, dos, undos): what the barrier holds, and how often an effect and its undoing really happened. The
counters change nothing in a correct barrier; they are what the exploration judges by.
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from saga_operator.process.steps import ORDER_SAGA

STEPS: Final = tuple(step.name for step in ORDER_SAGA)
ORDER, INVENTORY, PAYMENT, SHIPPING, NOTIFICATION = range(5)
"""Documents, by service."""
UNDO: Final = 6
"""Added to a step's number: the call that undoes it. A call is one small integer."""
CREATE, CONFIRM, CANCEL, REJECT = 0, 4, 0 + UNDO, 4 + UNDO
CALLS: Final = tuple(
    [f"{step.name}/do ({step.do.rsplit('/', 1)[1]})" for step in ORDER_SAGA]
    + [f"{step.name}/undo ({(step.undo or '/none').rsplit('/', 1)[1]})" for step in ORDER_SAGA]
)


class Document(NamedTuple):
    """What one service holds for the order."""

    kind: str
    dos: int = 0
    undos: int = 0

    def done(self, kind: str) -> "Document":
        """With one more effect (two are as bad as many)."""
        return Document(kind, min(2, self.dos + 1), self.undos)

    def undone(self, kind: str) -> "Document":
        """With one more undoing."""
        return Document(kind, self.dos, min(2, self.undos + 1))


MISSING: Final = Document("missing")

# answers: sagas.outcome makes the operator's events of them
SUCCEEDED, REFUSED, COMPENSATED = "succeeded", "refused", "compensated"
UNDONE, NOTHING, CLOSED, CONFIRMED_BEFORE = "undone", "effect none", "closed", "already_confirmed"
ID_USED, ERROR, ACCEPTED, EPOCH = "order_id_used", "error", "accepted", "epoch refused"

Reply = tuple[str, Document]


@dataclass(frozen=True)
class Participants:
    """The five services. A field taken out (for a test of the tests) is a rule of the protocol that is broken."""

    may_refuse: frozenset[int] = frozenset({ORDER, INVENTORY, PAYMENT, SHIPPING, NOTIFICATION})
    slow: frozenset[int] = frozenset()
    """Services that answer 202 and settle later (a payment in `processing`, a refund at a bank)."""
    tombstones: bool = True
    """An undo that finds nothing leaves a mark that a late do meets."""
    undone_stays_undone: bool = True
    """A do that was undone is not done again."""
    reject_bars_confirm: bool = True
    """`confirm` moves PENDING only."""
    reject_creates: bool = True
    """`reject` of an order that is not there yet leaves a document that a late `create` meets."""
    reject_spares_confirmed: bool = True
    """`reject` of a confirmed order is refused."""
    replays: bool = True
    """A do that was done is answered from the document."""
    memo: dict[tuple[Document, int, bool], tuple[Reply, ...]] = field(default_factory=dict, compare=False, repr=False)
    futures: dict[tuple[Document, int, bool], bool] = field(default_factory=dict, compare=False, repr=False)

    def answers(self, document: Document, call: int, *, foreign: bool) -> tuple[Reply, ...]:
        """Every answer that the service may give, each with the document that it leaves. The refusal comes last."""
        key = (document, call, foreign)
        found = self.memo.get(key)
        if found is None:
            found = self.memo[key] = tuple(self._answers(document, call, foreign=foreign))
        return found

    def strange(self, document: Document, call: int) -> Document:
        """What a stranger's call under a key of another namespace, or with other content, leaves there.

        The first call decides whose the document is. To all others it is refused.
        """
        return document._replace(kind="foreign") if document.kind == "missing" and call != CONFIRM else document

    def matters(self, document: Document, call: int, *, foreign: bool) -> bool:
        """Whether a call that arrives at any later time may still have an effect, whatever happens to the document."""
        key = (document, call, foreign)
        found = self.futures.get(key)
        if found is None:
            service = service_of(call)
            futures, waiting = {document}, [document]
            while waiting:
                now = waiting.pop()
                calls = [
                    (call, own) for call in range(len(CALLS)) if service_of(call) == service for own in (False, True)
                ]
                after = {left for other, own in calls for _, left in self.answers(now, other, foreign=not own)}
                after.update(self.settled(now, service))
                waiting += after - futures
                futures |= after
            effects = (left != now for now in futures for _, left in self.answers(now, call, foreign=foreign))
            found = self.futures[key] = any(effects)
        return found

    def settled(self, document: Document, service: int) -> tuple[Document, ...]:
        """What a call that was accepted may become without anybody calling again."""
        if document.kind == "processing":
            refused = (document._replace(kind="refused"),) if service in self.may_refuse else ()
            return document.done("done"), *refused
        if document.kind == "refunding":  # recorded while it was still processing: both happen, or neither
            return document.done("done").undone("undone"), document._replace(kind="tombstone")
        if document.kind == "undoing":
            return (document.undone("undone"),)
        return ()

    def _answers(self, document: Document, call: int, *, foreign: bool) -> list[Reply]:
        if call in (CREATE, CONFIRM, CANCEL, REJECT):
            return [(ID_USED, document)] if foreign else self._order(document, call)
        service = service_of(call)
        return self._undo(document, service) if call >= UNDO else self._do(document, service)

    def _order(self, document: Document, call: int) -> list[Reply]:
        """DESIGN §2: the matrix of the order document. One that holds only a refusal counts as missing."""
        kind = document.kind
        absent = kind in ("missing", "refused")
        if kind == "foreign":
            return [(ID_USED, document)]
        if call == CREATE:
            return self._create(document)
        if call == CONFIRM:
            if kind == "confirmed":
                return [(SUCCEEDED, document)]
            if kind == "pending" or (not absent and not self.reject_bars_confirm):
                return [(SUCCEEDED, document.done("confirmed"))]
            return [(ERROR if absent else COMPENSATED, document)]
        if call == REJECT:
            if kind == "confirmed" and self.reject_spares_confirmed:
                return [(CONFIRMED_BEFORE, document)]
            if absent and not self.reject_creates:
                return [(UNDONE, document)]
            if kind in ("cancelling", "cancelled", "closed"):
                return [(CLOSED if kind == "closed" else UNDONE, document)]
            return [(UNDONE, document._replace(kind="cancelling"))]
        if kind == "confirmed":
            return [(ERROR, document)]
        if kind == "cancelling":
            return [(UNDONE, document.undone("closed"))]
        if kind in ("cancelled", "closed"):
            return [(UNDONE, document)]
        return [(NOTHING if absent else UNDONE, document._replace(kind="cancelled"))]

    def _create(self, document: Document) -> list[Reply]:
        kind = document.kind
        if kind == "missing":
            refusal = [(REFUSED, document._replace(kind="refused"))] if ORDER in self.may_refuse else []
            return [(SUCCEEDED, document._replace(kind="pending")), *refusal]
        if kind == "refused":
            return [(REFUSED, document)]
        return [(SUCCEEDED if kind in ("pending", "confirmed") else COMPENSATED, document)]

    def _do(self, document: Document, service: int) -> list[Reply]:
        kind = document.kind
        if kind == "foreign":
            return [(REFUSED, document)]
        if kind in ("undone", "undoing", "refunding") and self.undone_stays_undone:
            return [(COMPENSATED, document)]
        if kind == "tombstone" and self.tombstones:
            return [(COMPENSATED, document)]
        if kind == "by hand" or (kind == "done" and self.replays):
            return [(SUCCEEDED, document)]
        if kind == "refused":
            return [(REFUSED, document)]
        if kind == "processing":
            return [(ACCEPTED, document)]
        if service in self.slow:
            return [(ACCEPTED, document._replace(kind="processing"))]
        refusal = [(REFUSED, document._replace(kind="refused"))] if service in self.may_refuse else []
        return [(SUCCEEDED, document.done("done")), *refusal]

    def _undo(self, document: Document, service: int) -> list[Reply]:
        kind = document.kind
        if kind == "foreign":
            return [(NOTHING, document)]
        if kind == "done":
            if service in self.slow:
                return [(ACCEPTED, document._replace(kind="undoing"))]
            return [(UNDONE, document.undone("undone"))]
        if kind == "processing":
            return [(ACCEPTED, document._replace(kind="refunding"))]
        if kind in ("undoing", "refunding"):
            return [(ACCEPTED, document)]
        if kind in ("undone", "by hand"):
            return [(UNDONE, document)]
        return [(NOTHING, document._replace(kind="tombstone" if self.tombstones else "forgotten"))]


def service_of(call: int) -> int:
    """Which document a call is about: confirmation is the order service's."""
    return (ORDER, INVENTORY, PAYMENT, SHIPPING, ORDER, NOTIFICATION)[call % UNDO]
