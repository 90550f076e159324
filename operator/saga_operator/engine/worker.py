"""The worker of one saga: decide, call, apply the outcome, record; never two calls at once.

Only what `must_be_recorded_before` names waits for the record. Everything else is recorded beside the calls. A worker
that has nothing to do for a while comes to rest: what it knows is kept packed, without a task (see `resting`).
"""

import asyncio
import logging
import random
from dataclasses import replace
from typing import Self

from saga_operator import metrics
from saga_operator.engine.calls.call_gate import pause_before_the_next
from saga_operator.engine.calls.call_pace import CallPace
from saga_operator.engine.calls.participants import CallContext
from saga_operator.engine.calls.places import Places
from saga_operator.engine.records.record import ResourceGone
from saga_operator.engine.records.recorder import StatusRecorder
from saga_operator.engine.records.restorer import FinalizerRestorer
from saga_operator.engine.records.write_room import LATEST
from saga_operator.engine.resting import Rest
from saga_operator.engine.shared import Shared
from saga_operator.process import reasons
from saga_operator.process.decide import Action, Do, Finish, Undo, Wait, decide, must_be_recorded_before, open_calls
from saga_operator.process.events import EpochRefused, Observed, Outcome, Paused, Succeeded
from saga_operator.process.saga import FINISHED, Saga
from saga_operator.process.steps import BY_NAME
from saga_operator.resource.about import about
from saga_operator.resource.attempts import History
from saga_operator.resource.body import Resource
from saga_operator.resource.kube_events import KubernetesEvent
from saga_operator.resource.status import desired_of, intervention_of, requested_by

log = logging.getLogger(__name__)


class Worker:
    """Works on one resource, from its first event until its saga has ended or it is gone."""

    def __init__(self, resource: Resource, shared: Shared) -> None:
        self._shared = shared
        self._changed = asyncio.Event()
        self._recorder = StatusRecorder(
            resource,
            shared.writer,
            shared.events,
            shared.clock,
            self._changed.set,
            compensations=shared.compensations,
            traces=shared.traces,
        )
        self._places = Places(resource.uid, shared.breakers, self.woken)
        self._begin(resource)

    @classmethod
    def resumed(cls, rest: Rest, shared: Shared) -> Self:
        """The worker that has rested, as it was."""
        worker = cls.__new__(cls)
        worker._shared = shared
        worker._changed = asyncio.Event()
        memory, epochs_refused = rest.unpacked()
        worker._recorder = StatusRecorder.resumed(
            memory,
            shared.writer,
            shared.events,
            shared.clock,
            worker._changed.set,
            compensations=shared.compensations,
            traces=shared.traces,
        )
        worker._places = rest.places
        worker._places.on_turn = worker.woken
        worker._begin(worker.resource)
        worker._epochs_refused = epochs_refused
        return worker

    def _begin(self, resource: Resource) -> None:
        self._restorer = FinalizerRestorer(self._shared.writer)
        self._newer: Resource | None = None
        self.pace = CallPace()
        """How fast it calls."""
        self._epochs_refused = 0  # in a row
        self._restored = False
        """Whether `_newer` is believed although its version is lower: etcd was restored to an older state."""
        self._doubted = False
        """Whether the resource has to be read before anything else is done: it may be gone."""
        self.name = resource.name
        self.uid = resource.uid

    @property
    def saga(self) -> Saga:
        """As it is known now, also beyond what is recorded."""
        return self._recorder.saga

    @property
    def history(self) -> History:
        """Of each step: its last attempts."""
        return self._recorder.history

    @property
    def resource(self) -> Resource:
        """The resource as it was last read or written."""
        return self._recorder.resource

    @property
    def kept_trace(self) -> str:
        """The id of its trace, if that is recorded."""
        return self._recorder.kept_trace

    def notify(self, resource: Resource) -> None:
        """Take note of the resource as a watch event or a list shows it. An older version than the known is ignored."""
        if resource.version > (self._newer or self.resource).version:
            self._newer = resource
            if self._recorder.recorded.phase not in FINISHED:
                self._restorer.put_back(resource)
            self._changed.set()

    def restored(self, resource: Resource) -> None:
        """Go on from this version, though it is older than the known one: etcd was restored to an older state."""
        self._newer, self._restored = resource, True
        self._changed.set()

    def look(self) -> None:
        """Decide again."""
        self._changed.set()

    def doubt(self) -> None:
        """Read the resource before anything else is done for it: it may be gone. A call in flight is finished."""
        self._doubted = True
        self._changed.set()

    async def run(self) -> Rest | None:
        """Work until the saga has ended and is recorded as such, or its resource is gone, or there is nothing to do for
        a while: then what it has to remember is returned, and `resumed` goes on from there.
        """
        recorder = self._recorder
        rest: Rest | None = None
        try:
            while rest is None:
                await self._observe()
                self._places.keep_only(open_calls(recorder.saga))
                action = decide(self._places.as_seen(recorder.saga), self._shared.clock.now())
                if isinstance(action, Finish):
                    await recorder.write()
                    if recorder.recorded.phase in FINISHED:
                        break
                    continue
                rest = await self._act(action)
        except ResourceGone:
            log.info("the resource is gone", extra=about(self.resource))
            self._tell_if_abandoned()
        finally:
            if rest is None:
                self.forget()
        return rest

    def _tell_if_abandoned(self) -> None:
        last = self._newer or self.resource
        if last.abandoned:
            self._shared.events.add(last, KubernetesEvent.of_abandoned(last.abandoned))

    def forget(self) -> None:
        """It makes no calls and no writes any more."""
        self._places.forget()
        self._restorer.stop()
        self._recorder.stop()

    async def _act(self, action: Action) -> Rest | None:
        recorder = self._recorder
        if isinstance(action, Wait):
            recorder.write_beside()
            return await self._wait_or_rest(action.until)
        elif isinstance(action, Do | Undo):
            if must_be_recorded_before(action, recorder.saga, recorder.recorded):
                await recorder.write()  # and decide again: another process may have written first
                return None
            recorder.write_beside()
            await self._call(action)
        return None

    async def _call(self, action: Do | Undo) -> None:
        shared, recorder, step = self._shared, self._recorder, action.step.name
        undo = isinstance(action, Undo)
        if (pause := self.pace.pause()) > 0:  # whatever a participant answers, and whatever we make of it
            metrics.CALLS_THROTTLED.labels(step).inc()
            await self._wait(shared.clock.now() + pause)
            return
        breaker, now = shared.breakers[action.step.participant], shared.clock.now()
        if not self._places.take(action, now):
            # waiting for a turn among many calls is no news; waiting for one that is down or paused is, once
            if breaker.is_open and recorder.saga.reason_of(step) != breaker.reason:
                recorder.apply(breaker.hold(step, undo=undo, started=now))
            return
        with breaker.call(self.uid):
            async with shared.gate.call():
                if self._doubted:  # since its turn was waited for
                    return
                if shared.systems is not None:
                    shared.systems.begun(recorder.resource)
                epoch = shared.gate.epoch_for(action.step.participant)
                number = _attempts(recorder.saga, action) + 1
                traceparent = ""
                if shared.traces is not None:
                    recorded = _attempts(recorder.recorded, action)
                    traceparent = shared.traces.header(recorder.resource, action.step, number, recorded, undo=undo)
                context = CallContext(epoch, recorder.resource.correlation_id, number, traceparent)
                self.pace.note()
                outcome = await shared.participants.perform(action, recorder.saga, context)
            event = breaker.record_outcome(self.uid, outcome)
        if isinstance(outcome, EpochRefused):
            self._epochs_refused += 1
            pause = pause_before_the_next(self._epochs_refused, random.random())  # noqa: S311 - guards nothing
            event = outcome = replace(outcome, pause=pause)
            await shared.gate.epoch_was_refused(action.step.participant, epoch, outcome)
        else:
            self._epochs_refused = 0
        metrics.call_ended(action, outcome, trace_id=recorder.kept_trace)
        self._log_call(action, number, outcome)
        recorder.add_attempt(outcome, undo=undo, number=number)
        if isinstance(event, Paused):
            recorder.apply(event)  # it takes its next turn when its pause is over
        else:
            recorder.apply_outcome(event)

    def woken(self, step: str) -> None:
        """It may be the turn of this step's call, or its participant went down."""
        self._recorder.retry_now(step)
        self._changed.set()

    def _log_call(self, action: Do | Undo, number: int, outcome: Outcome) -> None:
        step = self.saga[action.step.name]
        operation = "undo" if isinstance(action, Undo) else "do"
        # nothing to tell: the service has a line of it, and the end of the saga is one
        level = logging.DEBUG if isinstance(outcome, Succeeded) and step.start is None else logging.INFO
        if not log.isEnabledFor(level):
            return
        fields = {
            **about(self.resource),
            "step": f"{action.step.name}/{operation}",
            "attempt": number,
        }
        if reason := getattr(outcome, "reason", ""):
            fields["reason"] = reason
        log.log(level, "%s %s: %s", operation, action.step.name, outcome.shown_as, extra=fields)

    async def _observe(self) -> None:
        """Apply what the resource says now: the desired state, a deletion, an intervention; and what time it is."""
        recorder = self._recorder
        recorder.raise_if_gone()
        recorder.follow_clock()
        if self._doubted:
            self._doubted = False
            await recorder.read_again()
        if self._newer is not None and not recorder.is_writing:
            newer, self._newer = self._newer, None
            if newer.version > recorder.resource.version or self._restored:
                recorder.adopt(newer)
            self._restored = False
        # At the start, and again whenever somebody has replaced the resource by a manifest without it.
        await recorder.ensure_finalizer()
        resource, now = recorder.resource, self._shared.clock.now()
        if self._shared.systems is not None:
            self._shared.systems.saw(resource)
        before = recorder.saga.intervention
        recorder.apply(
            Observed(
                at=now,
                desired=desired_of(resource),
                deleting=resource.deleting or self._shared.namespace_ends.is_set(),
                intervention=intervention_of(resource),
                desired_by=requested_by(resource),
                deletion_reason=resource.deletion_reason,
                absences=self._shared.gate.absences(now),
            )
        )
        done = recorder.saga.intervention
        if done is not None and done != before and (done.action, done.outcome) == ("RetryNow", reasons.INTERVENED):
            self._shared.breakers[BY_NAME[done.step].participant].probe_now()

    async def _wait_or_rest(self, until: float | None) -> Rest | None:
        """Wait until then, or until something changes. What would take longer than a moment is a rest."""
        if not self._is_recorded:  # the end of that is a change
            latest = self._shared.clock.now() + LATEST
            await self._wait(latest if until is None else min(until, latest))
            return None
        patience = self._shared.awake.patience
        if until is not None and until - self._shared.clock.now() <= 2 * patience:
            await self._wait(until)
            return None
        if await self._wait(self._shared.clock.now() + patience) or not self._may_rest:
            return None
        return Rest.of(self._recorder.memory(), self._epochs_refused, self._places, until)

    @property
    def _may_rest(self) -> bool:
        """Nothing is in flight, and nothing is to be looked at."""
        looks = self._newer is not None or self._doubted or self._changed.is_set()
        return not looks and self._is_recorded

    @property
    def _is_recorded(self) -> bool:
        """Nothing is on its way to the API server, or waits to be."""
        return self._recorder.may_rest and not self._restorer.is_writing

    async def _wait(self, until: float | None) -> bool:
        """Wait until then (seconds since the epoch), or until something changes. Returns whether something did."""
        if self._newer is not None or self._doubted:  # it is adopted when the write in flight has ended
            await self._recorder.wait_for_write()
            return True
        self._changed.clear()
        try:
            async with asyncio.timeout(None if until is None else max(0.0, until - self._shared.clock.now())):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True


def _attempts(saga: Saga, action: Do | Undo) -> int:
    """How many of this call are counted."""
    record = saga[action.step.name]
    return record.compensation.attempts if isinstance(action, Undo) else record.attempts
