"""Whether an operator works in the namespace, as its Lease says: if none does, nothing goes on by itself."""

from dataclasses import dataclass
from typing import Final

from ordersaga.saga.cluster import Cluster, ClusterError
from ordersaga.saga.record import Record, seconds_of
from ordersaga.saga.sentence import UNSEEN_SECONDS
from ordersaga.saga.words import span

LEASE: Final = "ordersaga-operator"
TAKES_OVER: Final = 2.0
"""Seconds after the end of a Lease in which a follower takes it: no news before that."""


@dataclass(frozen=True, slots=True)
class Working:
    """What the Lease says."""

    works: bool
    since: float | None
    """When the holder renewed it for the last time (seconds since the epoch)."""
    says: str
    """Who works, or why nobody does."""
    to_do: str = ""


def working(cluster: Cluster, now: float, name: str = LEASE) -> Working | None:
    """Of this namespace, `now` being in seconds since the epoch; None if the viewer may not see it.

    Raises:
        ClusterError: it can't be read just now.
    """
    namespace = cluster.access.namespace
    try:
        spec = cluster.get(f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}")["spec"]
    except ClusterError as error:
        if error.status == 403:
            return None
        if error.status != 404 or not error.reason:
            raise
        says = f"none has ever worked in namespace {namespace} (there is no Lease {name})"
        return Working(False, None, says, "install one, or look into another namespace (-n)")
    holder, duration = spec.get("holderIdentity"), float(spec.get("leaseDurationSeconds") or 10)
    renewed = seconds_of(spec.get("renewTime"))
    age = now - renewed if renewed is not None else float("inf")
    if not holder:
        to_do = "start it, and look into its log"
        return Working(False, renewed, "none works: the last one gave its Lease back", to_do)
    if age > duration + TAKES_OVER:
        says = f"none works: {holder} has not renewed its Lease for {span(age)}"
        to_do = "look whether it runs, and into its log; a follower would have taken over"
        return Working(False, renewed, says, to_do)
    return Working(True, renewed, f"{holder} holds the Lease, renewed {span(max(0.0, age))} ago")


def warning(found: Working | None, now: float) -> str:
    """For whoever looks at orders: that nothing goes on; "" while it does, or if nobody can say."""
    if found is None or found.works:
        return ""
    since = "" if found.since is None else f" for {span(now - found.since)}"
    ever = "No operator has worked" if since else "No operator works"
    return f"{ever}{since}: until one does, nothing goes on by itself (`kubectl saga doctor`)"


def unattended(cluster: Cluster, now: float) -> str:
    """What to say if sagas of another namespace aren't begun: who looks into the one that works doesn't see them.

    "" as well for whoever may not list those of all namespaces.
    """
    chosen = f"status.phase=,metadata.namespace!={cluster.access.namespace}"
    try:
        found = cluster.get(cluster.sagas(everywhere=True), {"limit": "1", "fieldSelector": chosen})["items"]
    except ClusterError:
        return ""
    sagas = [saga for saga in map(Record, found) if now - saga.created >= UNSEEN_SECONDS]
    if not sagas:
        return ""
    return f"nobody begins the sagas of namespace {sagas[0].namespace}, such as {sagas[0].name}"
