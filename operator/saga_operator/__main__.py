"""`python -m saga_operator`: take the Lease, then work until told to stop."""

import asyncio
import contextlib
import logging
import signal
import sys
from dataclasses import dataclass

import uvloop
from pydantic import ValidationError

from common.kube import Events, KubeClient, KubeError, Leases, OrderSagas
from common.logs import configure_logging
from saga_operator import metrics
from saga_operator.clock import Clock
from saga_operator.engine.api_writer import ApiWriter
from saga_operator.engine.breaker import CircuitBreaker
from saga_operator.engine.call_gate import CallGate, Epochs
from saga_operator.engine.engine import Engine
from saga_operator.engine.event_sender import EventSender
from saga_operator.engine.finalizers import FinalizerQueue
from saga_operator.engine.participants import Participants
from saga_operator.engine.resync import Resync
from saga_operator.engine.retention import Retention
from saga_operator.engine.stories import Stories
from saga_operator.engine.tasks import Tasks
from saga_operator.engine.worker import Shared
from saga_operator.handlers import watch
from saga_operator.health import Health
from saga_operator.lease import LeaseHolder
from saga_operator.process.order import CompensationPolicy
from saga_operator.process.steps import ORDER_SAGA
from saga_operator.settings import Settings
from saga_operator.watch_connection import WatchConnection

log = logging.getLogger("saga_operator")

BEGIN_AGAIN = 1.0
"""Seconds to wait after the watch has ended with an error that kopf doesn't survive."""


async def operate(settings: Settings) -> None:
    """Follow and lead until the process is told to stop. Raises `KubeError` or OSError if it can't start."""
    health = Health(settings)
    await health.start()
    clock = Clock()
    metrics.CLOCK_SKEW.set_function(lambda: clock.skew)
    client = KubeClient.from_config(user_agent="ordersaga-operator", on_answer=clock.heard)
    lease = LeaseHolder(Leases(client, settings.namespace), settings, clock.now)
    try:
        stop = _stop_signal()
        health.role = "following"
        while await _acquired(lease, stop):
            health.role = "leading"
            try:
                return await _lead(settings, client, clock, lease, stop, health=health)
            except Exception as error:
                # An error in the stream that kopf doesn't survive. A new process would begin again as well, but the
                # kubelet waits longer before each restart.
                log.error("the watch has ended, beginning again: %r", error, exc_info=error)
            stop = _stop_signal()
            health.role = "following"
            await asyncio.sleep(BEGIN_AGAIN)
    finally:
        await lease.release()
        await client.aclose()
        await health.stop()


def _stop_signal() -> asyncio.Event:
    """An event that SIGTERM or SIGINT sets."""
    stop = asyncio.Event()
    _handle_signals(stop)
    return stop


def _handle_signals(stop: asyncio.Event) -> None:
    """Set `stop` at a signal: also while kopf runs, which gets the event, and has put its own handlers in place."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


async def _acquired(lease: LeaseHolder, stop: asyncio.Event) -> bool:
    """Wait for the Lease; False if the process was told to stop meanwhile."""
    acquiring, stopping = asyncio.create_task(lease.acquire()), asyncio.create_task(stop.wait())
    await asyncio.wait([acquiring, stopping], return_when=asyncio.FIRST_COMPLETED)
    for task in (acquiring, stopping):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    return not stop.is_set()


@dataclass(frozen=True, slots=True)
class Operator:
    """The parts of a leading operator, put together by `compose`."""

    engine: Engine
    resync: Resync
    retention: Retention
    finalizers: FinalizerQueue
    events: EventSender
    participants: Participants
    tasks: Tasks

    async def stop(self) -> None:
        """Stop everything and close the connections to the participants. Stopping twice does no harm."""
        await self.tasks.stop()
        await self.engine.stop()
        await self.participants.aclose()


def compose(settings: Settings, clock: Clock, sagas: OrderSagas, events: Events, epochs: Epochs) -> Operator:
    """Make all parts and start what runs beside the watch, but for what lists. Call it inside the event loop."""
    participants = Participants(settings, clock.now)
    writer = ApiWriter(sagas, max_writes=settings.max_writes)
    sender = EventSender(events)
    gate = CallGate(epochs)
    breakers = {
        name: CircuitBreaker(
            name,
            now=clock.now,
            concurrency=settings.max_calls_per_participant,
            rate=settings.participant_rates.get(name, 0.0),
        )
        for name in {step.participant for step in ORDER_SAGA}
    }
    stories = Stories(participants.archive)
    finalizers = FinalizerQueue(writer, sagas, gate, stories)
    compensations = CompensationPolicy(settings.compensation_attempts, settings.compensation_seconds)
    engine = Engine(Shared(clock, writer, sender, gate, participants, breakers, compensations), finalizers)
    resync = Resync(engine, sagas, interval=settings.sweep_interval)
    retention = Retention(sagas, finalizers, stories, clock, interval=settings.sweep_interval)
    tasks = Tasks()
    tasks.start(finalizers.run(), "finalizers")
    tasks.start(sender.run(), "events")
    return Operator(engine, resync, retention, finalizers, sender, participants, tasks)


async def _lead(
    settings: Settings,
    client: KubeClient,
    clock: Clock,
    lease: LeaseHolder,
    stop_signal: asyncio.Event,
    *,
    health: Health,
) -> None:
    sagas = OrderSagas(client, settings.namespace)
    connection = WatchConnection(client)
    health.has_definition = lambda: connection.kind_is_served
    operator = compose(settings, clock, sagas, Events(client, component="ordersaga-operator"), lease)
    operator.tasks.start(lease.keep_renewed(), "lease")
    operator.tasks.start(operator.resync.run(), "resync")
    operator.tasks.start(operator.retention.run(), "retention")

    async def stop() -> None:
        """First end the calls, then release the Lease, so that a follower takes over at once."""
        await operator.stop()
        await lease.release()

    try:
        await watch(
            operator.engine,
            connection,
            sagas,
            stop_signal,
            on_stop=stop,
            on_start=lambda: _handle_signals(stop_signal),
        )
    finally:
        await stop()


def main() -> None:
    """Run the operator. If it can't start, it says why and ends with exit status 1."""
    try:
        settings = Settings()
    except ValidationError as error:
        sys.exit(f"the operator can't start: {error}")
    configure_logging("operator", log_format=settings.log_format, level=settings.log_level)
    for chatty in ("kopf.objects", "kopf.activities"):
        logging.getLogger(chatty).setLevel(logging.WARNING)  # a line for each watch event; the engine's say more
    try:
        uvloop.run(operate(settings))
    except (KubeError, OSError) as error:
        log.error("the operator can't start: %s", error)
        sys.exit(1)


if __name__ == "__main__":
    main()
