"""The objects that this system keeps in the API server: OrderSaga, its Events, and the Lease of the operator."""

import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import quote

from common.kube.client import CALL_SECONDS, JSON, METADATA_LIST, KubeClient
from common.kube.errors import AnswerTooLarge, ApiUnavailable, ObjectNotFound, Terminating
from common.order_saga import API_VERSION, GROUP, KIND, PLURAL
from common.text import printable, word
from common.wire import Json

LIST_SECONDS = 60.0  # for a page: with many finished sagas an older API server decodes all of them for each
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

    @property
    def path(self) -> str:
        """Of all of them, on the API server."""
        return self._path

    async def version_now(self) -> str:
        """The version that a watch of what comes after this moment begins at."""
        page, _ = page_of(await self.client.get(self._path, {"limit": "1"}))
        return page.resource_version

    async def create(self, body: Json) -> Json:
        """Create it (apiVersion and kind are filled in). Raises `AlreadyExists`, `ObjectInvalid`, any `KubeError`."""
        return object_of(await self.client.post(self._path, {"apiVersion": API_VERSION, "kind": KIND, **body}))

    async def get(self, name: str) -> Json:
        """Read it. Raises `ObjectNotFound`."""
        return object_of(await self.client.get(self._at(name)))

    async def is_served(self) -> bool:
        """Whether the API server knows the definition, and lists it among what it serves.

        Raises:
            KubeError: it can't say, or our Role doesn't let us list.
        """
        try:
            await self.client.get(self._path, {"limit": "1"})
            groups = (await self.client.get("/apis"))["groups"]
            served = (await self.client.get(f"/apis/{API_VERSION}"))["resources"]
        except ObjectNotFound:
            return False
        return any(group["name"] == GROUP for group in groups) and any(each["name"] == PLURAL for each in served)

    async def list(
        self, field_selector: str | None = None, limit: int = 500, *, metadata_alone: bool = False
    ) -> AsyncIterator[ObjectPage]:
        """All of them in pages of `limit`, sorted by name; each page holds the version at which the list began.

        For each page the API server looks at all of them that follow, also at those that the selector leaves out.
        Pages become smaller where the objects are so large that a page would be more than the client reads.
        """
        params = {"limit": str(limit)}
        if field_selector:
            params["fieldSelector"] = field_selector
        while True:
            try:
                accept = METADATA_LIST if metadata_alone else JSON
                answer = await self.client.get(self._path, params, accept=accept, seconds=LIST_SECONDS)
            except AnswerTooLarge:
                if limit == 1:
                    raise
                limit = max(1, limit // 4)
                params["limit"] = str(limit)
                continue
            page, token = page_of(answer)
            yield page
            if not token:
                return
            params["continue"] = token

    async def patch(self, name: str, body: Json) -> Json:
        """Merge patch of metadata and spec; with metadata.resourceVersion in it, it is conditional (`Conflict`)."""
        return object_of(await self.client.patch_merge(self._at(name), body))

    async def replace_status(self, name: str, uid: str, resource_version: str, status: Json) -> Json:
        """Put this status in the place of the one of this version of this object. Raises `Conflict`, `ObjectInvalid`.

        A write of the status leaves alone what else an object has, so nothing else is sent. It costs the API server a
        tenth less than a patch, for which it makes the whole object first.
        """
        metadata = {"name": name, "uid": uid, "resourceVersion": resource_version}
        body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "status": status}
        return object_of(await self.client.put(f"{self._at(name)}/status", body))

    async def delete(self, name: str, uid: str, resource_version: str) -> Json:
        """Delete this version of this object, never by name alone. Raises `Conflict`, `ObjectNotFound`."""
        return await self.client.delete(self._at(name), uid=uid, resource_version=resource_version)

    def _at(self, name: str) -> str:
        return f"{self._path}/{quote(name, safe='')}"


class Events:
    """Writes core/v1 Events about OrderSagas, Participants and our Lease: what `kubectl describe` shows at its end."""

    def __init__(self, client: KubeClient, component: str) -> None:
        self.client = client
        self.component = component

    async def create(
        self,
        about: Json,
        *,
        type_: Literal["Normal", "Warning"],
        reason: str,
        message: str,
        annotations: Mapping[str, str] | None = None,
    ) -> Json:
        """Record an event about this object: an OrderSaga, unless it says its kind, which one of a list doesn't.

        `reason` is one of the PascalCase constants, `message` is for a person; `annotations` are the Event's own.

        What an Event can't hold is replaced or cut off. Raises `KubeError`, and nothing else.
        """
        metadata = about["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            # kubectl writes 16 hex digits after the name; names may be longer than those of our resources
            "metadata": {
                "name": f"{name[: NAME_LIMIT - 17]}.{os.urandom(8).hex()}",
                "namespace": namespace,
                **({"annotations": dict(annotations)} if annotations else {}),
            },
            "involvedObject": {
                "apiVersion": about.get("apiVersion", API_VERSION),
                "kind": about.get("kind", KIND),
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

    def __init__(self, client: KubeClient, namespace: str, *, seconds: float = CALL_SECONDS) -> None:
        """`seconds`: the time-out of each call, shorter than a Lease lasts."""
        self.client = client
        self.namespace = namespace
        self._seconds = seconds
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{quote(namespace)}/leases"

    async def get(self, name: str) -> Json:
        """Read it. Raises `ObjectNotFound`."""
        return _lease(await self.client.get(f"{self._path}/{quote(name, safe='')}", seconds=self._seconds))

    async def create(self, name: str, spec: Json, annotations: dict[str, str] | None = None) -> Json:
        """Create it. Raises `AlreadyExists` when another process was faster."""
        metadata = {"name": name, "namespace": self.namespace, "annotations": annotations or {}}
        body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
        return _lease(await self.client.request("POST", self._path, body=body, seconds=self._seconds))

    async def namespace_is_terminating(self) -> bool:
        """Whether nothing can be made in the namespace any more. Tried with a Lease that isn't kept (a dry run).

        Raises:
            KubeError: the API server doesn't say.
        """
        metadata = {"generateName": "ordersaga-", "namespace": self.namespace}
        body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": {}}
        try:
            await self.client.request("POST", self._path, body=body, params={"dryRun": "All"}, seconds=self._seconds)
        except Terminating:
            return True
        return False

    async def update(self, lease: Json) -> Json:
        """Replace it with this one, as read and changed. Raises `Conflict` when another process was faster."""
        path = f"{self._path}/{quote(lease['metadata']['name'], safe='')}"
        return _lease(await self.client.put(path, lease, seconds=self._seconds))


def object_of(answer: Json) -> Json:
    """The answer, if it is an object with a name and a version.

    Raises:
        ApiUnavailable: it isn't, as when a load balancer answers 200 in the API server's place.
    """
    metadata = answer.get("metadata")
    if not isinstance(metadata, dict):
        raise _no_answer()
    for field in ("name", "uid", "resourceVersion"):
        if not isinstance(metadata.get(field), str) or not metadata[field]:
            raise _no_answer()
    return answer


def _lease(answer: Json) -> Json:
    object_of(answer)
    if not isinstance(answer.setdefault("spec", {}), dict):
        raise _no_answer()
    return answer


def page_of(answer: Json) -> tuple[ObjectPage, str]:
    """The page and the token for the next. Raises `ApiUnavailable` if it isn't a list of objects."""
    items, metadata = answer.get("items", ""), answer.get("metadata")
    items = [] if items is None else items  # as the API server writes a list of metadata that is empty
    if not isinstance(items, list) or not isinstance(metadata, dict):
        raise _no_answer()
    version, token = metadata.get("resourceVersion"), metadata.get("continue") or ""
    if not isinstance(version, str) or not version.isdecimal() or not isinstance(token, str):
        raise _no_answer()  # versions can be compared (KEP-5504), and have always been those of etcd
    for item in items:
        if not isinstance(item, dict):
            raise _no_answer()
        object_of(item)
    return ObjectPage(items, version), token


def _no_answer() -> ApiUnavailable:
    return ApiUnavailable(0, "NoAnswer", "what answered is not an API server: its answer is not what was asked for")
