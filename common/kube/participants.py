"""The Participant resources of one namespace, at most one for each service."""

from collections.abc import AsyncGenerator
from typing import Final
from urllib.parse import quote

from common.kube.client import KubeClient
from common.kube.errors import Conflict
from common.kube.resources import ObjectPage, object_of, page_of
from common.kube.watching import changes
from common.order_saga import API_VERSION
from common.wire import Json

KIND: Final = "Participant"
PLURAL: Final = "participants"
MANAGER: Final = "ordersaga-operator"
"""Whose fields those are that come from the operator's settings (server-side apply)."""


class ParticipantResources:
    """Read, watched, applied; the status is written apart. Bodies are the API server's JSON, untouched."""

    def __init__(self, client: KubeClient, namespace: str) -> None:
        self._client = client
        self._path = f"/apis/{API_VERSION}/namespaces/{quote(namespace)}/{PLURAL}"

    async def list(self) -> ObjectPage:
        """All of them, and the version from which `watch` goes on. Raises `ObjectNotFound` without the definition."""
        page, _ = page_of(await self._client.get(self._path))
        return page

    def watch(self, version: str, *, seconds: int) -> AsyncGenerator[tuple[str, Json]]:
        """What changes after that version, as (`ADDED`, `MODIFIED` or `DELETED`, the object), for so many seconds.

        Whoever has seen enough closes it (`contextlib.aclosing`).

        Raises:
            ValueError, aiohttp.ClientError, TimeoutError: it can't go on; list again.
        """
        return changes(self._client, self._path, {"resourceVersion": version}, seconds=seconds)

    async def apply(self, name: str, spec: Json) -> Json:
        """Make it, or bring what is ours of its spec up to date: what somebody else has set stays as they set it.

        Raises:
            KubeError: it can't be made or changed.
        """
        body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": spec}
        try:
            return await self._apply(name, body)
        except Conflict as error:
            theirs = {field.removeprefix(".spec.") for field, _ in error.causes}
            rest = {key: value for key, value in spec.items() if key not in theirs}
            return await self._apply(name, body | {"spec": rest})

    async def patch_status(self, name: str, status: Json) -> Json:
        """Merge patch of the status. Raises `ObjectNotFound`, `ObjectInvalid`."""
        return object_of(
            await self._client.patch_merge(f"{self._path}/{quote(name, safe='')}/status", {"status": status})
        )

    async def _apply(self, name: str, body: Json) -> Json:
        answer = await self._client.request(
            "PATCH",
            f"{self._path}/{quote(name, safe='')}",
            body=body,
            params={"fieldManager": MANAGER, "force": "false"},
            content_type="application/apply-patch+yaml",  # JSON is YAML
        )
        return object_of(answer)
