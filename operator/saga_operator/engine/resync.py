"""The periodic sweep: compares what the API server lists with what the engine knows. Lost wake-ups happen."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

import aiohttp
import httpx

from common.kube import FINALIZER, Conflict, KubeError, ObjectNotFound
from common.wire import Json
from saga_operator import metrics
from saga_operator.engine.engine import LIVE, Engine
from saga_operator.process.saga import FINISHED
from saga_operator.resource.times import from_wire

log = logging.getLogger(__name__)


SHARE: Final = 20
"""A sweep may take a twentieth of the time: with many finished sagas it comes round less often."""
LONGEST: Final = 300.0
"""Seconds; the bound of that. A sweep may be slow for other reasons than many sagas (an API server that starts), and
nobody but the sweep notices a lost wake-up.
"""
AGAIN: Final = 2.0
"""Seconds after a sweep that failed: an API server that starts is not ready for lists at once."""


async def sweep_for_ever(engine: Engine) -> None:
    """Sweep, and sweep again; the API server's troubles are logged and outlived."""
    while True:
        started = time.monotonic()
        try:
            await sweep(engine)
        except KubeError as error:
            log.warning("the sweep could not list the sagas: %s", error)
            await asyncio.sleep(error.retry_after or AGAIN)
            continue
        await asyncio.sleep(pause_after(time.monotonic() - started, engine.settings.sweep_interval))


def pause_after(took: float, interval: float) -> float:
    """Seconds from the end of a sweep that took so long to the next."""
    return max(interval, min(took * SHARE, LONGEST))


async def sweep(engine: Engine) -> None:
    """Resume live sagas that nobody works on, let go of those that are gone, clear what is left over, apply TTL.

    Raises:
        KubeError: the API server could not list.
    """
    await _live(engine)
    for phase in sorted(FINISHED):
        await _finished(engine, f"status.phase={phase}")


async def _live(engine: Engine) -> None:
    began = time.monotonic()
    running_before = set(engine.running)
    listed = set()
    async for page in engine.sagas.list(field_selector=LIVE):
        for resource in page.items:
            listed.add(resource["metadata"]["uid"])
            if engine.submit(resource, listed_at=began):
                metrics.SWEEP_RESUMED.inc()
                log.info("the sweep took up saga %s", resource["metadata"]["name"])
    for uid, run in engine.running.items():
        if uid in running_before and uid not in listed:
            await _check(engine, uid, run.name)


async def _check(engine: Engine, uid: str, name: str) -> None:
    """A worker whose resource was not listed: finished meanwhile, or gone."""
    try:
        resource = await engine.sagas.get(name)
    except ObjectNotFound:
        resource = None
    if uid not in engine.running:
        return
    if resource is None or resource["metadata"]["uid"] != uid:
        engine.drop(uid)
    else:
        engine.submit(resource)


async def _finished(engine: Engine, selector: str) -> None:
    async for page in engine.sagas.list(field_selector=selector):
        for resource in page.items:
            metadata = resource["metadata"]
            if FINALIZER in (metadata.get("finalizers") or ()):
                urgent = bool(metadata.get("deletionTimestamp"))
                engine.finalizers.add(metadata["name"], metadata["uid"], urgent=urgent)
            elif _expired(resource, engine.clock.now()):
                await _delete(engine, resource)


def _expired(resource: Json, now: float) -> bool:
    ttl = resource["spec"].get("ttlSecondsAfterFinished")
    ended = (resource.get("status") or {}).get("completionTime")
    return ttl is not None and ended is not None and now >= from_wire(ended) + float(ttl)


async def _delete(engine: Engine, resource: Json) -> None:
    """Exactly this version of exactly this object, never by name alone, and only when its story is kept elsewhere."""
    metadata = resource["metadata"]
    try:
        await engine.participants.archive(resource)
    except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
        log.warning("saga %s stays: its story could not be archived (%s)", metadata["name"], error)
        return
    try:
        await engine.sagas.delete(metadata["name"], metadata["uid"], metadata["resourceVersion"])
    except (Conflict, ObjectNotFound):
        return  # it changed or went: the next sweep looks again
    log.info("saga %s removed: its time to live is over", metadata["name"], extra={"order": metadata["name"]})
