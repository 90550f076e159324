"""The customers of undone orders are told, by the notification service: through the same gates as any call to it."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from saga_operator import metrics
from saga_operator.clock import Clock
from saga_operator.engine.calls.breaker import WAIT_AT_MOST, CircuitBreaker
from saga_operator.engine.calls.call_gate import CallGate
from saga_operator.engine.calls.participants import CallContext, Participants
from saga_operator.engine.records.duties import is_past
from saga_operator.engine.records.event_sender import EventSender
from saga_operator.engine.telling.harmless import harmless
from saga_operator.engine.telling.outbox import REMEMBERED, TAKEN, Answered, Outbox, Result, Tally
from saga_operator.process import reasons
from saga_operator.process.decide import Do
from saga_operator.process.events import DoRefused, EpochRefused, InProgress, NoUsableAnswer, Outcome, Paused, Succeeded
from saga_operator.process.saga import Saga
from saga_operator.process.undone_orders import NOTIFICATION_TYPE, Notice, notice_of
from saga_operator.resource.about import about, about_name
from saga_operator.resource.body import Resource
from saga_operator.resource.kube_events import KubernetesEvent
from saga_operator.resource.status import saga_of

log = logging.getLogger(__name__)

PARTICIPANT: Final = "notification"
CONCURRENCY: Final = 4
"""Calls at once: an eighth of those that the operator makes to a participant, so that orders on their way go on."""
CAPACITY: Final = 2_000
"""Messages that wait, each with the lines of its order. What comes after is found by the finalizer that is still on."""
AT_THE_END: Final = 2.0
"""Seconds, of all that the end of a namespace takes, in which messages are waited for."""


@dataclass(frozen=True, slots=True)
class _Letter:
    """A message on its way."""

    id: str
    """The saga's uid: each has one message."""
    notice: Notice
    correlation_id: str
    traceparent: str
    kind: str = NOTIFICATION_TYPE

    def about(self) -> dict[str, str]:
        """The fields of a log line about its saga."""
        order = self.notice.order
        return {**about_name(order.namespace, order.order_id), "correlation_id": self.correlation_id}


class Customers:
    """Also a duty, which holds the finalizer: see `records.duties`."""

    def __init__(
        self,
        participants: Participants,
        breaker: CircuitBreaker,
        gate: CallGate,
        clock: Clock,
        events: EventSender,
        *,
        since: float = 0.0,
    ) -> None:
        """`since`: seconds since the epoch. Of what had ended before nobody is told."""
        self._participants = participants
        self._breaker = breaker
        self._gate = gate
        self._clock = clock
        self._events = events
        self._since = since
        tally = Tally(metrics.MESSAGES_SENT, metrics.MESSAGES_FAILED, metrics.MESSAGES_WAITING, metrics.MESSAGES_OLDEST)
        self._outbox: Outbox[_Letter] = Outbox(
            self._send, PARTICIPANT, tally, [NOTIFICATION_TYPE], concurrency=CONCURRENCY, capacity=CAPACITY
        )
        self._nobody: OrderedDict[str, None] = OrderedDict()
        """Finished sagas, by uid, of whom nobody is to be told."""
        self._wait_until: float | None = None
        metrics.MESSAGES_MISSED.labels(NOTIFICATION_TYPE)

    async def aclose(self) -> None:
        """Its connections are the participants'."""

    async def run(self) -> None:
        """Send until cancelled."""
        await self._outbox.run()

    def when_done(self, call: Callable[[str], None]) -> None:
        """Have this called with the uid of each saga of which nothing waits any more."""
        self._outbox.when_all_is_taken = call

    def ended(self, resource: Resource) -> None:
        """Its end is recorded. Never blocks."""
        with harmless(resource):
            self._add(resource)

    def _add(self, resource: Resource) -> None:
        if (notice := _notice_of(resource)) is not None:
            traceparent = self._participants.after_the_end(resource)
            self._outbox.add(resource.uid, [_Letter(resource.uid, notice, resource.correlation_id, traceparent)])
        elif resource.finished:
            self._nobody[resource.uid] = None
            if len(self._nobody) > REMEMBERED:
                self._nobody.popitem(last=False)

    @property
    def is_open(self) -> bool:
        """Whether the notification service answers, as far as is known, and isn't paused."""
        return self._outbox.is_open and not self._breaker.is_open

    def is_seen_to(self, uid: str) -> bool:
        """Whether there is nobody to tell, as far as is known, or the message is answered or on its way."""
        return uid in self._nobody or self._outbox.knows(uid)

    async def done(self, resource: Resource) -> bool:
        """Whether there is nobody to tell, or the notification service is known to have the message."""
        if is_past(resource, self._since) or self._is_taken(resource):
            return True
        self._add(resource)
        if self._wait_until is not None:
            await self._outbox.settled(resource.uid, self._wait_until - asyncio.get_running_loop().time())
        return self._is_taken(resource)

    def _is_taken(self, resource: Resource) -> bool:
        return self._outbox.has_taken(resource.uid, resource.uid) or _notice_of(resource) is None

    def missed(self, resource: Resource) -> None:
        """A person deletes it, and has waited long enough."""
        metrics.MESSAGES_MISSED.labels(NOTIFICATION_TYPE).inc()
        text = "its deletion has waited long enough for the notification service, which has not told the customer"
        log.warning("%s", text, extra=about(resource))
        self._events.add(resource, KubernetesEvent("Warning", reasons.CUSTOMER_NOT_TOLD, text))

    def hurry(self) -> None:
        """The namespace ends: messages are waited for, but all of them together only so long."""
        self._wait_until = asyncio.get_running_loop().time() + AT_THE_END

    def forget(self, uid: str) -> None:
        """Its finalizer is off."""
        self._outbox.forget(uid)
        self._nobody.pop(uid, None)
        self._breaker.forget(_place_of(uid))

    async def _send(self, letter: _Letter) -> Answered:
        place = _place_of(letter.id)
        try:
            await self._turn(place)
            with self._breaker.call(place):
                async with self._gate.call():
                    outcome = await self._call(letter)
                event = self._breaker.record_outcome(place, outcome)
        finally:
            self._breaker.leave(place)
        return _meaning(event)

    async def _turn(self, place: str) -> None:
        """Wait for a turn, however long the notification service is down or paused."""
        woken = asyncio.Event()
        while not self._breaker.take(place, woken.set, undo=False):
            try:
                async with asyncio.timeout(WAIT_AT_MOST):
                    await woken.wait()
            except TimeoutError:
                continue
            woken.clear()

    async def _call(self, letter: _Letter) -> Outcome:
        action = Do(letter.notice.step)
        epoch = self._gate.epoch_for(PARTICIPANT)
        saga = Saga(letter.notice.order, created=self._clock.now())
        context = CallContext(epoch, letter.correlation_id, traceparent=letter.traceparent)
        outcome = await self._participants.perform(action, saga, context)
        metrics.call_ended(action, outcome)
        if isinstance(outcome, EpochRefused):
            await self._gate.epoch_was_refused(PARTICIPANT, epoch, outcome)
        elif isinstance(outcome, DoRefused):
            log.info("the customer can't be told: %s (%s)", outcome.reason, outcome.message, extra=letter.about())
        return outcome


def _notice_of(resource: Resource) -> Notice | None:
    return notice_of(saga_of(resource))


def _place_of(uid: str) -> str:
    """Its name in the line at the breaker, beside the saga's own."""
    return f"{uid}/customer"


def _meaning(event: Outcome | Paused) -> Answered:
    """A refusal ends it as well: the address bounces, or the contact is gone."""
    match event:
        case Succeeded() | DoRefused():
            return TAKEN
        case Paused():
            return Answered(Result.AWAY, event.message)
        case NoUsableAnswer():
            gone = event.reason in (reasons.NO_ANSWER, reasons.UNAVAILABLE, reasons.NOT_AUTHORIZED)
            return Answered(Result.AWAY if gone else Result.REFUSED, event.message, event.retry_after)
        case InProgress():
            return Answered(Result.REFUSED, event.message, event.retry_after)
        case _:
            return Answered(Result.REFUSED, event.shown_as)
