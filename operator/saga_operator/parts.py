"""The parts of an operator that leads, put together."""

from collections.abc import Callable
from dataclasses import dataclass

from common.kube import Events, OrderSagas, ParticipantResources
from common.tracing.export import Spans
from common.wire import Json
from saga_operator.clock import Clock
from saga_operator.echoes import Echoes
from saga_operator.engine.calls.breaker import CircuitBreaker
from saga_operator.engine.calls.call_gate import CallGate, Epochs
from saga_operator.engine.calls.participants import NAMES, Participants, terms_by
from saga_operator.engine.deletions import Deletions
from saga_operator.engine.engine import Engine
from saga_operator.engine.namespace_end import NamespaceEnd
from saga_operator.engine.participant_resources import ParticipantFollower
from saga_operator.engine.records.api_writer import ApiWriter
from saga_operator.engine.records.duties import Duties
from saga_operator.engine.records.event_sender import EventSender
from saga_operator.engine.records.finalizers import FinalizerQueue
from saga_operator.engine.records.stories import Stories
from saga_operator.engine.records.traces import Traces
from saga_operator.engine.removals import Removals
from saga_operator.engine.resync import Resync
from saga_operator.engine.retention import Retention
from saga_operator.engine.shared import Shared
from saga_operator.engine.telling.tellers import Tellers, tellers_of
from saga_operator.engine.timetable import Timetable
from saga_operator.heartbeats import Heartbeats
from saga_operator.process.order import CompensationPolicy
from saga_operator.settings import Settings


@dataclass(frozen=True, slots=True)
class Operator:
    """The parts of a leading operator, put together by `compose`."""

    engine: Engine
    resync: Resync
    retention: Retention
    deletions: Deletions
    finalizers: FinalizerQueue
    events: EventSender
    participants: Participants
    follower: ParticipantFollower
    namespace_end: NamespaceEnd
    tellers: Tellers
    traces: Traces | None

    async def stop(self) -> None:
        """Stop the sagas and close the connections to the participants. Stopping twice does no harm."""
        await self.engine.stop()
        await self.participants.aclose()
        for teller in self.tellers.everybody:
            await teller.aclose()


def compose(
    settings: Settings,
    clock: Clock,
    sagas: OrderSagas,
    *,
    events: Events,
    epochs: Epochs,
    heartbeats: Heartbeats | None = None,
    echoes: Echoes | None = None,
    lease: Callable[[], Json | None] = lambda: None,
    spans: Spans | None = None,
) -> Operator:
    """Make all parts. None of them runs yet. Call it inside the event loop.

    `lease`: the Lease that this operator holds, which Events about the operator itself are about. `spans`: the way to
    the collector of traces, if one is configured.
    """
    participants = Participants(settings, clock.now)
    writer = ApiWriter(sagas, max_writes=settings.max_writes, echoes=echoes)
    traces = None if spans is None else Traces(spans)
    if traces is not None:
        participants.after_the_end = traces.after_the_end
    sender = EventSender(events) if traces is None else EventSender(events, traces.annotations)
    gate = CallGate(epochs)
    defaults = {name: terms_by(settings, name) for name in NAMES}
    breakers = {
        name: CircuitBreaker(name, now=clock.now, concurrency=terms.concurrency, rate=terms.rate)
        for name, terms in defaults.items()
    }
    resources = ParticipantResources(sagas.client, sagas.namespace)
    follower = ParticipantFollower(resources, defaults, participants, breakers, clock=clock, events=sender)
    stories = Stories(participants.archive)
    tellers = tellers_of(
        settings, clock, sender, gate=gate, participants=participants, breakers=breakers, lease=lease()
    )
    duties = Duties(stories, tellers.everybody, last=traces)
    finalizers = FinalizerQueue(writer, sagas, gate, duties)
    for teller in tellers.everybody:
        teller.when_done(finalizers.look_again)
    if traces is not None:
        traces.when_said = finalizers.look_again
    compensations = CompensationPolicy(settings.compensation_attempts, settings.compensation_seconds)
    expiries = Timetable()
    on_end = [teller.ended for teller in tellers.everybody]
    parts = (clock, writer, sender, gate, participants, breakers, compensations, traces)
    shared = Shared(*parts, systems=tellers.systems, on_end=on_end)
    engine = Engine(shared, finalizers, expiries, most=settings.max_sagas)
    resync = Resync(engine, sagas, heartbeats=heartbeats or Heartbeats(), interval=settings.sweep_interval)
    retention = Retention(sagas, finalizers, stories, clock, expiries=expiries, removals=Removals(sender, lease))
    deletions = Deletions(sagas, finalizers, retention)
    finalizers.find_missed = deletions.look_at_all
    end = NamespaceEnd(sagas, engine, finalizers, resync=resync, retention=retention)
    return Operator(
        engine, resync, retention, deletions, finalizers, sender, participants, follower, end, tellers, traces
    )
