"""What becomes of workloads where there are no nodes: a stand-in for the deployment controller and for nodes.

It makes each Deployment's ReplicaSet, says that its pods are ready, and that volumes are bound, so that those who
wait for a release (Helm, kstatus) decide by what they find, as on a cluster. Nothing runs. Pods with an image of
BROKEN never become ready.
"""

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator

from common.wire import Json
from dev.setup.errors import StackError
from dev.stack.parts.admin import Administrator

BROKEN = "registry.example.com/no-such-image"
# Seconds between two looks: far below what Helm waits between its own (2 s).
PAUSE = 0.5


@contextlib.contextmanager
def simulated(administrator: Administrator) -> Iterator[None]:
    """Deployments and volume claims of all namespaces become ready while the block lasts."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(PAUSE):
            with contextlib.suppress(StackError):  # one that was deleted or changed meanwhile: looked at again
                _look(administrator)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _look(administrator: Administrator) -> None:
    found = json.loads(administrator.kubectl("get", "deployments,pvc,replicasets", "-A", "-o", "json").stdout)["items"]
    have = {item["metadata"]["name"] for item in found if item["kind"] == "ReplicaSet"}
    deployments = [item for item in found if item["kind"] == "Deployment"]
    sets = [_replica_set(each) for each in deployments]
    if missing := [each for each in sets if each["metadata"]["name"] not in have]:
        _apply(administrator, missing)
        return  # the generation that their statuses are about is known from the next look on
    news = []
    for item in found:
        wanted = _status(item, {each["metadata"]["name"] for each in sets})
        if wanted and item.get("status", {}) | wanted != item.get("status"):
            news.append(_named(item, status=wanted))
    if news:
        _apply(administrator, news, "--subresource=status")


def _apply(administrator: Administrator, items: list[Json], *more: str) -> None:
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    words = ("apply", "--server-side", "--force-conflicts", "--field-manager=workloads", *more, "-f", "-")
    administrator.kubectl(*words, input=listed)


def _named(item: Json, **more: object) -> Json:
    metadata = {key: item["metadata"][key] for key in ("name", "namespace")}
    return {"apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": metadata, **more}


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


def _status(item: Json, current: set[str]) -> Json:
    """What a controller would write; `current`: the ReplicaSets of the Deployments as they are."""
    if item["kind"] == "PersistentVolumeClaim":
        return {"phase": "Bound"}
    spec = item["spec"]
    wanted = spec["replicas"] if item["kind"] == "Deployment" or item["metadata"]["name"] in current else 0
    ready = 0 if BROKEN in json.dumps(spec["template"]) else wanted
    counts = {"replicas": wanted, "readyReplicas": ready, "availableReplicas": ready}
    status: Json = {"observedGeneration": item["metadata"]["generation"], **counts}
    if item["kind"] == "Deployment":
        status |= {"updatedReplicas": wanted, "unavailableReplicas": wanted - ready}
    return status
