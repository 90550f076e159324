"""What the API server says when it doesn't do what was asked, as exceptions that say what to do about it."""

# ruff: noqa: N818 - they read as what happened: `except ObjectNotFound`
import json

from common.exchange import Answer
from common.text import printable, seconds, word

TEXT_READ = 4096
"""Bytes of what a proxy says instead of the API server."""


class KubeError(Exception):
    """The API server did not do what was asked.

    Attributes:
        status: HTTP status, 0 when there was no answer.
        reason: the API server's own word (`NotFound`, `Conflict`, …), or `NoAnswer`, `NotConfigured`.
        message: for a reader.
        retry_after: seconds to wait before asking again, if the server said so.
        causes: `(field, message)` of every refused field of an `ObjectInvalid`.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        retry_after: float | None = None,
        causes: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(f"{reason} ({status}): {message}" if status else f"{reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
        self.causes = causes


class ObjectNotFound(KubeError):
    """404: the object is gone, or the CRD is not installed."""


class Conflict(KubeError):
    """409: the resourceVersion or uid is not the current one. Read again and decide again."""


class AlreadyExists(KubeError):
    """409 on create: the name is taken."""


class ObjectInvalid(KubeError):
    """422 or 400: the object breaks the schema or one of its rules. Repeating doesn't help."""


class Forbidden(KubeError):
    """401 or 403: our credentials or our Role don't allow it. A person must look."""


class Terminating(Forbidden):
    """403 on create: the namespace is being deleted. What is in it can still be changed, but nothing can be made."""


class ApiUnavailable(KubeError):
    """429, 5xx, 410 (a list took too long), no answer or no configuration. It may have happened; ask again later."""


class AnswerTooLarge(ApiUnavailable):
    """The answer is larger than this client reads: ask for less at once."""


_BY_STATUS: dict[int, type[KubeError]] = {
    400: ObjectInvalid,
    401: Forbidden,
    403: Forbidden,
    404: ObjectNotFound,
    409: Conflict,
    422: ObjectInvalid,
}


def error_of(answer: Answer) -> KubeError:
    """The exception for an answer that isn't 2xx. The API server explains itself in a `Status`; a proxy may say
    anything, which is made fit for a log, a metric and an answer.
    """
    try:
        status = json.loads(answer.body)
    except (ValueError, RecursionError):
        status = {}
    status = status if isinstance(status, dict) else {}
    details = status.get("details")
    details = details if isinstance(details, dict) else {}
    given = details.get("causes")
    causes = [cause for cause in given if isinstance(cause, dict)] if isinstance(given, list) else []
    text = answer.body[:TEXT_READ].decode("utf-8", "replace")
    reason = word(status.get("reason"), "") or word(answer.phrase.replace(" ", ""), "Unknown")
    message = printable(status.get("message")) or printable(text, 500) or f"HTTP {answer.status}"
    kind = _BY_STATUS.get(answer.status, ApiUnavailable)
    if reason == "AlreadyExists":
        kind = AlreadyExists
    elif any(cause.get("reason") == "NamespaceTerminating" for cause in causes):
        kind = Terminating
    shown = tuple((printable(cause.get("field"), 256), printable(cause.get("message"))) for cause in causes)
    return kind(answer.status, reason, message, _retry_after(answer, details), shown)


def _retry_after(answer: Answer, details: dict[str, object]) -> float | None:
    advised = (answer.headers.get("Retry-After"), details.get("retryAfterSeconds"))
    return next((found for value in advised if (found := seconds(value)) is not None), None)
