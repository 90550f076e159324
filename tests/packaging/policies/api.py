"""The OrderSagas of a namespace in which people and the parts of the shop have their Roles, as each of them sees it."""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from common.order_saga import FINALIZER
from common.wire import Json
from tests.packaging.chart.charts import rendered
from tests.support.samples import order

ALICE, CLERK, ADMIN = "alice", "clerk", "admin"
OPERATOR, SERVICE = "ordersaga-operator", "order-service"
NAMESPACE_CONTROLLER = "system:serviceaccount:kube-system:namespace-controller"
COLLECTOR = "system:serviceaccount:kube-system:generic-garbage-collector"
GROUPS: Mapping[str, tuple[str, ...]] = {ADMIN: ("system:masters",), "oncall": ("payments-oncall",)}
_TYPES = {
    "PATCH": "application/merge-patch+json",
    "POST": "application/json",
    "DELETE": "application/json",
    "GET": "",
    "APPLY": "application/apply-patch+yaml",
}


class Api:
    """The OrderSagas of one namespace; each request is made in the name of somebody."""

    names = itertools.count(1)

    def __init__(self, client: httpx.Client, namespace: str) -> None:
        self._client = client
        self.namespace = namespace
        self._path = f"/apis/ordersaga.io/v1alpha1/namespaces/{namespace}/ordersagas"

    def user(self, who: str) -> str:
        """The user's name at the API server."""
        return f"system:serviceaccount:{self.namespace}:{who}" if who in (OPERATOR, SERVICE) else who

    def request(self, who: str, method: str, path: str = "", body: Json | None = None) -> httpx.Response:
        """As that user; a field whose text is `$me` gets the user's name."""
        headers = [("Impersonate-User", self.user(who)), ("Content-Type", _TYPES[method])]
        headers += [("Impersonate-Group", group) for group in (*GROUPS.get(who, ()), "system:authenticated")]
        text = None if body is None else json.dumps(body).replace("$me", self.user(who))
        if method == "APPLY":
            method, path = "PATCH", f"{path}?fieldManager=gitops&force=true"
        return self._client.request(method, self._path + path, headers=headers, content=text)

    def placed(self, given: Json) -> str:
        """The name of a new order with our finalizer, after this patch of metadata and spec, and with this status."""
        name = f"o-{next(self.names)}"
        given = {**given}
        status = given.pop("status", None)
        assert self.request(ADMIN, "POST", "", order(name, finalizers=(FINALIZER,))).status_code == 201
        if given:
            self.did(self.request(ADMIN, "PATCH", f"/{name}", given))
        if status:
            self.did(self.request(OPERATOR, "PATCH", f"/{name}/status", {"status": status}))
        return name

    def get(self, name: str) -> Json:
        """The resource as it is."""
        saga: Json = self.request(ADMIN, "GET", f"/{name}").raise_for_status().json()
        return saga

    @staticmethod
    def did(answer: httpx.Response) -> Json:
        """What was answered to a request that isn't refused."""
        assert answer.is_success, answer.text
        body: Json = answer.json()
        return body


@dataclass(frozen=True)
class Request:
    """What somebody asks of an order that is as `given`; `refused`: what the API server answers, None if it does it."""

    who: str
    method: str
    body: Json | None = None
    given: Json | None = None
    path: str = "/{}"
    refused: str | None = None

    def made(self, api: Api) -> httpx.Response:
        """The answer."""
        return api.request(self.who, self.method, self.path.format(api.placed(self.given or {})), self.body)


def rights(namespace: str) -> list[Json]:
    """The namespace with the chart's Roles, bound to ServiceAccounts as in the chart, and to people."""
    chart = rendered(namespace=namespace)
    rbac = "rbac.authorization.k8s.io"
    more = {
        "clerk": [{"apiGroups": ["ordersaga.io"], "resources": ["ordersagas/status"], "verbs": ["patch"]}],
        "cleaner": [{"apiGroups": ["ordersaga.io"], "resources": ["ordersagas"], "verbs": ["delete", "delete-open"]}],
        "controller": [{"apiGroups": ["ordersaga.io"], "resources": ["ordersagas"], "verbs": ["delete"]}],
        "collector": [{"apiGroups": ["ordersaga.io"], "resources": ["ordersagas"], "verbs": ["delete"]}],
    }
    users = {"clerk": "clerk", "cleaner": "cleaner", "controller": NAMESPACE_CONTROLLER, "collector": COLLECTOR}

    def binding(name: str, kind: str, role: str, *names: str) -> Json:
        subjects = [{"apiGroup": rbac, "kind": "User", "name": each} for each in names]
        role_ref = {"apiGroup": rbac, "kind": kind, "name": role}
        metadata = {"name": name, "namespace": namespace}
        api = {"apiVersion": f"{rbac}/v1", "kind": "RoleBinding"}
        return {**api, "metadata": metadata, "roleRef": role_ref, "subjects": subjects}

    def role(name: str) -> Json:
        metadata = {"name": name, "namespace": namespace}
        return {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": metadata, "rules": more[name]}

    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        *chart.all("ServiceAccount", "Role", "RoleBinding"),
        *map(role, more),
        *(binding(name, "Role", name, users[name]) for name in more),
        binding("editors", "ClusterRole", "ordersaga-editor", ALICE, "oncall", "editor-of-git"),
    ]
