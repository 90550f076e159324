"""What is said of an error that nobody expected: in the log, a metric, an Event and a condition of its saga."""

import logging

from common.kube import KubeError
from saga_operator import metrics
from saga_operator.engine.shared import Shared
from saga_operator.process import reasons
from saga_operator.resource.about import about
from saga_operator.resource.body import Resource
from saga_operator.resource.kube_events import KubernetesEvent
from saga_operator.resource.status import with_worker_failure

log = logging.getLogger(__name__)


async def tell(error: BaseException, resource: Resource, shared: Shared, *, failures: int, seconds: float) -> Resource:
    """Say that the saga's worker has stopped, with so many failures in a row, and begins again in so many seconds.

    Returns:
        The resource with its condition, as far as that can be written: what ails the saga may be its status.
    """
    name = resource.name
    fields = about(resource)
    log.error("saga %s stopped, again in %.0f s: %r", name, seconds, error, exc_info=error, extra=fields)
    metrics.WORKER_FAILURES.inc()
    said = f"the operator could not work on this saga: {error!r}. It tries again"
    if failures == 1:
        shared.events.add(resource, KubernetesEvent("Warning", reasons.WORKER_FAILED, said))
    try:
        status = with_worker_failure(resource, f"{said} (failures in a row: {failures})", shared.clock.now())
        return await shared.writer.write_status(resource, status)
    except KubeError as refused:
        log.info("saga %s: its condition was not written: %s", name, refused, extra=fields)
    except Exception as unreadable:
        log.info("saga %s: its conditions can't be read: %r", name, unreadable, extra=fields)
    return resource
