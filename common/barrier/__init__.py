"""The barrier: calls come at least once, effects happen at most once, whatever the order in which calls arrive.

One document per order holds the business fields and, under `barrier`, what was called and answered. Every operation is
a pure function of that document; the barrier applies its decision as ONE conditional write: an insert, which the unique
`_id` decides, or an update matched on `barrier.version`. A call that loses the race reads again and decides again. The
barrier never looks first and writes later.

How a service uses it:

    barrier = Barrier(database["shipments"], mongo)               # mongo only for `in_transaction`
    call = key.call(body)                                         # common.web.idempotency: headers + body -> Call

    answer = await barrier.do(call, act)                          # act(document) -> Done(fields, body) | raise Refused
    answer = await barrier.undo(call, act, none)                  # act takes the effect back; none: there was none
    answer = await barrier.apply(document_id, transition)         # any transition(document) -> Answer | Write
    return respond(request, answer)                               # common.web.app: Answer -> Response

* `act(document)` is pure and gets the document as it is (None for a first do). `Done.fields` are set in the document:
  put `order_id` and `status` there. A document without `status` is a bare tombstone or refusal: it isn't listed, and a
  GET of it is 404. `Done.body` is the resource in the answer; an undo's answer has `"effect": "undone" | "none"` added.
* `raise Refused(code, detail, fields=…)` in a do's act: 409, stored under the key. In an undo's act: 409, not stored.
* `in_transaction=async (session, write) -> None` works on other documents in the same transaction as the effect
  (stock). If it raises Refused, the transaction is aborted and the refusal becomes the do's stored answer. It runs only
  with the write that makes or takes back the effect, never for a replay, and again after a write conflict; so it must
  have no effect outside its session.
* `document_id=` names the document where it isn't the order id (a message: order id and type).
* A change that is no call of the saga (a parcel's progress) uses `modify`, so that it can't slip past a decision.
* An effect outside the database (at a payment provider) is an `Effect`, and goes through `Claims`.

The files, from bottom to top; each imports only what is above it in this list:

    state          what the document records: operations, epoch, tombstone
    rules          what a call does to a document: gate, do, undo
    effects        how a participant describes an effect at a provider
    barrier        decide, write, and decide again after a lost race
    claim_rules    what claims and a provider's results do to a document
    holder         a claim's holder asks the provider, and gives the claim back if that fails
    claims         claim, ask, settle
"""

from common.barrier.barrier import LISTED, Barrier, InTransaction
from common.barrier.claims import Claims, waiting_index
from common.barrier.effects import Accepted, Effect, Fields, Happened
from common.barrier.rules import (
    DO,
    UNDO,
    Act,
    Answer,
    Call,
    Decision,
    Document,
    Done,
    Transition,
    Write,
    answer_of,
    answered,
    change,
    compensated,
    gate,
    running,
    with_epoch,
)
from common.barrier.state import BarrierState, Operation
from common.errors import Refused

__all__ = [
    "DO",
    "LISTED",
    "UNDO",
    "Accepted",
    "Act",
    "Answer",
    "Barrier",
    "BarrierState",
    "Call",
    "Claims",
    "Decision",
    "Document",
    "Done",
    "Effect",
    "Fields",
    "Happened",
    "InTransaction",
    "Operation",
    "Refused",
    "Transition",
    "Write",
    "answer_of",
    "answered",
    "change",
    "compensated",
    "gate",
    "running",
    "waiting_index",
    "with_epoch",
]
