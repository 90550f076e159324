"""A small typed client for the API server: connections, errors, and the four kinds of objects that we keep there."""

from common.kube.client import KubeClient, OnCall
from common.kube.config import Access, KubeConfigError
from common.kube.errors import (
    AlreadyExists,
    AnswerTooLarge,
    ApiUnavailable,
    Conflict,
    Forbidden,
    KubeError,
    ObjectInvalid,
    ObjectNotFound,
    Terminating,
)
from common.kube.participants import ParticipantResources
from common.kube.resources import (
    Events,
    Leases,
    ObjectPage,
    OrderSagas,
)

__all__ = [
    "Access",
    "AlreadyExists",
    "AnswerTooLarge",
    "ApiUnavailable",
    "Conflict",
    "Events",
    "Forbidden",
    "KubeClient",
    "KubeConfigError",
    "KubeError",
    "Leases",
    "ObjectInvalid",
    "ObjectNotFound",
    "ObjectPage",
    "OnCall",
    "OrderSagas",
    "ParticipantResources",
    "Terminating",
]
