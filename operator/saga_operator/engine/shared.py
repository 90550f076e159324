"""What the workers of all sagas have in common."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from saga_operator.clock import Clock
from saga_operator.engine.calls.breaker import CircuitBreaker
from saga_operator.engine.calls.call_gate import CallGate
from saga_operator.engine.calls.participants import Participants
from saga_operator.engine.records.api_writer import ApiWriter
from saga_operator.engine.records.event_sender import EventSender
from saga_operator.engine.records.traces import Traces
from saga_operator.engine.resting import Awake
from saga_operator.process.order import CompensationPolicy
from saga_operator.resource.body import Resource


class Listener(Protocol):
    """Who is told of the lifecycle of sagas. Nothing in it blocks."""

    def begun(self, resource: Resource) -> None:
        """A call is about to be made for it; its finalizer is on."""

    def saw(self, resource: Resource) -> None:
        """It is live, and recorded like this."""


@dataclass(frozen=True, slots=True)
class Shared:
    """Made once, with the other parts of a leading operator."""

    clock: Clock
    writer: ApiWriter
    events: EventSender
    gate: CallGate
    participants: Participants
    breakers: Mapping[str, CircuitBreaker]
    """One for each participant, by its name."""
    compensations: CompensationPolicy
    traces: Traces | None = None
    """None: no collector is configured."""
    namespace_ends: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the namespace is deleted with its operator: every saga ends as if its deletion was requested."""
    awake: Awake = field(default_factory=Awake)
    """The workers that don't rest."""
    systems: Listener | None = None
    """Other systems, if there is a sink for events."""
    on_end: Sequence[Callable[[Resource], None]] = ()
    """Called with each resource whose end this process has recorded."""
