"""kstatus, as far as it concerns a custom resource: how Flux, Helm 4 and kpt read conditions.

After sigs.k8s.io/cli-utils, pkg/kstatus/status: the generic rules of `core.go`, without those of built-in kinds.
"""

from common.wire import Json


def status_of(resource: Json) -> str:
    """Current, InProgress, Failed or Terminating."""
    metadata, status = resource["metadata"], resource.get("status", {})
    if "deletionTimestamp" in metadata:
        return "Terminating"
    if status.get("observedGeneration", metadata.get("generation")) != metadata.get("generation"):
        return "InProgress"
    conditions = status.get("conditions", [])
    for condition in conditions:
        if condition["status"] == "True" and condition["type"] in ("Reconciling", "Stalled"):
            return "InProgress" if condition["type"] == "Reconciling" else "Failed"
    for condition in conditions:
        if condition["type"] == "Ready":
            return "Current" if condition["status"] == "True" else "InProgress"
    return "Current"
