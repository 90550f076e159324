"""The Participant resources: made from the settings, followed as people and Git change them, and told what is known of
each participant. Without their definition, or the right to read them, the settings are all that counts.

Few objects that hardly ever change: they are listed, watched for some minutes, and listed again.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import aclosing, suppress
from typing import Final

from common.kube import Forbidden, ObjectNotFound, ParticipantResources
from common.wire import Json
from saga_operator import metrics
from saga_operator.clock import Clock
from saga_operator.engine.calls.breaker import CircuitBreaker
from saga_operator.engine.calls.participants import Participants
from saga_operator.engine.records.event_sender import EventSender
from saga_operator.resource.body import Resource
from saga_operator.resource.participant import Terms, event_between, status_of

log = logging.getLogger(__name__)

SECONDS: Final = 300
"""Of one watch; the list after it finds what got lost."""
AGAIN: Final = 2.0
"""Seconds until it is tried again while the API server is in trouble."""
LONGEST: Final = 60.0
"""Seconds until it is, if it fails again and again, and between two looks for a definition that isn't there."""
FIRST_LOOK: Final = 10.0
"""Seconds for which an operator that begins to lead waits for the resources, so that it calls no paused participant. If
the API server doesn't answer for so long, nothing else can be recorded either, and the next answer decides.
"""
SETTLE: Final = 1.0
"""Seconds from a change to the write that tells of it: those that wait have come together by then, and what comes and
goes within a second is no news.
"""


class ParticipantFollower:
    """Follows the resources, and writes their status on transitions."""

    def __init__(
        self,
        resources: ParticipantResources,
        defaults: Mapping[str, Terms],
        participants: Participants,
        breakers: Mapping[str, CircuitBreaker],
        *,
        clock: Clock,
        events: EventSender,
    ) -> None:
        """`defaults`: by the settings, for each participant."""
        self._resources = resources
        self._defaults = defaults
        self._terms = dict(defaults)
        self._participants = participants
        self._breakers = breakers
        self._clock = clock
        self._events = events
        self._known: dict[str, Json] = {}
        """The resources as they were last read or written."""
        self._changed = asyncio.Event()
        self._looked = asyncio.Event()
        """The API server has said which there are, or that there are none to be had."""
        for breaker in breakers.values():
            breaker.on_change = self._changed.set

    async def first_look(self) -> None:
        """Wait until the resources were read once, or for `FIRST_LOOK` seconds. `run` reads them."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_LOOK):
                await self._looked.wait()

    async def run(self) -> None:
        """Follow and tell until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_again_and_again())
            group.create_task(self._tell_again_and_again())

    async def _follow_again_and_again(self) -> None:
        said, failures = "", 0
        while True:
            began, seconds = asyncio.get_running_loop().time(), AGAIN
            try:
                await self._follow()
                said, failures = "", 0
                seconds = max(0.0, began + AGAIN - asyncio.get_running_loop().time())  # it lasts minutes, as a rule
            except (ObjectNotFound, Forbidden) as error:
                seconds = LONGEST
                if self._known or not said:  # at the start, and when the definition goes
                    log.info("no Participant resources, going by the settings: %s", error)
                said = str(error)
                self._adopt({})
            except Exception as error:  # whatever stands in the API server's place may say anything
                seconds, failures = min(AGAIN * 2.0**failures, LONGEST), min(failures + 1, 10)
                if (why := repr(error)) != said:
                    said = why
                    log.info("the Participant resources can't be followed just now: %s", why)
            await asyncio.sleep(seconds)

    async def _follow(self) -> None:
        # first: what was written with other settings isn't followed; at once: a new leader calls nobody before
        await asyncio.gather(*(self._make(name, defaults) for name, defaults in self._defaults.items()))
        page = await self._resources.list()
        self._adopt({str(each["metadata"]["name"]): each for each in page.items})
        async with aclosing(self._resources.watch(page.resource_version, seconds=SECONDS)) as changes:
            async for kind, found in changes:
                if kind == "DELETED":
                    self._forget(str(found["metadata"]["name"]))
                    return  # it is made anew before the next list
                if kind != "BOOKMARK":
                    self._take(found)

    async def _make(self, name: str, defaults: Terms) -> None:
        with suppress(Forbidden):  # whoever gave no right to make them makes them by other means, or does without
            await self._resources.apply(name, defaults.as_spec())

    def _adopt(self, found: Mapping[str, Json]) -> None:
        """These are all that there are."""
        for name in list(self._known):
            if name in found:
                del self._known[name]
            else:
                self._forget(name)
        for resource in found.values():
            self._take(resource)
        self._looked.set()

    def _take(self, resource: Json) -> None:
        name = str(resource["metadata"]["name"])
        if name not in self._defaults:
            return  # the definition allows no other name; another version of it may
        if _version(resource) <= _version(self._known.get(name)):
            return  # the answer to our own write was faster
        self._known[name] = resource
        self._use(name, self._defaults[name].changed_by(resource.get("spec") or {}))
        self._changed.set()

    def _forget(self, name: str) -> None:
        """Its resource is gone: the settings count."""
        if self._known.pop(name, None) is not None:
            self._use(name, self._defaults[name])

    def _use(self, name: str, terms: Terms) -> None:
        before, self._terms[name] = self._terms[name], terms
        if before == terms:
            return
        log.info("%s is called as its Participant says: %s", name, terms)
        breaker = self._breakers[name]
        self._participants.change(name, terms)
        if (before.concurrency, before.rate) != (terms.concurrency, terms.rate):
            breaker.bound(concurrency=terms.concurrency, rate=terms.rate)
        if terms.is_paused:
            breaker.pause(terms.why_paused)
        elif before.is_paused:
            breaker.resume()

    async def _tell_again_and_again(self) -> None:
        said, failures = "", 0
        while True:
            await self._changed.wait()
            await asyncio.sleep(SETTLE)
            self._changed.clear()
            try:
                for name in self._defaults:
                    await self._tell(name)
                said, failures = "", 0
            except Exception as error:  # a status that isn't written is no reason to end anything
                metrics.written("participant", metrics.of_api_server(getattr(error, "reason", "unexpected"))).inc()
                if (why := repr(error)) != said:
                    said = why
                    log.info("the status of a Participant can't be written just now: %s", why)
                await asyncio.sleep(min(AGAIN * 2.0**failures, LONGEST))
                failures = min(failures + 1, 10)
                self._changed.set()

    async def _tell(self, name: str) -> None:
        if (resource := self._known.get(name)) is None:
            return
        now_is, why_paused = self._breakers[name].availability, self._terms[name].why_paused
        status = status_of(resource, now_is, why_paused=why_paused, now=self._clock.now())
        if status is None:
            return
        try:
            written = await self._resources.patch_status(name, status)
        except ObjectNotFound:
            return  # its deletion is on its way here
        metrics.written("participant", "OK").inc()
        if (event := event_between(resource, status)) is not None:
            self._events.add(Resource(written), event)
        if name in self._known:
            self._take(written)


def _version(resource: Json | None) -> int:
    """Versions can be compared (KEP-5504), and have always been those of etcd."""
    return int(resource["metadata"]["resourceVersion"]) if resource is not None else 0
