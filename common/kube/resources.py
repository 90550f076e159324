"""The objects that this system keeps in the API server: OrderSaga, its Events, and the Lease of the operator."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import quote

from common.kube.client import KubeClient
from common.order_saga import API_VERSION, KIND, PLURAL
from common.text import printable, word
from common.wire import Json

MESSAGE_LIMIT = 1024  # bytes: an Event's message may not be longer
NAME_LIMIT = 253  # an object's name may not be longer


@dataclass(frozen=True, slots=True)
class ObjectPage:
    """Some objects of a list, and the resourceVersion of the whole list, from which a watch may start."""

    items: list[Json]
    resource_version: str


class OrderSagas:
    """The OrderSaga resources of one namespace. Bodies are the API server's JSON, untouched."""

    def __init__(self, client: KubeClient, namespace: str) -> None:
        self.client = client
        self.namespace = namespace
        self._path = f"/apis/{API_VERSION}/namespaces/{quote(namespace)}/{PLURAL}"

    async def create(self, body: Json) -> Json:
        """Create it (apiVersion and kind are filled in). Raises `AlreadyExists`, `ObjectInvalid`, any `KubeError`."""
        return await self.client.post(self._path, {"apiVersion": API_VERSION, "kind": KIND, **body})

    async def get(self, name: str) -> Json:
        """Read it. Raises `ObjectNotFound`."""
        return await self.client.get(self._at(name))

    async def list(self, field_selector: str | None = None, limit: int = 500) -> AsyncIterator[ObjectPage]:
        """All of them in pages of `limit`, sorted by name; each page holds the version at which the list began."""
        params = {"limit": str(limit)}
        if field_selector:
            params["fieldSelector"] = field_selector
        while True:
            answer = await self.client.get(self._path, params)
            yield ObjectPage(answer["items"], answer["metadata"]["resourceVersion"])
            token = answer["metadata"].get("continue")
            if not token:
                return
            params["continue"] = token

    async def patch(self, name: str, body: Json) -> Json:
        """Merge patch of metadata and spec; with metadata.resourceVersion in it, it is conditional (`Conflict`)."""
        return await self.client.patch_merge(self._at(name), body)

    async def patch_status(self, name: str, body: Json) -> Json:
        """Merge patch of the status: `{"metadata": {"resourceVersion": …}, "status": {…}}`. Lists are replaced."""
        return await self.client.patch_merge(f"{self._at(name)}/status", body)

    async def delete(self, name: str, uid: str, resource_version: str) -> Json:
        """Delete this version of this object, never by name alone. Raises `Conflict`, `ObjectNotFound`."""
        return await self.client.delete(self._at(name), uid=uid, resource_version=resource_version)

    def _at(self, name: str) -> str:
        return f"{self._path}/{quote(name, safe='')}"


class Events:
    """Writes core/v1 Events about OrderSagas: what `kubectl describe` shows at its end."""

    def __init__(self, client: KubeClient, component: str) -> None:
        self.client = client
        self.component = component

    async def create(self, saga: Json, *, type_: Literal["Normal", "Warning"], reason: str, message: str) -> Json:
        """Record an event about this saga. `reason` is one of the PascalCase constants, `message` is for a person.

        What an Event can't hold is replaced or cut off. Raises `KubeError`, and nothing else.
        """
        metadata = saga["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            # kubectl writes 16 hex digits after the name; names may be longer than those of our resources
            "metadata": {"name": f"{name[: NAME_LIMIT - 17]}.{os.urandom(8).hex()}", "namespace": namespace},
            "involvedObject": {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "namespace": namespace,
                "name": name,
                "uid": metadata.get("uid", ""),
                "resourceVersion": metadata.get("resourceVersion", ""),
            },
            "type": type_,
            "reason": word(reason),
            "message": printable(message, MESSAGE_LIMIT, octets=MESSAGE_LIMIT),
            "source": {"component": self.component},
            "reportingComponent": self.component,
            "reportingInstance": "",
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        return await self.client.post(f"/api/v1/namespaces/{quote(namespace)}/events", body)


class Leases:
    """coordination.k8s.io/v1 Leases of one namespace. `update` is conditional on the resourceVersion in the body."""

    def __init__(self, client: KubeClient, namespace: str) -> None:
        self.client = client
        self.namespace = namespace
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{quote(namespace)}/leases"

    async def get(self, name: str) -> Json:
        """Read it. Raises `ObjectNotFound`."""
        return await self.client.get(f"{self._path}/{quote(name, safe='')}")

    async def create(self, name: str, spec: Json, annotations: dict[str, str] | None = None) -> Json:
        """Create it. Raises `AlreadyExists` when another process was faster."""
        metadata = {"name": name, "namespace": self.namespace, "annotations": annotations or {}}
        body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
        return await self.client.post(self._path, body)

    async def update(self, lease: Json) -> Json:
        """Replace it with this one, as read and changed. Raises `Conflict` when another process was faster."""
        return await self.client.put(f"{self._path}/{quote(lease['metadata']['name'], safe='')}", lease)
