"""Who may do what, asked of the API server itself: the shipped Roles, nothing more and nothing less."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support import yamls

MANIFESTS = Path(__file__).parents[2] / "manifests"

OPERATOR, ORDER_SERVICE = "ordersaga-operator", "order-service"
ALLOWED = {
    OPERATOR: {
        "ordersagas": "get list watch patch delete",
        "ordersagas/status": "update patch",
        "events": "create",
        "leases": "create",
        "leases:ordersaga-operator": "get update create",
    },
    ORDER_SERVICE: {"ordersagas": "create get list watch patch"},
}
GROUPS = {"ordersagas": "ordersaga.io", "leases": "coordination.k8s.io"}
RESOURCES = ("ordersagas", "ordersagas/status", "events", "leases", "leases:ordersaga-operator", "secrets", "pods")
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")


def may(api: Any, account: str, verb: str, resource: str, namespace: str = "shop") -> bool:
    kind, _, name = resource.partition(":")
    kind, _, subresource = kind.partition("/")
    asked = {"namespace": namespace, "verb": verb, "group": GROUPS.get(kind, ""), "resource": kind}
    asked |= {"subresource": subresource, "name": name}
    spec = {"user": f"system:serviceaccount:shop:{account}", "resourceAttributes": asked}
    answer = api.client.post(
        "/apis/authorization.k8s.io/v1/subjectaccessreviews",
        json={"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec},
    )
    return bool(answer.raise_for_status().json()["status"]["allowed"])


@pytest.mark.parametrize("account", [OPERATOR, ORDER_SERVICE])
def test_an_identity_may_do_what_it_needs_and_nothing_else(api: Any, account: str) -> None:
    allowed = {(resource, verb) for resource, verbs in ALLOWED[account].items() for verb in verbs.split()}
    assert {(r, v) for r in RESOURCES for v in VERBS if may(api, account, v, r)} == allowed


@pytest.mark.parametrize("account", [OPERATOR, ORDER_SERVICE])
def test_an_identity_has_no_right_in_another_namespace(api: Any, account: str) -> None:
    assert not may(api, account, "list", "ordersagas", "default")
    assert not may(api, account, "list", "ordersagas", "")  # all namespaces


def test_viewers_and_editors_get_their_rights_by_aggregation(api: Any) -> None:
    path = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
    for role, expected in (("view", {"get"}), ("edit", {"get", "create", "patch", "delete"})):
        aggregation = api.client.get(f"{path}/{role}").raise_for_status().json()["aggregationRule"]
        labels = aggregation["clusterRoleSelectors"][0]["matchLabels"]
        query = ",".join(f"{key}={value}" for key, value in labels.items())
        roles = api.client.get(path, params={"labelSelector": query}).raise_for_status().json()["items"]
        rules = [rule for role in roles for rule in role["rules"] or [] if "ordersaga.io" in rule.get("apiGroups", [])]
        assert expected <= {verb for rule in rules for verb in rule["verbs"]}
        # never the status; and who may edit orders may not say where calls go
        assert {resource for rule in rules for resource in rule["resources"]} == {"ordersagas", "participants"}
        changing = [rule for rule in rules if "participants" in rule["resources"] and "patch" in rule["verbs"]]
        assert not changing


def test_another_namespace_takes_everything_with_it(control_plane: Any, tmp_path: Path) -> None:
    folder = shutil.copytree(MANIFESTS, tmp_path / "manifests")
    kustomization = folder / "kustomization.yaml"
    kustomization.write_text(kustomization.read_text().replace("namespace: shop", "namespace: elsewhere"))
    objects = list(yamls.load_all(control_plane.kubectl("kustomize", folder).stdout))
    assert {body["metadata"].get("namespace") for body in objects if body["kind"] != "ClusterRole"} == {"elsewhere"}
    subjects = [subject for body in objects for subject in body.get("subjects", [])]
    assert [subject["namespace"] for subject in subjects] == ["elsewhere"] * 3
