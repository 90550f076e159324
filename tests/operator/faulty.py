"""The operator with one part that has a defect."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from common.kube import client
from saga_operator.__main__ import main
from saga_operator.engine import retention, supervised, worker
from saga_operator.engine.records import duties
from saga_operator.engine.records.event_sender import EventSender
from saga_operator.engine.records.finalizers import FinalizerQueue
from saga_operator.engine.resync import Resync
from saga_operator.engine.telling import outbox, sink
from saga_operator.lease import LeaseHolder
from saga_operator.process.decide import Action
from saga_operator.process.saga import Saga
from saga_operator.watch_events import WatchEvents

POISONED = "o-poisoned"
PARTS = {
    "lease": (LeaseHolder, "keep_renewed"),
    "resync": (Resync, "once"),
    "finalizers": (FinalizerQueue, "run"),
    "events": (EventSender, "run"),
    "acquisition": (LeaseHolder, "acquire"),
}


async def fails(*_: Any) -> None:
    raise ValueError("a defect that nobody has thought of")


async def hangs(*_: Any) -> None:
    await asyncio.Event().wait()


async def cancelled(*_: Any) -> None:
    raise asyncio.CancelledError


async def ends(*_: Any) -> None:
    return


_lines = WatchEvents.iter_chunked


async def broken_once(self: WatchEvents, n: int) -> AsyncIterator[bytes]:
    """What kopf doesn't survive, in the first stream: our own guard in front of it has a hole."""
    WatchEvents.iter_chunked = _lines  # type: ignore[method-assign]
    yield b"no event\n"


REPAIRED = "FAULTY_REPAIRED"
"""The variable that names the file whose existence ends the defect of a worker."""
_decide = worker.decide


def decide_after_the_repair(saga: Saga, now: float) -> Action:
    if saga.order.order_id == POISONED and not Path(os.environ[REPAIRED]).exists():
        raise ZeroDivisionError("a defect that this saga alone meets")
    return _decide(saga, now)


def run(fault: str) -> None:
    """Run the operator of this process's environment with this fault, until it ends."""
    if fault in PARTS:
        setattr(*PARTS[fault], fails)
    elif fault == "ends":
        EventSender.run = ends  # type: ignore[method-assign]
    elif fault == "cancelled":  # by nobody who wanted the process to end
        LeaseHolder.keep_renewed = cancelled  # type: ignore[method-assign]
    elif fault == "cancelled-acquisition":
        LeaseHolder.acquire = cancelled  # type: ignore[method-assign]
    elif fault == "watch":
        WatchEvents.iter_chunked = broken_once  # type: ignore[method-assign]
    elif fault == "worker":
        vars(worker)["decide"] = decide_after_the_repair
        vars(supervised)["LONGEST"] = supervised.SHORTEST
    elif fault == "hanging":  # it never comes back to its work
        LeaseHolder.keep_renewed = hangs  # type: ignore[method-assign]
    elif fault == "hasty":  # no defect: a minute would be too long for a test
        client.CREDENTIALS_SECONDS = 0.2
    elif fault == "brief":  # no defect: the minutes of those who are told and don't answer
        brief = {
            outbox: {"FIRST_PAUSE": 0.05, "LONGEST_PAUSE": 1.5, "OWN_PAUSE": 0.7, "LONGEST_OWN_PAUSE": 1.0},
            sink: {"TIMEOUT": 1.0},
            duties: {"PATIENCE": 4.0, "AGAIN": 0.5, "SELDOM": 5.0},
            retention: {"LATER": 1.0, "MUCH_LATER": 2.0},
        }
        for module, constants in brief.items():
            vars(module).update(constants)
    main()


if __name__ == "__main__":
    run(sys.argv[1])
