"""The barrier of one collection: a decision becomes one conditional write; after a lost race it is made again."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from common.barrier import rules
from common.barrier.rules import Act, Answer, Call, Claimed, Decision, Document, Done, Transition, Write, answer_of
from common.barrier.state import BarrierState
from common.errors import Problem, Refused, Unavailable, Unreadable
from common.mongo import TRANSACTION_ATTEMPTS, Collection, DuplicateKeyError, Mongo, Session
from common.shop.erasure import ERASED, references_in

log = logging.getLogger(__name__)

D = TypeVar("D", bound=Answer | Write | Claimed)
InTransaction = Callable[[Session, Write], Awaitable[None]]
"""Work on other documents in the transaction of a write that makes or takes back an effect."""

ATTEMPTS = 40
"""Lost races after which a call is answered 503. In each of them another call succeeded; with back-off about 2 s."""

LISTED: Mapping[str, Any] = {"status": {"$exists": True}}
"""A filter for everything but tombstones and bare refusals."""


class _LostRaceError(Exception):
    """Another call wrote the document first."""


def _decided(transition: Callable[[Document | None], D], document: Document | None) -> D:
    """What the transition decides. It raises nothing but Problems, unless the document isn't as it was written."""
    try:
        return transition(document)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if document is None:
            raise
        log.exception("the document of order %s can't be read", document.get("_id"))
        raise Unreadable(document, f"{type(error).__name__} {error}") from error


class Barrier:
    """The barrier of one collection; `mongo` is needed only where `in_transaction` is used, and its transactions are
    run at most so many times (`Mongo.transaction`).
    """

    def __init__(
        self, collection: Collection, mongo: Mongo | None = None, *, attempts: int = TRANSACTION_ATTEMPTS
    ) -> None:
        self.collection = collection
        self._mongo = mongo
        self._attempts = attempts

    async def do(
        self, call: Call, act: Act, *, document_id: str | None = None, in_transaction: InTransaction | None = None
    ) -> Answer:
        """Make the effect, or answer as before, or refuse. Raises Unavailable after too many lost races."""
        document_id = document_id or call.order_id
        try:
            return await self.apply(
                document_id, lambda found: rules.do(call, found, act), new=True, in_transaction=in_transaction
            )
        except Refused as refusal:  # by the transaction, which is aborted; the refusal itself is stored
            refused = refusal

        def refuse(_: Document | None) -> Done:
            raise refused

        return await self.apply(document_id, lambda found: rules.do(call, found, refuse), new=True)

    async def do_together(
        self, dos: Sequence[tuple[Call, Act]], in_transaction: Callable[[Session], Awaitable[None]]
    ) -> list[Answer]:
        """Make the effects of several orders in one transaction: all of them, or none. The acts don't refuse.

        Raises DuplicateKeyError if one of the orders has a document already, Contended, or whatever `in_transaction`
        raises. Then each is to be done by itself (`do`), which also finds out whether it happened after all.
        """
        if self._mongo is None:
            raise TypeError("this needs transactions: Barrier(collection, mongo)")
        writes = [(call.order_id, rules.do(call, None, act)) for call, act in dos]
        documents = [_new(order_id, write) for order_id, write in writes if isinstance(write, Write) and write.effect]
        if len(documents) < len(writes):
            raise TypeError("an act that may refuse can't be done together with others")

        async def body(session: Session) -> None:
            await self.collection.insert_all(documents, session=session)
            await in_transaction(session)

        await self._mongo.transaction(body, attempts=self._attempts)
        return [answer_of(write) for _, write in writes]

    async def undo(
        self,
        call: Call,
        act: Act,
        none: Act = rules.nothing,
        *,
        document_id: str | None = None,
        new: bool = False,
        known: Document | None = None,
        in_transaction: InTransaction | None = None,
    ) -> Answer:
        """Take the effect back if there is one, and leave the tombstone that a late do will meet. `new` and `known`: as
        in `commit`.
        """
        try:
            return await self.apply(
                document_id or call.order_id,
                lambda found: rules.undo(call, found, act, none),
                new=new,
                known=known,
                in_transaction=in_transaction,
            )
        except Refused as refusal:
            return Answer.of(refusal, call.order_id)

    async def apply(
        self,
        document_id: str,
        transition: Transition,
        *,
        new: bool = False,
        known: Document | None = None,
        guess: Document | None = None,
        in_transaction: InTransaction | None = None,
    ) -> Answer:
        """Decide and write; after a lost race read and decide again. `new`, `known`, `guess`: as in `commit`."""
        if guess is not None and (answer := await self._by_guess(document_id, transition, guess)) is not None:
            return answer
        decision, _ = await self.commit(document_id, transition, new=new, known=known, in_transaction=in_transaction)
        return answer_of(decision)

    async def _by_guess(self, document_id: str, transition: Transition, guess: Document) -> Answer | None:
        """Decide on the document as it is in all likelihood, and write if that is what it is; None if it isn't.

        Every field has to be as guessed, down to the stored answers. Only the epoch may be any that this write doesn't
        lower. Whatever isn't a write is decided on the document itself.
        """
        try:
            decision = transition(guess)
        except Problem:
            return None
        if not isinstance(decision, Write):
            return None
        where = {**guess, "_id": document_id}
        barrier = {**where.pop("barrier"), "epoch": {"$lte": decision.state.epoch}}
        where |= {f"barrier.{name}": value for name, value in barrier.items()}
        change = {"$set": {**decision.fields, "barrier": decision.state.to_document()}}
        return decision.answer if await self.collection.update(where, change, hint="_id_") else None

    async def modify(self, document_id: str, fields_of: Callable[[Document], Mapping[str, Any]]) -> Document | None:
        """Set `fields_of(document)` in a change that is no call of the saga; the document afterwards, None without one.

        `fields_of` is pure and called again after a lost race. If it returns no fields, nothing is written; nor if it
        raises (Refused for an illegal transition), which is passed on.
        """

        def transition(found: Document | None) -> Decision:
            fields = {} if found is None or "status" not in found else fields_of(found)
            state = BarrierState.of(found)
            unchanged = Answer(200, {})
            return Write(fields, state.next(namespace="", epoch=None), unchanged) if fields else unchanged

        _, document = await self.commit(document_id, transition)
        return document if "status" in document else None

    async def erase(self, document_id: str, *names: str) -> bool:
        """Replace the references in these fields, and in the answers that are stored; whether there were any."""

        def transition(found: Document | None) -> Decision:
            references = references_in(found or {}, names)
            if not references:
                return Answer(200, {})
            state = BarrierState.of(found).without(references.values()).next(namespace="", epoch=None)
            return Write(dict.fromkeys(references, ERASED), state, Answer(200, {}))

        decision, _ = await self.commit(document_id, transition)
        return isinstance(decision, Write)

    async def get(self, document_id: str) -> Document | None:
        """The document as it is, also a bare tombstone; None if there is none."""
        return await self.collection.find_one({"_id": document_id})

    async def commit(
        self,
        document_id: str,
        transition: Callable[[Document | None], D],
        *,
        new: bool = False,
        known: Document | None = None,
        in_transaction: InTransaction | None = None,
    ) -> tuple[D, Document]:
        """`apply` for callers that need the decision itself and the document after it ({} if there is none).

        `known` is the document as it was a moment ago: it saves a read if it hasn't been written since. `new` saves it
        if there is no document yet.
        """
        document = known if new or known is not None else await self.get(document_id)
        for attempt in range(ATTEMPTS):
            decision = _decided(transition, document)
            if isinstance(decision, Answer):
                return decision, document or {}
            try:
                await self._write(document_id, document, decision, in_transaction)
            except (_LostRaceError, DuplicateKeyError):
                # The winner's write may not have reached the majority yet; until then a read doesn't show it.
                if attempt:
                    await asyncio.sleep(random.uniform(0, min(0.001 * 2**attempt, 0.1)))  # noqa: S311
                document = await self.get(document_id)
                continue
            return decision, {
                **(document or {"_id": document_id}),
                **decision.fields,
                "barrier": decision.state.to_document(),
            }
        detail = f"order {document_id}: too many other calls changed it at the same time; ask again with the same key"
        raise Unavailable(detail, order_id=document_id)

    async def _write(
        self, document_id: str, document: Document | None, write: Write | Claimed, in_transaction: InTransaction | None
    ) -> None:
        if in_transaction is None or isinstance(write, Claimed) or not write.effect:
            await self._write_one(document_id, document, write, None)
            return
        if self._mongo is None:
            raise TypeError("in_transaction needs transactions: Barrier(collection, mongo)")
        made, run = write, in_transaction

        async def body(session: Session) -> None:
            await self._write_one(document_id, document, made, session)
            await run(session, made)

        await self._mongo.transaction(body, attempts=self._attempts)

    async def _write_one(
        self, document_id: str, document: Document | None, write: Write | Claimed, session: Session
    ) -> None:
        if document is None:
            await self.collection.insert(_new(document_id, write), session=session)
            return
        where = {"_id": document_id, "barrier.version": document["barrier"]["version"]}
        change = {"$set": {**write.fields, "barrier": write.state.to_document()}}
        if not await self.collection.update(where, change, session=session):
            raise _LostRaceError(document_id)


def _new(document_id: str, write: Write | Claimed) -> dict[str, Any]:
    """The document that a first write makes."""
    return {"_id": document_id, **write.fields, "barrier": write.state.to_document()}
