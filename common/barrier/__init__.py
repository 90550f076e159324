"""The barrier: calls at least once, effects at most once, whatever order they arrive in.

One document per order holds the business fields and, under `barrier`, what was asked and answered (`state`).
Every operation is a pure function of that document (`rules`); the barrier applies its decision as ONE
conditional write: an insert, which the unique `_id` decides, or an update matched on `barrier.version`. Whoever loses
the race reads again and decides again. Nothing is ever "queried, then written".

How a service uses it:

    barrier = Barrier(database["shipments"], mongo)               # mongo only for `effects`
    call = key.call(body)                                         # common.web.idempotency: headers + body -> Call

    answer = await barrier.do(call, act)                          # act(document) -> Done(fields, body) | raise Refused
    answer = await barrier.undo(call, act, none)                  # act takes the effect back, none: there was none
    answer = await barrier.apply(document_id, transition)                  # any transition(document) -> Answer | Write
    return respond(request, answer)                               # common.web.app: Answer -> Response

* `act(document)` is pure and gets the document as it is (None for a first do). `Done.fields` are set in the document
  (put `order_id` and `status` there: a document without `status` is only a tombstone or a refusal, is never listed and
  is a 404), `Done.body` is the resource in the answer. An undo's answer gets `"effect": "undone" | "none"` by itself.
* `raise Refused(code, detail, fields=…)` in a do's act: 409, stored under the key. In an undo's act: 409, not stored.
* `effects=async (session, write) -> None`: work on other documents in the same transaction as the effect (stock). It
  may raise Refused: the transaction is aborted and the refusal becomes the do's stored answer. It runs only with the
  write that makes or takes back the effect, never for a replay, and again after a write conflict: no side effects
  outside the session.
* `document_id=` names the document if it isn't the order id (a message: order id and type).
* Effects outside the database (a payment provider) go through `Claims`, which is built on `commit`.
* A change that isn't part of the saga (a parcel's progress) uses `modify`, so that no race gets past the version.
"""

from common.barrier.barrier import LISTED, Barrier, Effects
from common.barrier.claims import Claims, waiting_index
from common.barrier.effects import Accepted, Effect, Fields, Happened
from common.barrier.rules import (
    DO,
    UNDO,
    Act,
    Answer,
    Call,
    Claimed,
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
    "Claimed",
    "Claims",
    "Decision",
    "Document",
    "Done",
    "Effect",
    "Effects",
    "Fields",
    "Happened",
    "Operation",
    "Refused",
    "Transition",
    "Write",
    "answer_of",
    "answered",
    "change",
    "compensated",
    "gate",
    "waiting_index",
    "with_epoch",
]
