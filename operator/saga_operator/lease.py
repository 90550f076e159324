"""The Lease (coordination.k8s.io) that decides which of several operators works, as in client-go's leader election.

Nothing relies on the Lease for correctness: every status write is conditional, and the participants guard every effect.
The Lease keeps two operators from doing the same work, and its epoch lets participants refuse an earlier holder.
"""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable
from typing import Final

from common.kube import AlreadyExists, Conflict, KubeError, Leases, ObjectNotFound, Terminating
from common.wire import Json
from saga_operator import lease_record as record
from saga_operator import metrics
from saga_operator.clock import elapsed
from saga_operator.heartbeats import Heartbeats
from saga_operator.lease_stand_in import LeaseStandIn, mark_of
from saga_operator.process.absences import Absences
from saga_operator.settings import Settings

log = logging.getLogger(__name__)

FOLLOW: Final = 0.5
"""Seconds between two looks of a follower; a clean hand-over takes less than two seconds."""
SURE: Final = 0.8
"""The part of its duration for which a holder is sure of the Lease after a renewal. A follower may take it after the
whole duration, so the holder begins no call in the last fifth.
"""
RENEWALS: Final = 3
"""So many attempts to renew fit between two renewals and the end of that part, each with its whole time-out."""
SHORTEST: Final = 1.0
"""Seconds; no attempt has less, since a new connection with TLS to a busy API server needs that."""
AGAIN: Final = 0.25
"""Seconds between two attempts."""
MISSING: Final = 3
"""Durations without a renewal after which the process isn't alive in the sense of `/healthz`."""

Reconnect = Callable[[], Awaitable[None]]


def time_out(settings: Settings) -> float:
    """Seconds for one call about the Lease, so that really three attempts to renew it fit."""
    return max(SHORTEST, (SURE * settings.lease_duration - settings.lease_renew) / RENEWALS - AGAIN)


class LeaseHolder:
    """Acquires, renews and releases one Lease. Ends the process when another process holds it."""

    def __init__(
        self,
        leases: Leases,
        settings: Settings,
        now: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = elapsed,
        *,
        reconnect: Reconnect | None = None,
        stand_in: LeaseStandIn | None = None,
        heartbeats: Heartbeats | None = None,
    ) -> None:
        """`leases` must have calls of `time_out`.

        `now`: seconds since the epoch, the same on every host (see `Clock`).

        `elapsed`: a clock that goes on while the machine sleeps. A holder that slept doesn't hold the Lease for sure.

        `reconnect` makes the next call of `leases` on a new connection. `stand_in` shows who works where there can be
        no Lease.
        """
        self._leases = leases
        self._name = settings.lease_name
        self._identity = settings.identity
        self._duration = settings.lease_duration
        self._renew_every = settings.lease_renew
        tells = ((record.TELLS_CUSTOMERS, settings.tell_customers), (record.TELLS_SYSTEMS, settings.events_sink))
        self._tells = [name for name, is_set in tells if is_set]
        self._reconnect = reconnect
        self._stand_in = stand_in
        self._heartbeats = heartbeats or Heartbeats()
        self._now = now
        self._elapsed = elapsed
        self._lease: Json | None = None
        self._sent: Json | None = None
        self._epoch = 0
        self._is_new = False
        self._renewed_at = float("-inf")
        self._renewed = asyncio.Event()
        self._lock = asyncio.Lock()
        self._held_since = 0.0
        metrics.LEADER.set_function(lambda: float(self.is_held))
        metrics.LEASE_HELD.set_function(lambda: self._leads(self._held_since))
        metrics.LEASE_RENEWAL_AGE.set_function(lambda: self._leads(self._renewed_at))

    @property
    def epoch(self) -> int:
        """Rises with every acquisition: max(last + 1, time in ms), so that a deleted Lease doesn't lower it."""
        return self._epoch

    @property
    def lease(self) -> Json | None:
        """What Events about the operator itself are about: the Lease that it holds, if there is one."""
        if self._lease is None or "uid" not in self._lease["metadata"]:
            return None
        names = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
        return {**names, "metadata": {"namespace": self._leases.namespace, **self._lease["metadata"]}}

    def take_news(self) -> bool:
        """Whether another process, or none, held it before this one. True once for each time."""
        is_new, self._is_new = self._is_new, False
        return is_new

    def absences(self, now: float) -> Absences:
        """When no operator worked, up to now (seconds since the epoch), while this process may not work either."""
        return () if self._lease is None else record.absences(self._lease, now)

    @property
    def is_held(self) -> bool:
        """Whether this process surely holds the Lease: no follower can have taken it."""
        return self._lease is not None and self._elapsed() - self._renewed_at < SURE * self._duration

    def _leads(self, since: float) -> float:
        """Seconds since then, while this process is the leader, also one that isn't sure of it; else 0."""
        return 0.0 if self._lease is None else self._elapsed() - since

    @property
    def unrenewed_seconds(self) -> float | None:
        """Seconds since the last renewal, if this process isn't sure of its Lease any more. Else None."""
        return None if self._lease is None or self.is_held else self._elapsed() - self._renewed_at

    async def held(self) -> None:
        """Return at once while this process surely holds the Lease; else wait until it is renewed, or the process ends.

        A call that begins in the last moment may outlive the Lease by its timeout. That is harmless: a participant that
        has heard of the next holder refuses it by its epoch, and its key makes it the same effect anywhere else.
        """
        while not self.is_held:
            self._renewed.clear()
            await self._renewed.wait()

    async def acquire(self) -> None:
        """Wait until this process holds the Lease.

        A Lease has expired when it was seen unchanged for its duration. The times in it are other machines' clocks, and
        are not compared with ours.
        """
        seen: object = None
        seen_at = self._elapsed()
        said = ""
        while True:
            self._heartbeats.beat("lease", again_within=MISSING * self._duration)
            try:
                lease = await self._get_or_create()
                metrics.LEASE_TRANSITIONS.set(record.transitions(lease))
                holder = record.holder(lease)
                if record.mark(lease) != seen:
                    seen, seen_at = record.mark(lease), self._elapsed()
                expired = self._elapsed() - seen_at > record.seconds(lease, self._duration)
                if holder in ("", self._identity) or expired:
                    await self._write(lease, above=self._epoch)
                    self._held_since = self._renewed_at
                    self._is_new = holder != self._identity
                    log.info("holding lease %s as %s, epoch %d", self._name, self._identity, self.epoch)
                    return
                if said != holder:
                    said = holder
                    log.info("following: lease %s is held by %s", self._name, said)
            except (Conflict, AlreadyExists):
                self._sent = None  # another process was faster: look again
            except Terminating as error:
                # The namespace is being deleted and waits for its open sagas. No process can make a Lease in it, so the
                # sagas themselves show whether another operator works on them.
                shown = await self._seen_of_sagas()
                if shown != seen:
                    seen, seen_at = shown, self._elapsed()
                elif self._elapsed() - seen_at > self._duration and await self._work_without(above=None, begins=True):
                    log.warning("working without lease %s: %s", self._name, error)
                    self._lease = {"metadata": {"name": self._name}, "spec": {}}
                    self._held_since = self._renewed_at
                    return
            except KubeError as error:
                log.warning("lease %s: %s", self._name, error)
                await self._connect_again(error)
            await asyncio.sleep(FOLLOW)

    async def keep_renewed(self) -> None:
        """Renew until cancelled. While the API server is away nothing can get the Lease, and calls wait (`held`)."""
        while True:
            await asyncio.sleep(max(0.0, self._renewed_at + self._renew_every - self._elapsed()))
            renewed = await self._renew()
            metrics.LEASE_RENEWALS.labels("renewed" if renewed else "failed").inc()
            if not renewed:
                await asyncio.sleep(AGAIN)

    async def raise_epoch(self, above: int) -> None:
        """Raise the epoch, which a participant refused as stale, above this; end the process if the Lease is lost.

        An epoch that no clock of ours can have made is not followed. Whoever sent it would have the Lease's epoch rise
        to where it can't rise any more.
        """
        if self.epoch <= above:
            await self._renew(above=above if record.is_plausible(above, self._now()) else None)

    async def release(self) -> None:
        """Give the Lease up, so that a follower needn't wait until it expires. A renewal in flight does no harm."""
        async with self._lock:
            lease, self._lease, self._sent = self._sent or self._lease, None, None
            self._renewed_at = float("-inf")
            for _ in range(RENEWALS):
                if lease is None or record.holder(lease) != self._identity:
                    return
                try:
                    await self._leases.update(record.released(lease))
                    return
                except Conflict:
                    lease = await self._read_again()
                except KubeError as error:
                    log.info("lease %s was not released: %s", self._name, error)
                    return

    async def _read_again(self) -> Json | None:
        try:
            return await self._leases.get(self._name)
        except KubeError as error:
            log.info("lease %s could not be read: %s", self._name, error)
            return None

    async def _renew(self, *, above: int | None = None) -> bool:
        """Whether the Lease is renewed, with the same epoch or with one above this."""
        async with self._lock:
            for _ in range(RENEWALS):
                if self._lease is None:
                    return False
                try:
                    await self._write(self._lease, above=above)
                    return True
                except (Conflict, ObjectNotFound, Terminating):  # the API server would make a Lease by an update, too
                    try:
                        self._lease = await self._get_or_create()
                    except Terminating as error:
                        # It went with its namespace. No other can be made there. Open sagas go on.
                        log.warning("going on without lease %s: %s", self._name, error)
                        return await self._work_without(above=above, begins=False)
                    except KubeError as error:
                        log.warning("lease %s could not be read: %s", self._name, error)
                        return False
                    self._end_if_lost(record.holder(self._lease))
                except KubeError as error:
                    log.warning("lease %s was not renewed: %s", self._name, error)
                    await self._connect_again(error)
                    return False
            return False

    async def _connect_again(self, error: KubeError) -> None:
        """After no answer: the connection may lead nowhere any more, and with it all that are idle in the pool."""
        if error.status == 0 and self._reconnect is not None:
            await self._reconnect()

    def _end_if_lost(self, holder: str) -> None:
        if holder not in ("", self._identity):
            log.error("lease %s is held by %r now: stopping at once", self._name, holder)
            logging.shutdown()
            os._exit(1)  # at once, without tidying up: the new holder works already and does the rest

    async def _write(self, lease: Json, *, above: int | None) -> None:
        """Renew it, or take it. Raises `KubeError`."""
        began, now = self._elapsed(), self._now()
        last = max(self._epoch, record.epoch(lease, now))
        if above is None and record.holder(lease) != self._identity:
            above = last  # it was released or deleted: another may have held it meanwhile
        epoch = last if above is None else record.next_epoch(max(last, above), now)
        # Kept until it is known to have arrived: if this is cancelled, `release` finds what may have arrived.
        self._sent = record.held_by(
            self._identity, lease, epoch=epoch, seconds=self._duration, now=now, tells=self._tells
        )
        self._lease = await self._leases.update(self._sent)
        self._sent = None
        metrics.LEASE_TRANSITIONS.set(record.transitions(self._lease))
        self._note_renewal(began, epoch)

    async def _work_without(self, *, above: int | None, begins: bool) -> bool:
        """Begin or go on to work where there can be no Lease. False if it can't be shown to others, who may work."""
        began, now = self._elapsed(), self._now()
        try:
            saga = None if self._stand_in is None else await self._stand_in.first()
            mark = mark_of(saga, now)
            if begins:
                above = max(self._epoch, mark.epoch)
            elif mark.epoch > self._epoch:
                self._end_if_lost(mark.holder)
            epoch = self._epoch if above is None else record.next_epoch(max(self._epoch, above), now)
            if saga is not None and self._stand_in is not None:
                await self._stand_in.mark(saga, epoch, self._identity, now)
        except KubeError as error:
            log.warning("no saga shows that %s works without lease %s: %s", self._identity, self._name, error)
            return False
        self._note_renewal(began, epoch)
        return True

    def _note_renewal(self, began: float, epoch: int) -> None:
        self._renewed_at, self._epoch = began, epoch
        self._renewed.set()
        self._heartbeats.beat("lease", again_within=MISSING * self._duration)

    async def _seen_of_sagas(self) -> object:
        try:
            return await self._stand_in.seen() if self._stand_in is not None else None
        except KubeError as error:
            log.warning("the sagas could not be listed: %s", error)
            return object()  # unlike whatever was seen before

    async def _get_or_create(self) -> Json:
        try:
            return await self._leases.get(self._name)
        except ObjectNotFound:
            spec = {"holderIdentity": "", "leaseDurationSeconds": int(self._duration), "leaseTransitions": 0}
            return await self._leases.create(self._name, spec, annotations={record.EPOCH: "0"})
