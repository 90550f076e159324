"""Who works when several operators run: a coordination.k8s.io Lease, as client-go's leader election uses it.

Nothing relies on the Lease for correctness: every record is conditional, every effect guarded by the participants. It
keeps two operators from doing the same work, and its epoch lets a participant refuse whoever held it before.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from datetime import UTC, datetime
from typing import Final

from common.kube import AlreadyExists, Conflict, KubeError, Leases, ObjectNotFound, Terminating
from common.wire import Json
from saga_operator import metrics
from saga_operator.settings import Settings

log = logging.getLogger(__name__)


EPOCH: Final = "ordersaga.io/epoch"
"""Annotation of the Lease."""
FOLLOW: Final = 0.5
"""Seconds between two looks of a follower: a clean hand-over takes less than two."""


class LeaseHolder:
    """Acquires, renews and releases one Lease. Ends the process when another one holds it."""

    def __init__(self, leases: Leases, settings: Settings) -> None:
        self._leases = leases
        self._name = settings.lease_name
        self._identity = settings.identity
        self._duration = settings.lease_duration
        self._renew_every = settings.lease_renew
        self._lease: Json | None = None
        self._renewed_at = float("-inf")
        self._renewed = asyncio.Event()
        self._lock = asyncio.Lock()

    @property
    def epoch(self) -> int:
        """Rises with every acquisition: max(last + 1, time in ms), so that a Lease that was deleted can't lower it."""
        return _epoch(self._lease) if self._lease is not None else 0

    async def held(self) -> None:
        """Return at once while the Lease is surely ours; else wait until it has been renewed (or the process ends)."""
        while time.monotonic() - self._renewed_at >= self._duration:
            self._renewed.clear()
            await self._renewed.wait()

    async def acquire(self) -> None:
        """Wait until the Lease is ours. Expiry is judged by how long we have seen it unchanged, never by its times."""
        seen: tuple[str, str] | None = None
        seen_at = time.monotonic()
        said = ""
        while True:
            try:
                lease = await self._get_or_create()
                mark = (_holder(lease), str(lease["spec"].get("renewTime")))
                if mark != seen:
                    seen, seen_at = mark, time.monotonic()
                expired = time.monotonic() - seen_at > float(lease["spec"].get("leaseDurationSeconds") or 0)
                if _holder(lease) in ("", self._identity) or expired:
                    began = time.monotonic()
                    self._lease = await self._leases.update(self._mine(lease, new_epoch=True))
                    self._note_renewal(began)
                    metrics.LEADER.set(1)
                    log.info("holding lease %s as %s, epoch %d", self._name, self._identity, self.epoch)
                    return
                if said != mark[0]:
                    said = mark[0]
                    log.info("following: lease %s is held by %s", self._name, said)
            except (Conflict, AlreadyExists):
                pass  # somebody else was faster: look again
            except Terminating as error:
                # what is open in the namespace holds it, and nobody can ever make a Lease in it again
                log.warning("working without lease %s: %s", self._name, error)
                self._lease = self._mine({"metadata": {"name": self._name}, "spec": {}}, new_epoch=True)
                self._note_renewal(time.monotonic())
                metrics.LEADER.set(1)
                return
            except KubeError as error:
                log.warning("lease %s: %s", self._name, error)
            await asyncio.sleep(FOLLOW)

    async def keep_renewed(self) -> None:
        """Keep the Lease. While the API server is away nobody else can get it: work waits (`held`) and goes on."""
        while True:
            await asyncio.sleep(self._renew_every)
            await self._renew(new_epoch=False)

    async def raise_epoch(self, above: int) -> None:
        """A participant refused `above` as stale: raise the epoch if the Lease is still ours, else end the process."""
        if self.epoch <= above:
            await self._renew(new_epoch=True)

    async def release(self) -> None:
        """Let it go, so that a follower needn't wait for it to expire."""
        if self._lease is None:
            return
        lease, self._lease = self._lease, None
        spec = {**lease["spec"], "holderIdentity": ""}
        try:
            await self._leases.update({**lease, "spec": spec})
        except KubeError as error:
            log.info("lease %s was not released: %s", self._name, error)

    async def _renew(self, *, new_epoch: bool) -> None:
        async with self._lock:
            if self._lease is None:
                return
            began = time.monotonic()
            try:
                self._lease = await self._leases.update(self._mine(self._lease, new_epoch=new_epoch))
                self._note_renewal(began)
            except (Conflict, ObjectNotFound, Terminating):
                await self._look_again(new_epoch=new_epoch)
            except KubeError as error:
                log.warning("lease %s was not renewed: %s", self._name, error)

    async def _look_again(self, *, new_epoch: bool) -> None:
        assert self._lease is not None  # noqa: S101 - for the type checker
        began = time.monotonic()
        try:
            lease = await self._get_or_create()
        except Terminating as error:
            # gone with its namespace, in which none can be made: nobody takes it from us, and open sagas hold the rest
            log.warning("going on without lease %s: %s", self._name, error)
            self._lease = self._mine(self._lease, new_epoch=new_epoch)
            self._note_renewal(began)
            return
        except KubeError as error:
            log.warning("lease %s could not be read: %s", self._name, error)
            return
        if _holder(lease) != self._identity:
            log.error("lease %s is held by %r now: stopping at once", self._name, _holder(lease))
            logging.shutdown()
            os._exit(1)  # not a second of overlap for the sake of tidiness: whoever holds it does the rest
        self._lease = lease

    def _note_renewal(self, began: float) -> None:
        self._renewed_at = began
        self._renewed.set()

    async def _get_or_create(self) -> Json:
        try:
            return await self._leases.get(self._name)
        except ObjectNotFound:
            spec = {"holderIdentity": "", "leaseDurationSeconds": int(self._duration), "leaseTransitions": 0}
            return await self._leases.create(self._name, spec, annotations={EPOCH: "0"})

    def _mine(self, lease: Json, *, new_epoch: bool) -> Json:
        now = datetime.now(UTC)
        stamp = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {
            **lease["spec"],
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(self._duration),
            "renewTime": stamp,
        }
        metadata = lease["metadata"]
        if new_epoch:
            epoch = max(_epoch(lease) + 1, int(now.timestamp() * 1000))
            metadata = {**metadata, "annotations": {**(metadata.get("annotations") or {}), EPOCH: str(epoch)}}
            if _holder(lease) != self._identity:
                spec["acquireTime"] = stamp
                spec["leaseTransitions"] = int(lease["spec"].get("leaseTransitions") or 0) + 1
        return {**lease, "metadata": metadata, "spec": spec}


def _holder(lease: Json) -> str:
    return str(lease["spec"].get("holderIdentity") or "")


def _epoch(lease: Json) -> int:
    return int((lease["metadata"].get("annotations") or {}).get(EPOCH) or 0)
