"""The participants as their resources say it: which of them answer, since when, and how many sagas wait for them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Self

from common.order_saga import GROUP, VERSION
from ordersaga.saga.cluster import Cluster, ClusterError
from ordersaga.saga.facts import Facts
from ordersaga.saga.record import STEPS, participant_of, seconds_of
from ordersaga.saga.words import span
from saga_operator.process import reasons

ORDER: Final = ("order", "inventory", "payment", "shipping", "notification")
"""As a saga calls them."""
UP, DOWN, PAUSED, UNKNOWN = "up", "down", "paused", "unknown"
_STATES: Final = {"True": UP, "False": DOWN}


@dataclass(frozen=True, slots=True)
class Participant:
    """One of the five services."""

    name: str
    state: str
    """UP, DOWN, PAUSED, or UNKNOWN before the first call."""
    since: float | None
    """Seconds since the epoch."""
    reason: str
    message: str
    is_followed: bool
    """The operator has taken note of the resource as it is now."""

    @classmethod
    def of(cls, item: dict[str, Any]) -> Self:
        """Of this resource."""
        status = item.get("status") or {}
        found: dict[str, Any] = next(
            (each for each in status.get("conditions") or [] if each.get("type") == "Available"), {}
        )
        reason = str(found.get("reason", ""))
        state = PAUSED if reason == "Paused" else _STATES.get(str(found.get("status", "")), UNKNOWN)
        return cls(
            name=str(item["metadata"]["name"]),
            state=state,
            since=seconds_of(found.get("lastTransitionTime")),
            reason=reason,
            message=str(found.get("message", "")),
            is_followed=status.get("observedGeneration") == item["metadata"].get("generation"),
        )

    def trouble(self, now: float) -> str:
        """How long it has been down or paused, and why; "" if it is neither."""
        since = f" for {span(now - self.since)}" if self.since is not None else ""
        match self.state:
            case "down":
                return f"{self.name} is down{since} ({self.reason}): {self.message}"
            case "paused":
                return f"{self.name} is paused{since}: {self.message}"
        return ""

    def holds_up(self, now: float, number: int) -> str:
        """What that means for so many sagas that are to call it now; "" if it is neither down nor paused."""
        since = f" for {span(now - self.since)}" if self.since is not None else ""
        they = "it" if number == 1 else "they"
        match self.state:
            case "down":
                return f"{self.name} is down{since}: single calls probe it, and {they} will wait until it answers"
            case "paused":
                return f"{self.name} is paused{since} ({self.message}): {they} will wait until that is Active again"
        return ""


def participants_of(cluster: Cluster) -> list[Participant]:
    """All of the namespace, in the order in which a saga calls them; none where the kind isn't installed, or may not be
    seen. Raises ClusterError.
    """
    path = f"/apis/{GROUP}/{VERSION}/namespaces/{cluster.access.namespace}/participants"
    try:
        items = cluster.get(path)["items"]
    except ClusterError as error:
        if error.status in (403, 404):
            return []
        raise
    of = {each.name: each for each in map(Participant.of, items)}
    return [of[name] for name in ORDER if name in of]


def waiting_for(sagas: Iterable[Facts]) -> Counter[str]:
    """How many of them wait for each participant, by its name."""
    return Counter(participant_of(each.step) for each in sagas if _waits(each) and each.step in STEPS)


def _waits(saga: Facts) -> bool:
    return saga.trouble in reasons.DOWNSTREAM
