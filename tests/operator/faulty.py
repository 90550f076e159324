"""`python -m tests.operator.faulty FAULT`: the operator with one part that has a defect."""

import asyncio
import itertools
import sys
from typing import Any

from common.kube import client
from saga_operator.engine import worker
from saga_operator.engine.event_sender import EventSender
from saga_operator.engine.finalizers import FinalizerQueue
from saga_operator.engine.resync import Resync
from saga_operator.lease import LeaseHolder
from saga_operator.process.decide import Action
from saga_operator.process.saga import Saga

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


async def ends(*_: Any) -> None:
    return


_failures = itertools.count()
_decide = worker.decide


def decide_after_three_failures(saga: Saga, now: float) -> Action:
    if saga.order.order_id == POISONED and next(_failures) < 3:
        raise ZeroDivisionError("a defect that this saga alone meets")
    return _decide(saga, now)


if __name__ == "__main__":
    fault = sys.argv[1]
    if fault in PARTS:
        setattr(*PARTS[fault], fails)
    elif fault == "ends":
        EventSender.run = ends  # type: ignore[method-assign]
    elif fault == "worker":
        vars(worker)["decide"] = decide_after_three_failures
    elif fault == "hanging":  # it never comes back to its work
        LeaseHolder.keep_renewed = hangs  # type: ignore[method-assign]
    elif fault == "hasty":  # no defect: a minute would be too long for a test
        client.CREDENTIALS_SECONDS = 0.2
    from saga_operator.__main__ import main

    main()
