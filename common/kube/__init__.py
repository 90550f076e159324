"""A small typed client for the API server: connections, errors, and the three kinds of objects that we keep there."""

from common.kube.client import KubeClient
from common.kube.config import KubeConfigError
from common.kube.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    KubeError,
    NotFound,
    Terminating,
    Unavailable,
)
from common.kube.resources import (
    API_VERSION,
    CORRELATION_ID,
    FINALIZER,
    GROUP,
    KIND,
    PLURAL,
    VERSION,
    Events,
    Leases,
    OrderSagas,
    Page,
)

__all__ = [
    "API_VERSION",
    "CORRELATION_ID",
    "FINALIZER",
    "GROUP",
    "KIND",
    "PLURAL",
    "VERSION",
    "AlreadyExists",
    "Conflict",
    "Events",
    "Forbidden",
    "Gone",
    "Invalid",
    "KubeClient",
    "KubeConfigError",
    "KubeError",
    "Leases",
    "NotFound",
    "OrderSagas",
    "Page",
    "Terminating",
    "Unavailable",
]
