"""Who is told, as the settings say. What isn't configured isn't imported."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from common.wire import Json
from saga_operator.clock import Clock
from saga_operator.engine.calls.breaker import CircuitBreaker
from saga_operator.engine.calls.call_gate import CallGate
from saga_operator.engine.calls.participants import Participants
from saga_operator.engine.records.duties import Duty
from saga_operator.engine.records.event_sender import EventSender
from saga_operator.engine.shared import Listener
from saga_operator.lease_record import TELLS_CUSTOMERS, TELLS_SYSTEMS, told_since
from saga_operator.resource.body import Resource
from saga_operator.settings import Settings


class Teller(Duty, Protocol):
    """One who tells somebody, and whose telling is due of each finished saga."""

    def ended(self, resource: Resource) -> None:
        """Its end is recorded. Never blocks."""

    def when_done(self, call: Callable[[str], None]) -> None:
        """Have this called with the uid of each saga of which nothing waits any more."""

    async def run(self) -> None:
        """Tell until cancelled."""

    async def aclose(self) -> None:
        """Close the connections."""


@dataclass(frozen=True, slots=True)
class Tellers:
    """All of them: none, one or two."""

    everybody: Sequence[Teller] = ()
    systems: Listener | None = None
    """Who is also told of live sagas."""


def tellers_of(
    settings: Settings,
    clock: Clock,
    events: EventSender,
    *,
    gate: CallGate,
    participants: Participants,
    breakers: Mapping[str, CircuitBreaker],
    lease: Json | None = None,
) -> Tellers:
    """Make them. None of them tells anything yet. `lease`: it says since when they do."""
    lease = lease or {}
    everybody: list[Teller] = []
    systems: Listener | None = None
    if settings.tell_customers:
        from saga_operator.engine.telling.customers import PARTICIPANT, Customers  # noqa: PLC0415 - see above

        since = told_since(lease, TELLS_CUSTOMERS)
        everybody.append(Customers(participants, breakers[PARTICIPANT], gate, clock, events, since=since))
    if settings.events_sink:
        from saga_operator.engine.telling.sink import Sink  # noqa: PLC0415 - see above
        from saga_operator.engine.telling.systems import Systems  # noqa: PLC0415

        source = f"{settings.events_source}/{settings.namespace}"
        since = told_since(lease, TELLS_SYSTEMS)
        systems = Systems(source, Sink(settings, clock.now), events, since=since)
        everybody.append(systems)
    return Tellers(everybody, systems)
