"""`python -m saga_operator`: take the Lease, then work until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys

import uvloop

from common.kube import Events, KubeClient, KubeError, Leases, OrderSagas
from common.logs import configure_logging
from saga_operator.engine.engine import Engine
from saga_operator.engine.resync import sweep_for_ever
from saga_operator.handlers import watch
from saga_operator.health import Health
from saga_operator.lease import LeaseHolder
from saga_operator.settings import Settings

log = logging.getLogger("saga_operator")

BEGIN_AGAIN = 1.0
"""Seconds after the watch has ended with an error that kopf takes for the end of the process."""


async def operate(settings: Settings) -> None:
    """One life of an operator."""
    health = Health(settings)
    await health.start()
    client = KubeClient.from_config(user_agent="ordersaga-operator")
    lease = LeaseHolder(Leases(client, settings.namespace), settings)
    try:
        stop = _stop_signal()
        health.role = "following"
        while await _acquired(lease, stop):
            health.role = "leading"
            try:
                return await _lead(settings, client, lease, stop)
            except Exception as error:
                # A version that the API server has forgotten (410), or any other error in the stream. As a new process
                # would, but without a kubelet that waits longer after each.
                log.error("the watch has ended, beginning again: %r", error, exc_info=error)
            stop = _stop_signal()
            health.role = "following"
            await asyncio.sleep(BEGIN_AGAIN)
    finally:
        await lease.release()
        await client.aclose()
        await health.stop()


def _stop_signal() -> asyncio.Event:
    """Set by SIGTERM or SIGINT, until kopf, which gets it as well, takes the signals over."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def _acquired(lease: LeaseHolder, stop: asyncio.Event) -> bool:
    """Wait for the Lease; False if the process was told to stop meanwhile."""
    acquiring, stopping = asyncio.create_task(lease.acquire()), asyncio.create_task(stop.wait())
    await asyncio.wait([acquiring, stopping], return_when=asyncio.FIRST_COMPLETED)
    for task in (acquiring, stopping):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    return not stop.is_set()


async def _lead(settings: Settings, client: KubeClient, lease: LeaseHolder, stop_signal: asyncio.Event) -> None:
    events = Events(client, component="ordersaga-operator")
    engine = Engine(settings, OrderSagas(client, settings.namespace), events, lease)
    helpers = [
        asyncio.create_task(lease.renew_for_ever(), name="lease"),
        asyncio.create_task(sweep_for_ever(engine), name="sweep"),
    ]

    async def stop() -> None:
        """First no more calls, then let the Lease go, so that a follower takes over at once."""
        for helper in helpers:
            helper.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)
        await engine.aclose()
        await lease.release()

    try:
        await watch(engine, [settings.namespace], stop_signal, on_stop=stop)
    finally:
        await stop()


def main() -> None:
    """Entry point; exit status 1 with one sentence when the operator can't start."""
    settings = Settings()
    configure_logging("operator", log_format=settings.log_format, level=settings.log_level)
    for chatty in ("kopf.objects", "kopf.activities"):
        logging.getLogger(chatty).setLevel(logging.WARNING)  # a line for each watch event; ours say more
    try:
        uvloop.run(operate(settings))
    except (KubeError, OSError) as error:
        log.error("the operator can't start: %s", error)
        sys.exit(1)


if __name__ == "__main__":
    main()
