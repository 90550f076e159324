"""The API server as these tests see it: plain HTTP, one namespace of their own, one connection for all rows."""

import itertools
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from common.kube.config import load_access
from common.wire import Json
from tests.support import samples

MERGE = "application/merge-patch+json"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"


class Api:
    """What the tables need of the API server. Every answer is the response itself: a refusal is what is tested."""

    def __init__(self, client: httpx.Client, namespace: str) -> None:
        self.client = client
        self.namespace = namespace
        self._path = f"/apis/ordersaga.io/v1alpha1/namespaces/{namespace}/ordersagas"
        self._numbers = itertools.count(1)

    def order(self, change: Json | None = None) -> Json:
        """A good order under a new id, with a merge patch applied to it (None removes a field)."""
        name = f"o-{next(self._numbers)}"
        changed: Json = merged(samples.order(name), change or {})
        return changed

    def create(self, body: Json) -> httpx.Response:
        """As kubectl does it: an unknown field is an error."""
        return self.client.post(self._path, params={"fieldValidation": "Strict"}, json=body)

    def created(self, change: Json | None = None, status: Json | None = None) -> str:
        """The name of a good order that exists, with this status."""
        answer = self.create(self.order(change))
        assert answer.status_code == 201, answer.text
        name = str(answer.json()["metadata"]["name"])
        if status:
            answer = self.patch(name, {"status": status}, "/status")
            assert answer.status_code == 200, answer.text
        return name

    def patch(self, name: str, change: Json, subresource: str = "") -> httpx.Response:
        """A merge patch, strict as above."""
        return self.client.patch(
            f"{self._path}/{name}{subresource}",
            params={"fieldValidation": "Strict"},
            headers={"Content-Type": MERGE},
            json=change,
        )

    def replace(self, body: Json) -> httpx.Response:
        """What `kubectl replace` does."""
        return self.client.put(f"{self._path}/{body['metadata']['name']}", json=body)

    def get(self, name: str) -> Json:
        """The resource as it is."""
        saga: Json = self.client.get(f"{self._path}/{name}").raise_for_status().json()
        return saga

    def select(self, selector: str) -> httpx.Response:
        """A list with a field selector."""
        return self.client.get(self._path, params={"fieldSelector": selector})

    def table(self, name: str) -> tuple[list[Json], list[Any]]:
        """The columns and the cells that `kubectl get NAME` shows."""
        answer = self.client.get(f"{self._path}/{name}", headers={"Accept": TABLE}).raise_for_status().json()
        return answer["columnDefinitions"], answer["rows"][0]["cells"]


def merged(target: Any, change: Any) -> Any:
    """RFC 7386."""
    if not isinstance(change, dict):
        return change
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


@pytest.fixture(scope="session")
def kube(control_plane: Any) -> Iterator[httpx.Client]:
    """An administrator's HTTP client."""
    access = load_access(control_plane.kubeconfig)
    assert access.tls is not None
    headers = {"Authorization": access.authorization} if access.authorization else {}
    with httpx.Client(
        base_url=access.server, verify=access.tls, headers=headers, trust_env=False, timeout=30
    ) as client:
        yield client


@pytest.fixture(scope="session")
def api(kube: httpx.Client) -> Api:
    """In a namespace that no operator looks at."""
    namespace = f"crd-{uuid.uuid4().hex[:8]}"
    kube.post("/api/v1/namespaces", json={"metadata": {"name": namespace}}).raise_for_status()
    return Api(kube, namespace)
