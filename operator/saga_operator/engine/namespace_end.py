"""The end of a namespace with its operator in it. No other process will ever work there.

Since Kubernetes 1.33 such a namespace loses its pods first, and its resources when all pods are gone. Whoever is told
to stop then has the time that a pod gets to leave nothing behind that our finalizer would hold for ever.
"""

import asyncio
import logging
import time
from typing import Final

from common.kube import Conflict, KubeError, Leases, ObjectNotFound, OrderSagas
from saga_operator.engine.engine import Engine
from saga_operator.engine.records.finalizers import FinalizerQueue
from saga_operator.engine.resync import Resync
from saga_operator.engine.retention import Retention
from saga_operator.process.saga import Phase
from saga_operator.resource.about import about_name
from saga_operator.resource.body import Resource

log = logging.getLogger(__name__)

LOOK: Final = 0.2
"""Seconds between two looks whether all is done."""
FOR_THE_QUESTION: Final = 1.0
"""Seconds: a follower is to take over within two."""
FOR_FINALIZERS: Final = 3.0
"""Seconds kept for taking the finalizers off what can't end."""


class NamespaceEnd:
    """Ends every saga of the namespace, as after its deletion, and takes our finalizer off what can't end in time."""

    def __init__(
        self,
        sagas: OrderSagas,
        engine: Engine,
        finalizers: FinalizerQueue,
        *,
        resync: Resync,
        retention: Retention,
    ) -> None:
        self._sagas = sagas
        self._engine = engine
        self._finalizers = finalizers
        self._resync = resync
        self._retention = retention

    async def empty_if_terminating(self, leases: Leases, seconds: float) -> None:
        """`empty` the namespace if it is being deleted. Otherwise another process goes on with its sagas."""
        try:
            async with asyncio.timeout(FOR_THE_QUESTION):
                terminating = await leases.namespace_is_terminating()
        except (KubeError, TimeoutError) as error:
            log.info("whether the namespace is being deleted isn't known: %r", error)
        else:
            if terminating:
                await self.empty(seconds)

    async def empty(self, seconds: float) -> None:
        """Take up to `seconds` for it. What is left then is named in the log: no Event can be made there any more."""
        deadline = time.monotonic() + seconds
        log.warning("the namespace is being deleted with its operator: ending its sagas within %g s", seconds)
        self._finalizers.hurry()
        self._engine.end_all()
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + seconds - FOR_FINALIZERS):
                for find in (self._resync.once, self._retention.once):  # also those of which no event told
                    await find()
                    await self._until_idle()
        except TimeoutError:
            pass
        except KubeError as error:
            log.warning("the sagas of the namespace could not be listed: %s", error)
        left = self._engine.unfinished()
        for name, saga in left.items():
            where = "its resource can't be read" if saga is None else f"{saga.phase} at {saga.current_step}"
            known = about_name(self._sagas.namespace, name)
            log.error("order %s can't end in its namespace: %s", name, where, extra=known)
        await self._engine.stop()
        await self._let_go(deadline)

    async def _until_idle(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            if not self._is_busy():
                return

    def _is_busy(self) -> bool:
        sagas = self._engine.unfinished().values()
        return len(self._finalizers) > 0 or any(saga is not None and saga.phase is not Phase.FAILED for saga in sagas)

    async def _let_go(self, deadline: float) -> None:
        """Take our finalizer off whatever has it. In vain if the API server is away: then the namespace stays."""
        while time.monotonic() < deadline:
            try:
                async for page in self._sagas.list():
                    held = [resource for resource in map(Resource, page.items) if resource.has_finalizer]
                    await asyncio.gather(*map(self._take_off, held))
            except KubeError as error:
                log.warning("a finalizer could not be taken off: %s", error)
                await asyncio.sleep(LOOK)
            else:
                return

    async def _take_off(self, resource: Resource) -> None:
        try:
            await self._sagas.patch(resource.name, resource.without_finalizer())
        except ObjectNotFound:
            return
        except Conflict:
            fresh = Resource(await self._sagas.get(resource.name))
            await self._sagas.patch(fresh.name, fresh.without_finalizer())
