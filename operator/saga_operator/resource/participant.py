"""What a Participant resource says of how its service is called, and its status of whether it answers. Pure."""

from dataclasses import dataclass, replace
from math import inf
from typing import Final

from common.text import printable
from common.wire import Json
from saga_operator.resource.conditions import FALSE, TRUE, UNKNOWN
from saga_operator.resource.kube_events import KubernetesEvent
from saga_operator.resource.times import to_wire

AVAILABLE: Final = "Available"
PAUSED: Final = "Paused"
ANSWERING: Final = "Answering"
NOT_CALLED: Final = "NotCalled"


@dataclass(frozen=True, slots=True)
class Terms:
    """How a participant is called."""

    url: str
    """Without a slash at its end."""
    audience: str
    """Of the token that calls carry."""
    timeout: float
    """Seconds for the whole of one call."""
    concurrency: int
    """Calls in flight at once."""
    rate: float = 0.0
    """Calls a second; 0 for no limit."""
    is_paused: bool = False
    """No call is made."""
    why_paused: str = ""

    def changed_by(self, spec: Json) -> "Terms":
        """These, with what a resource says in their place. What it doesn't say, or says wrongly, stays."""
        return replace(
            self,
            url=_text(spec.get("url"), self.url).rstrip("/"),
            audience=_text(spec.get("audience"), self.audience),
            timeout=_above_zero(spec.get("callTimeoutSeconds"), self.timeout),
            concurrency=max(1, int(_above_zero(spec.get("maxConcurrentCalls"), self.concurrency))),
            rate=_above_zero(spec.get("maxCallsPerSecond"), self.rate),
            is_paused=spec.get("state") == PAUSED,
            why_paused=printable(spec.get("pauseReason")),
        )

    def as_spec(self) -> Json:
        """As a resource says it; the state is left to people."""
        spec: Json = {
            "url": self.url,
            "audience": self.audience,
            "callTimeoutSeconds": self.timeout,
            "maxConcurrentCalls": self.concurrency,
        }
        return spec | ({"maxCallsPerSecond": self.rate} if self.rate else {})


@dataclass(frozen=True, slots=True)
class Availability:
    """What is known of a participant at this moment."""

    is_paused: bool
    is_down: bool
    """Its circuit breaker is open."""
    has_answered: bool
    """Any call at all, since this operator leads."""
    in_flight: int
    waiting: int
    reason: str = ""
    """Why the last calls got no usable answer, if it is down."""
    message: str = ""


def status_of(resource: Json, now_is: Availability, *, why_paused: str, now: float) -> Json | None:
    """The status to write for this Participant, as a merge patch; None if nothing has changed that it should say.

    `now`: seconds since the epoch. How many calls are in flight or wait is no reason to write.
    """
    before = _condition(resource)
    generation = resource["metadata"].get("generation", 0)
    status, reason, message = _verdict(before, now_is, why_paused)
    same = (before.get("status"), before.get("reason")) == (status, reason)
    if same and before.get("observedGeneration") == generation:
        return None
    since = before.get("lastTransitionTime") if before.get("status") == status else to_wire(now)
    condition = {
        "type": AVAILABLE,
        "status": status,
        "observedGeneration": generation,
        "lastTransitionTime": since,
        "reason": reason,
        "message": printable(message, 1024),
    }
    counts = {"inFlight": now_is.in_flight, "waiting": now_is.waiting}
    return {"observedGeneration": generation, **counts, "conditions": [condition]}


def event_between(before: Json, status: Json) -> KubernetesEvent | None:
    """What people should know of the change of a Participant's status, from that of this resource; mostly nothing."""
    (now,) = status["conditions"]
    was = _condition(before)
    if was.get("reason") == now["reason"]:
        return None
    if now["reason"] == PAUSED:
        return KubernetesEvent("Normal", "ParticipantPaused", now["message"])
    if now["status"] == FALSE:
        return KubernetesEvent("Warning", "ParticipantDown", now["message"])
    if was.get("reason") == PAUSED:
        return KubernetesEvent("Normal", "ParticipantResumed", "its calls go on")
    if was.get("status") == FALSE:
        return KubernetesEvent("Normal", "ParticipantBack", "it answers again")
    return None


def _verdict(before: Json, now_is: Availability, why_paused: str) -> tuple[str, str, str]:
    if now_is.is_paused:
        why = f": {why_paused}" if why_paused else ""
        return FALSE, PAUSED, f"spec.state is Paused{why}. Its calls wait until that is Active"
    if now_is.is_down:
        text = f"several orders in a row got no usable answer; calls wait and single ones probe. {now_is.message}"
        return FALSE, now_is.reason, text.strip()
    if now_is.has_answered:
        return TRUE, ANSWERING, "it answers"
    if before.get("reason", PAUSED) not in (PAUSED, NOT_CALLED):  # as the operator before this one has found it
        return str(before["status"]), str(before["reason"]), str(before.get("message", ""))
    return UNKNOWN, NOT_CALLED, "no call has been made since the operator has started or it was paused"


def _condition(resource: Json) -> Json:
    conditions = (resource.get("status") or {}).get("conditions") or []
    return next((each for each in conditions if each.get("type") == AVAILABLE), {})


def _text(value: object, otherwise: str) -> str:
    return value if isinstance(value, str) and value else otherwise


def _above_zero(value: object, otherwise: float) -> float:
    return float(value) if isinstance(value, int | float) and 0 < value < inf else otherwise
