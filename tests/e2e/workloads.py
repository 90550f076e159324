"""What becomes of workloads where there are no nodes: a stand-in for nodes, and for the controllers of Kubernetes.

It makes each Deployment's ReplicaSet, says that its pods are ready, that volumes are bound, and that a pod may be
evicted, so that those who wait for a release (Helm, kstatus, Argo CD) decide by what they find, as on a cluster.
Nothing runs. Pods with an image of BROKEN never become ready. What is CHILDLESS and deleted in the foreground, as
Argo CD does, is let go at once as the garbage collector would.
"""

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx

from common.wire import Json
from dev.setup.binaries import find
from dev.stack.parts.admin import Administrator
from dev.stack.processes import Process, free_port, is_listening, wait_ready

BROKEN = "registry.example.com/no-such-image"
# Seconds between two looks: far below what Helm waits between its own (2 s).
PAUSE = 0.5
DEPLOYMENTS, SETS, CLAIMS = "/apis/apps/v1/deployments", "/apis/apps/v1/replicasets", "/api/v1/persistentvolumeclaims"
BUDGETS = "/apis/policy/v1/poddisruptionbudgets"
CHILDLESS = (
    "/apis/ordersaga.io/v1alpha1/ordersagas",
    "/apis/ordersaga.io/v1alpha1/participants",
    "/apis/argoproj.io/v1alpha1/applications",
)
"""Kinds without dependents."""
FOREGROUND = "foregroundDeletion"


@contextlib.contextmanager
def simulated(administrator: Administrator, log: Path) -> Iterator[None]:
    """Deployments and volume claims of all namespaces become ready while the block lasts."""
    port = free_port()
    # A kubectl for each look would cost more than all else here together.
    command = [find("kubectl"), "--kubeconfig", administrator.kubeconfig, "proxy", f"--port={port}"]
    proxy = Process("kubectl proxy", command, log=log, ready=lambda: is_listening(port))
    ended = threading.Event()

    def run() -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as api:
            while not ended.wait(PAUSE):
                # What was deleted or changed meanwhile is looked at again.
                with contextlib.suppress(httpx.HTTPError):
                    _look(api)
                    for path in CHILDLESS:
                        _collect(api, path)

    proxy.start()
    wait_ready([proxy])
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        proxy.stop()


def _look(api: httpx.Client) -> None:
    deployments, sets, claims, budgets = (_list(api, path) for path in (DEPLOYMENTS, SETS, CLAIMS, BUDGETS))
    wanted = {_name(each): each for each in map(_replica_set, deployments)}
    there = {_name(each): each for each in sets}
    for name, want in wanted.items():
        if name not in there or _scale_and_owner(there[name]) != _scale_and_owner(want):
            _apply(api, SETS, want)
    for path, items in ((DEPLOYMENTS, deployments), (SETS, sets), (CLAIMS, claims), (BUDGETS, budgets)):
        for item in items:
            status = _status(path, item, current=_name(item) in wanted)
            if item.get("status", {}) | status != item.get("status"):
                _apply(api, path, {**_named(item), "status": status}, "/status")


def _collect(api: httpx.Client, path: str) -> None:
    answer = api.get(path)
    if answer.status_code == httpx.codes.NOT_FOUND:
        return  # the definition isn't there yet
    for found in answer.raise_for_status().json()["items"]:
        metadata = found["metadata"]
        if FOREGROUND not in metadata.get("finalizers", ()):
            continue
        namespace, name = _name(found)
        left = [each for each in metadata["finalizers"] if each != FOREGROUND]
        # The version: nobody's finalizer is put back.
        patch = {"metadata": {"finalizers": left, "resourceVersion": metadata["resourceVersion"]}}
        prefix, _, plural = path.rpartition("/")
        api.patch(
            f"{prefix}/namespaces/{namespace}/{plural}/{name}",
            content=json.dumps(patch),
            headers={"Content-Type": "application/merge-patch+json"},
        ).raise_for_status()


def _list(api: httpx.Client, path: str) -> list[Json]:
    found: Json = api.get(path).raise_for_status().json()
    # A list's items don't say what they are.
    about = {"apiVersion": found["apiVersion"], "kind": found["kind"].removesuffix("List")}
    return [{**about, **each} for each in found["items"]]


def _apply(api: httpx.Client, path: str, item: Json, subresource: str = "") -> None:
    """Server-side."""
    prefix, _, plural = path.rpartition("/")
    namespace, name = _name(item)
    api.patch(
        f"{prefix}/namespaces/{namespace}/{plural}/{name}{subresource}",
        params={"fieldManager": "workloads", "force": "true"},
        content=json.dumps(item),
        headers={"Content-Type": "application/apply-patch+yaml"},
    ).raise_for_status()


def _name(item: Json) -> tuple[str, str]:
    return item["metadata"]["namespace"], item["metadata"]["name"]


def _named(item: Json) -> Json:
    metadata = {key: item["metadata"][key] for key in ("name", "namespace")}
    return {"apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": metadata}


def _scale_and_owner(replica_set: Json) -> tuple[int, list[str]]:
    owners = replica_set["metadata"].get("ownerReferences", [])
    return replica_set["spec"].get("replicas", 1), [each["uid"] for each in owners]


def _replica_set(deployment: Json) -> Json:
    template, metadata = deployment["spec"]["template"], deployment["metadata"]
    sum_of_it = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]
    hashed = {"pod-template-hash": sum_of_it}
    labels = {**template["metadata"]["labels"], **hashed}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{metadata['name']}-{sum_of_it}",
            "namespace": metadata["namespace"],
            "labels": labels,
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "name": metadata["name"],
                    "uid": metadata["uid"],
                    "controller": True,
                }
            ],
        },
        "spec": {
            "replicas": deployment["spec"]["replicas"],
            "selector": {
                "matchLabels": {**deployment["spec"]["selector"]["matchLabels"], "pod-template-hash": sum_of_it}
            },
            "template": {**template, "metadata": {**template["metadata"], "labels": labels}},
        },
    }


def _status(path: str, item: Json, *, current: bool) -> Json:
    """What a controller would write; `current`: whether it is the ReplicaSet of a Deployment as that is now."""
    if path == CLAIMS:
        return {"phase": "Bound"}
    since = item["metadata"]["creationTimestamp"]
    if path == BUDGETS:
        allowed = {"type": "DisruptionAllowed", "status": "True", "reason": "SufficientPods", "message": ""}
        pods = {"disruptionsAllowed": 1, "currentHealthy": 1, "desiredHealthy": 0, "expectedPods": 1}
        return {"conditions": [{**allowed, "lastTransitionTime": since}], **pods}
    spec = item["spec"]
    wanted = spec["replicas"] if path == DEPLOYMENTS or current else 0
    ready = 0 if BROKEN in json.dumps(spec["template"]) else wanted
    counts = {"replicas": wanted, "readyReplicas": ready, "availableReplicas": ready}
    status: Json = {"observedGeneration": item["metadata"]["generation"], **counts}
    if path == DEPLOYMENTS:
        status |= {"updatedReplicas": wanted, "unavailableReplicas": wanted - ready}
        times = {"lastTransitionTime": since, "lastUpdateTime": since}
        available = {"type": "Available", "status": str(ready == wanted), **times}
        done = "NewReplicaSetAvailable" if ready == wanted else "ReplicaSetUpdated"
        status["conditions"] = [available, {"type": "Progressing", "status": "True", "reason": done, **times}]
    return status
