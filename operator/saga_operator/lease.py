"""The Lease (coordination.k8s.io) that decides which of several operators works, as in client-go's leader election.

Nothing relies on the Lease for correctness: every status write is conditional, and the participants guard every effect.
The Lease keeps two operators from doing the same work, and its epoch lets participants refuse an earlier holder.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from common.kube import AlreadyExists, Conflict, KubeError, Leases, ObjectNotFound, Terminating
from common.wire import Json
from saga_operator import metrics
from saga_operator.clock import elapsed
from saga_operator.process.absences import Absences, from_text, to_text, with_absence
from saga_operator.settings import Settings

log = logging.getLogger(__name__)


EPOCH: Final = "ordersaga.io/epoch"
"""Annotation of the Lease."""
ABSENCES: Final = "ordersaga.io/absences"
"""Annotation of the Lease: when no operator worked (`process/absences.py`)."""
BELIEVED_AHEAD: Final = 24 * 3600 * 1000
"""Milliseconds that a participant may have seen an epoch ahead of our clock: more than hosts differ by mistake."""
FOLLOW: Final = 0.5
"""Seconds between two looks of a follower; a clean hand-over takes less than two seconds."""


class LeaseHolder:
    """Acquires, renews and releases one Lease. Ends the process when another process holds it."""

    def __init__(
        self,
        leases: Leases,
        settings: Settings,
        now: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = elapsed,
    ) -> None:
        """`now`: seconds since the epoch, the same on every host (see `Clock`).

        `elapsed`: a clock that goes on while the machine sleeps. A holder that slept doesn't hold the Lease for sure.
        """
        self._leases = leases
        self._now = now
        self._elapsed = elapsed
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
        """Rises with every acquisition: max(last + 1, time in ms), so that a deleted Lease doesn't lower it."""
        return _epoch(self._lease) if self._lease is not None else 0

    def absences(self, now: float) -> Absences:
        """When no operator worked, up to now (seconds since the epoch), while this process may not work either."""
        return () if self._lease is None else _absences(self._lease, now)

    async def held(self) -> None:
        """Return at once while this process surely holds the Lease; else wait until it is renewed, or the process ends.

        A call that begins in the last moment may outlive the Lease by its timeout. That is harmless: a participant that
        has heard of the next holder refuses it by its epoch, and its key makes it the same effect anywhere else.
        """
        while self._elapsed() - self._renewed_at >= self._duration:
            self._renewed.clear()
            await self._renewed.wait()

    async def acquire(self) -> None:
        """Wait until this process holds the Lease.

        A Lease has expired when it was seen unchanged for its duration. The times in it are other machines' clocks, and
        are not compared with ours.
        """
        seen: tuple[str, str] | None = None
        seen_at = self._elapsed()
        said = ""
        while True:
            try:
                lease = await self._get_or_create()
                mark = (_holder(lease), str(lease["spec"].get("renewTime")))
                if mark != seen:
                    seen, seen_at = mark, self._elapsed()
                expired = self._elapsed() - seen_at > float(lease["spec"].get("leaseDurationSeconds") or 0)
                if _holder(lease) in ("", self._identity) or expired:
                    began = self._elapsed()
                    self._lease = await self._leases.update(self._mine(lease, epoch_above=0))
                    self._note_renewal(began)
                    metrics.LEADER.set(1)
                    log.info("holding lease %s as %s, epoch %d", self._name, self._identity, self.epoch)
                    return
                if said != mark[0]:
                    said = mark[0]
                    log.info("following: lease %s is held by %s", self._name, said)
            except (Conflict, AlreadyExists):
                pass  # another process was faster: look again
            except Terminating as error:
                # The namespace is being deleted and waits for its open sagas. No process can make a Lease in it.
                log.warning("working without lease %s: %s", self._name, error)
                self._lease = self._mine({"metadata": {"name": self._name}, "spec": {}}, epoch_above=0)
                self._note_renewal(self._elapsed())
                metrics.LEADER.set(1)
                return
            except KubeError as error:
                log.warning("lease %s: %s", self._name, error)
            await asyncio.sleep(FOLLOW)

    async def keep_renewed(self) -> None:
        """Renew until cancelled. While the API server is away nothing can get the Lease, and calls wait (`held`)."""
        while True:
            await asyncio.sleep(self._renew_every)
            await self._renew()

    async def raise_epoch(self, above: int) -> None:
        """Raise the epoch, which a participant refused as stale, above this; end the process if the Lease is lost.

        An epoch that no clock of ours can have made is not followed. Whoever sent it would have the Lease's epoch rise
        to where it can't rise any more.
        """
        if self.epoch > above:
            return
        believed = above < max(int(self._now() * 1000), self.epoch) + BELIEVED_AHEAD
        await self._renew(epoch_above=above if believed else None)

    async def release(self) -> None:
        """Give the Lease up, so that a follower needn't wait until it expires."""
        if self._lease is None:
            return
        lease, self._lease = self._lease, None
        spec = {**lease["spec"], "holderIdentity": ""}
        try:
            await self._leases.update({**lease, "spec": spec})
        except KubeError as error:
            log.info("lease %s was not released: %s", self._name, error)

    async def _renew(self, *, epoch_above: int | None = None) -> None:
        async with self._lock:
            if self._lease is None:
                return
            began = self._elapsed()
            try:
                self._lease = await self._leases.update(self._mine(self._lease, epoch_above=epoch_above))
                self._note_renewal(began)
            except (Conflict, ObjectNotFound, Terminating):
                await self._look_again(epoch_above=epoch_above)
            except KubeError as error:
                log.warning("lease %s was not renewed: %s", self._name, error)

    async def _look_again(self, *, epoch_above: int | None) -> None:
        assert self._lease is not None  # noqa: S101 - for the type checker
        began = self._elapsed()
        try:
            lease = await self._get_or_create()
        except Terminating as error:
            # It went with its namespace. No other can be made there, so no process takes over. Open sagas go on.
            log.warning("going on without lease %s: %s", self._name, error)
            self._lease = self._mine(self._lease, epoch_above=epoch_above)
            self._note_renewal(began)
            return
        except KubeError as error:
            log.warning("lease %s could not be read: %s", self._name, error)
            return
        if _holder(lease) != self._identity:
            log.error("lease %s is held by %r now: stopping at once", self._name, _holder(lease))
            logging.shutdown()
            os._exit(1)  # at once, without tidying up: the new holder works already and does the rest
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

    def _mine(self, lease: Json, *, epoch_above: int | None) -> Json:
        """The Lease renewed by this process; with a new epoch above this one, unless that is None."""
        now = datetime.fromtimestamp(self._now(), UTC)
        stamp = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {
            **lease["spec"],
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(self._duration),
            "renewTime": stamp,
        }
        metadata = _annotated(lease["metadata"], ABSENCES, to_text(_absences(lease, now.timestamp())))
        if epoch_above is not None:
            epoch = max(_epoch(lease) + 1, epoch_above + 1, _milliseconds(now))
            metadata = _annotated(metadata, EPOCH, str(epoch))
            if _holder(lease) != self._identity:
                spec["acquireTime"] = stamp
                spec["leaseTransitions"] = int(lease["spec"].get("leaseTransitions") or 0) + 1
        return {**lease, "metadata": metadata, "spec": spec}


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def _holder(lease: Json) -> str:
    return str(lease["spec"].get("holderIdentity") or "")


def _annotated(metadata: Json, name: str, text: str) -> Json:
    return {**metadata, "annotations": {**(metadata.get("annotations") or {}), name: text}}


def _absences(lease: Json, now: float) -> Absences:
    """Those that the Lease keeps, and the one since its last renewal if it wasn't renewed in time.

    Before the first renewal of a new Lease nobody is known to have worked.
    """
    spec = lease["spec"]
    known = from_text(str((lease["metadata"].get("annotations") or {}).get(ABSENCES) or ""))
    renewed = _time(spec.get("renewTime"))
    lapsed = now - renewed > float(spec.get("leaseDurationSeconds") or 0)
    return with_absence(known, renewed, now) if lapsed else known


def _time(text: object) -> float:
    """Seconds since the epoch; 0 if there is no such time."""
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return 0.0


def _epoch(lease: Json) -> int:
    return int((lease["metadata"].get("annotations") or {}).get(EPOCH) or 0)
