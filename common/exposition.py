"""What is told of a process, as the reader of its metrics asks for it.

OpenMetrics is given to who accepts it, as Prometheus does: it alone has exemplars, which lead from a bucket to the
trace of one request that fell into it. Everybody else gets Prometheus's own text.
"""

from typing import Final

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, disable_created_metrics, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import CollectorRegistry

OPENMETRICS: Final = "application/openmetrics-text"

# The time at which each counter and histogram began: half as many series again, and no query of ours asks for it.
disable_created_metrics()  # type: ignore[no-untyped-call]


def exposed(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """The metrics and their media type, for a header Accept, which may be anything."""
    if _takes_openmetrics(accept):
        text: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]
        return text, openmetrics.CONTENT_TYPE_LATEST
    return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4


def exemplar(trace_id: str) -> dict[str, str] | None:
    """What to give with an observation that belongs to this trace (32 hexadecimal digits); none without a trace."""
    return {"trace_id": trace_id} if trace_id else None


def _takes_openmetrics(accept: str) -> bool:
    for offered in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in offered.split(";"))
        if kind == OPENMETRICS:
            return "q=0" not in parameters
    return False
