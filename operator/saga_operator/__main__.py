"""`python -m saga_operator`: take the Lease, then work until told to stop."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from functools import partial
from typing import Any

import uvloop
from pydantic import ValidationError

from common.collector import calm_collector
from common.kube import Events, KubeClient, KubeError, Leases, ObjectNotFound, OrderSagas
from common.logs import configure_logging
from common.tracing.export import Spans, open_spans
from common.variables import UnknownVariable, refuse_unknown
from saga_operator import metrics
from saga_operator.clock import Clock
from saga_operator.echoes import Echoes
from saga_operator.handlers import watch
from saga_operator.health import Health
from saga_operator.heartbeats import Heartbeats
from saga_operator.lease import LeaseHolder, time_out
from saga_operator.lease_stand_in import LeaseStandIn
from saga_operator.parts import compose
from saga_operator.resource.body import Resource
from saga_operator.resource.kube_events import KubernetesEvent
from saga_operator.settings import Settings
from saga_operator.watch_connection import WatchConnection

log = logging.getLogger("saga_operator")

BEGIN_AGAIN = 1.0
"""Seconds to wait after the watch has ended with an error that kopf doesn't survive."""

STOPPING = 15.0
"""Seconds that the other parts have to end in after one has died. What hangs longer ends with the process."""


class PartEnded(Exception):  # noqa: N818 - it reads as what happened
    """A part that runs for as long as the operator leads has ended by itself. The message says which, and why."""


async def operate(settings: Settings) -> None:
    """Follow and lead until the process is told to stop.

    Raises:
        KubeError, OSError: it can't start.
        PartEnded: a part of it has died; a new process begins with all parts whole.
    """
    async with metrics.LOOP_LAG.watched():
        await _follow_and_lead(settings)


async def _follow_and_lead(settings: Settings) -> None:
    heartbeats = Heartbeats()
    spans = open_spans("ordersaga-operator", on_drop=metrics.SPANS_DROPPED.inc)
    clock = Clock()
    metrics.CLOCK_SKEW.set_function(lambda: clock.skew)
    # Those of the sagas may all be in use when the Lease has to be renewed.
    client, own = (
        KubeClient.from_config(
            user_agent="ordersaga-operator", on_answer=clock.heard, on_call=metrics.API_REQUESTS.count
        )
        for _ in range(2)
    )
    leases = Leases(own, settings.namespace, seconds=time_out(settings))
    watched = WatchConnection(client, Echoes())

    async def reconnect() -> None:
        """No answer: connections that lead nowhere are silent, and those of the sagas and the watch ended there too."""
        await own.renew_connections()
        await client.renew_connections()
        watched.resume()

    lease = LeaseHolder(
        leases,
        settings,
        clock.now,
        reconnect=reconnect,
        stand_in=LeaseStandIn(OrderSagas(own, settings.namespace)),
        heartbeats=heartbeats,
    )
    health = Health(settings, heartbeats, partial(_answers, leases, settings.lease_name))
    health.unrenewed_seconds = lambda: lease.unrenewed_seconds
    await health.start()
    try:
        stop = _stop_signal()
        health.role = "following"
        while await _acquired(lease, stop):
            health.role = "leading"
            try:
                return await _lead(
                    *(settings, client, clock, lease, stop),
                    connection=watched,
                    health=health,
                    heartbeats=heartbeats,
                    spans=spans,
                )
            except BaseExceptionGroup as group:
                if (ended := group.subgroup(PartEnded)) is not None:
                    raise ended.exceptions[0] from None
                # An error in the stream that kopf doesn't survive. A new process would begin again as well, but the
                # kubelet waits longer before each restart.
                log.error("the watch has ended, beginning again: %r", group.exceptions[0], exc_info=group)
            _handle_signals(stop)  # the same: it may have come just now
            health.role = "following"
            heartbeats.forget()
            await asyncio.sleep(BEGIN_AGAIN)
    finally:
        await lease.release()
        await client.aclose()
        await own.aclose()
        await health.stop()
        if spans is not None:
            await spans.close()


async def _answers(leases: Leases, name: str) -> bool:
    """Whether the API server answers what the holder of the Lease asks of it."""
    try:
        await leases.get(name)
    except ObjectNotFound:
        return True
    except KubeError:
        return False
    return True


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
    """Wait for the Lease; False if told to stop meanwhile. Raises `PartEnded`."""
    acquiring, stopping = asyncio.create_task(lease.acquire()), asyncio.create_task(stop.wait())
    await asyncio.wait([acquiring, stopping], return_when=asyncio.FIRST_COMPLETED)
    if acquiring.cancelled():
        raise PartEnded("the acquisition of the Lease was cancelled, by nobody who stops the operator")
    for task in (acquiring, stopping):
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            continue
        except Exception as error:
            raise PartEnded(f"the acquisition of the Lease has failed: {error!r}") from error
    return not stop.is_set()


async def _lead(
    settings: Settings,
    client: KubeClient,
    clock: Clock,
    lease: LeaseHolder,
    stop_signal: asyncio.Event,
    *,
    connection: WatchConnection,
    health: Health,
    heartbeats: Heartbeats,
    spans: Spans | None,
) -> None:
    """Work until the process is told to stop. Raises a group with the errors of the watch and of the parts."""
    sagas = OrderSagas(client, settings.namespace)
    health.has_definition = lambda: connection.kind_is_served
    events = Events(client, component="ordersaga-operator")
    operator = compose(
        settings,
        clock,
        sagas,
        events=events,
        epochs=lease,
        heartbeats=heartbeats,
        echoes=connection.echoes,
        lease=lambda: lease.lease,
        spans=spans,
    )
    if (held := lease.lease) is not None and lease.take_news():
        operator.events.add(Resource(held), KubernetesEvent.of_leader(settings.identity))
    parts = {
        "the renewal of the Lease": lease.keep_renewed(),
        "the resync": operator.resync.run(),
        "the time to live": operator.retention.run(),
        "the watch of deletions": operator.deletions.run(),
        "the removal of finalizers": operator.finalizers.run(),
        "the sending of Events": operator.events.run(),
        "the participants' resources": operator.follower.run(),
        **{f"{type(teller).__name__}, who tell others": teller.run() for teller in operator.tellers.everybody},
        **({} if operator.traces is None else {"the sending of traces": operator.traces.run()}),
    }
    running: list[asyncio.Task[None]] = []
    ending = asyncio.Event()

    async def stop() -> None:
        """First end the calls, then release the Lease, so that a follower takes over at once."""
        for task in running:
            if task is not asyncio.current_task():
                task.cancel()
        await operator.stop()
        await lease.release()

    async def prepare_to_stop() -> None:
        """Before the watch ends, end all sagas if nobody can go on with them."""
        await stop_signal.wait()
        try:
            await operator.namespace_end.empty_if_terminating(
                Leases(client, settings.namespace), settings.namespace_end_seconds
            )
            await stop()  # at once: kopf takes a while to end
        finally:
            ending.set()

    try:
        async with asyncio.TaskGroup() as group:
            running += [group.create_task(_run_part(name, part), name=name) for name, part in parts.items()]
            running.append(group.create_task(prepare_to_stop(), name="the end"))
            await operator.follower.first_look()
            await watch(
                operator.engine,
                connection,
                sagas,
                ending,
                heartbeats=heartbeats,
                on_stop=stop,
                on_start=lambda: _handle_signals(stop_signal),
            )
            for task in running:
                task.cancel()
    finally:
        await stop()


async def _run_part(name: str, part: Coroutine[Any, Any, None]) -> None:
    """Run a part that never ends by itself. Raises `PartEnded` if it does, which ends the group of all parts."""
    try:
        await part
    except (Exception, asyncio.CancelledError) as error:
        if (task := asyncio.current_task()) is not None and task.cancelling():
            raise  # the operator stops; a cancellation that nobody asked for would end the part in silence
        asyncio.get_running_loop().call_later(STOPPING, os._exit, 1)
        raise PartEnded(f"{name} has failed: {error!r}") from error
    raise PartEnded(f"{name} has ended")


def main() -> None:
    """Run the operator. If it can't start, it says why and ends with exit status 1."""
    try:
        refuse_unknown(os.environ)
        settings = Settings()
    except (UnknownVariable, ValidationError) as error:
        sys.exit(f"the operator can't start: {error}")
    configure_logging("operator", log_format=settings.log_format, level=settings.log_level)
    for chatty in ("kopf.objects", "kopf.activities"):
        logging.getLogger(chatty).setLevel(logging.WARNING)  # a line for each watch event; the engine's say more
    calm_collector()
    try:
        uvloop.run(operate(settings))
    except (KubeError, OSError) as error:
        log.error("the operator can't start: %s", error)
        sys.exit(1)
    except Exception as error:
        log.critical("the operator ends: %s", error, exc_info=error)
        sys.exit(1)


if __name__ == "__main__":
    main()
