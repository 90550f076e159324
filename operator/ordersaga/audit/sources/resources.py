"""The OrderSaga resources of the installation's namespace, read page by page."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from common.kube import KubeClient, ObjectNotFound, ObjectPage, OrderSagas
from ordersaga.audit.rules.records import Document
from ordersaga.audit.rules.streams import Keyed


class Resources:
    """The resources on the API server. Use as a context manager, and from one thread only.

    Raises:
        common.kube.KubeError: from every method, when the API server refuses, or can't be reached.
    """

    def __init__(self, namespace: str, kubeconfig: Path | None = None) -> None:
        self.namespace = namespace
        self._kubeconfig = kubeconfig
        # The client is asynchronous; the audit reads one page after the other and needs no concurrency.
        self._loop = asyncio.Runner()

    def __enter__(self) -> Self:
        client = KubeClient.from_config(self._kubeconfig, user_agent="ordersaga-audit/1")
        self._sagas = OrderSagas(client, self.namespace)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.run(self._sagas.client.aclose())
        self._loop.close()

    def stream(self) -> Iterator[Keyed]:
        """All resources, sorted by name, which is the order's id."""
        pages = self._sagas.list()
        while (page := self._loop.run(_next(pages))) is not None:
            for resource in page.items:
                yield resource["metadata"]["name"], resource

    def get(self, name: str) -> Document | None:
        """One resource, as it is now."""
        try:
            return self._loop.run(self._sagas.get(name))
        except ObjectNotFound:
            return None


async def _next(pages: AsyncIterator[ObjectPage]) -> ObjectPage | None:
    return await anext(pages, None)
