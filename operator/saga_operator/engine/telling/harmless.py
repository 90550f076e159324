"""What is told of a saga is never its trouble."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from saga_operator.resource.about import about
from saga_operator.resource.body import Resource

log = logging.getLogger(__name__)


@contextmanager
def harmless(resource: Resource) -> Iterator[None]:
    """Log an error of the block, and go on: the finalizer finds what is due once more."""
    try:
        yield
    except Exception as error:  # a defect, or a status that somebody has edited
        log.error("nobody is told of a saga now: %r", error, exc_info=error, extra=about(resource))
