"""Puts our finalizer back beside a call in flight: without it a deletion would take the resource at once."""

import asyncio
import logging

from common.kube import KubeError
from saga_operator.engine.records.api_writer import ApiWriter
from saga_operator.resource.about import about
from saga_operator.resource.body import Resource

log = logging.getLogger(__name__)


class FinalizerRestorer:
    """For one saga at work. A call may last for seconds; what is decided after it would come too late."""

    def __init__(self, writer: ApiWriter) -> None:
        self._writer = writer
        self._writing: asyncio.Task[None] | None = None

    def put_back(self, seen: Resource) -> None:
        """Begin to add our finalizer to this version, if somebody has taken it. Never awaits.

        If that fails, the recorder adds it after the call.
        """
        if seen.has_finalizer or seen.deleting or self.is_writing:
            return
        self._writing = asyncio.create_task(self._put_back(seen))

    @property
    def is_writing(self) -> bool:
        """Whether a write is in flight."""
        return self._writing is not None and not self._writing.done()

    def stop(self) -> None:
        """Cancel a write in flight."""
        if self._writing is not None:
            self._writing.cancel()

    async def _put_back(self, seen: Resource) -> None:
        try:
            async with self._writer.turn():
                await self._writer.patch_finalizer(seen.name, seen.with_finalizer())
        except KubeError as error:
            log.info("the finalizer isn't back yet: %s", error, extra=about(seen))
