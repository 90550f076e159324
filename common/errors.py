"""Errors that tell their reader what happened, to which order, and what to do.

Every answer that isn't a success is problem+json (RFC 9457) with `code` (snake_case, stable: programs decide by it),
`detail` (for a person: what happened and what to do) and `retryable`. A route raises one of these; the handlers of
`common.web.problems` write the answer.

    Problem
    ├── Refused          409, a business refusal: stored under the key; every repetition gets the same answer
    ├── Unavailable      503, nothing stored: ask again with the same key
    ├── TooMany          429, nothing stored: the client asks for more than its share
    ├── NotFound         404
    ├── Invalid          422, the request is wrong: repeating it unchanged gets the same answer
    └── Unreadable       500, what is kept of the order is damaged: a person has to mend it
"""

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from common.text import printable

PROBLEM_JSON = "application/problem+json"
LONGEST_DETAIL = 2048
"""Characters: five wrong fields, each named and explained."""


class ProblemBody(BaseModel):
    """The body of every answer that isn't a success (application/problem+json)."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "about:blank",
                "title": "Conflict",
                "status": 409,
                "detail": "order o-1001: the card was declined; place a new order with another payment method",
                "code": "card_declined",
                "retryable": False,
                "order_id": "o-1001",
            }
        }
    )

    type: str = Field(default="about:blank", description="Always about:blank: `code` tells problems apart.")
    title: str = Field(description="The phrase of the HTTP status.")
    status: int = Field(description="The HTTP status code, repeated.")
    detail: str = Field(description="What happened, and what to do.")
    code: str = Field(description="The kind of problem in snake_case; programs decide by it.")
    retryable: bool = Field(description="Whether the same request may succeed later.")
    order_id: str | None = Field(default=None, description="The order concerned, where it is known.")
    epoch: int | None = Field(default=None, description="`stale_epoch` only: the highest epoch seen for the order.")
    clock: int | None = Field(default=None, description="`epoch_ahead` only: the service's time, in ms since 1970.")


class Problem(Exception):  # noqa: N818 - RFC 9457's word
    """An answer that isn't a success.

    `detail` says what happened and what to do; what it quotes of a request is made printable and bounded here. `code`
    is stable, `retry_after` is in seconds. Where `order_id` is None the barrier fills in the order of the call.
    `epoch` and `clock` (milliseconds) are for answers about epochs.
    """

    status: int = 500
    code: str = "internal"
    retryable: bool = False

    def __init__(
        self,
        detail: str,
        *,
        status: int | None = None,
        code: str | None = None,
        retryable: bool | None = None,
        retry_after: int | None = None,
        order_id: str | None = None,
        epoch: int | None = None,
        clock: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.members = {name: each for name, each in (("epoch", epoch), ("clock", clock)) if each is not None}
        self.detail = printable(detail, LONGEST_DETAIL)
        self.status = self.status if status is None else status
        self.code = self.code if code is None else code
        self.retryable = self.retryable if retryable is None else retryable
        self.retry_after = retry_after
        self.order_id = order_id

    def body(self) -> dict[str, Any]:
        """The problem document."""
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "retryable": self.retryable,
            **self.members,
        }
        if self.order_id is not None:
            body["order_id"] = self.order_id
        return body

    def headers(self) -> dict[str, str]:
        """Retry-After, where there is one."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


class Refused(Problem):
    """A business refusal whose reason is its `code` (card_declined, out_of_stock, …): 409.

    Raised by a do, the barrier stores it as the do's answer and sets `fields` in the document (a declined payment is
    still a payment). Raised by an undo it is answered, and nothing is stored.
    """

    status = 409

    def __init__(
        self, code: str, detail: str, *, fields: Mapping[str, Any] | None = None, order_id: str | None = None
    ) -> None:
        super().__init__(detail, code=code, order_id=order_id)
        self.fields = dict(fields or {})


class Unavailable(Problem):
    """A database or provider that this service needs didn't answer: 503 with Retry-After; nothing was stored."""

    status = 503
    code = "unavailable"
    retryable = True

    def __init__(self, detail: str, *, retry_after: int = 1, order_id: str | None = None) -> None:
        super().__init__(detail, retry_after=retry_after, order_id=order_id)


class TooMany(Problem):
    """A client asks for more than its share: 429 with Retry-After; nothing was stored."""

    status = 429
    code = "too_many_requests"
    retryable = True

    def __init__(
        self, detail: str, *, retry_after: float, code: str | None = None, order_id: str | None = None
    ) -> None:
        """`retry_after`: seconds."""
        super().__init__(detail, code=code, retry_after=max(1, math.ceil(retry_after)), order_id=order_id)


class NotFound(Problem):
    """The resource that the path names doesn't exist: 404."""

    status = 404
    code = "not_found"


class Invalid(Problem):
    """The request is wrong in itself: 422."""

    status = 422
    code = "invalid"


class Unreadable(Problem):
    """A document of ours is damaged: 500, and not before a person has mended it does a repetition get another answer.

    Its code tells it from a failure of the service, so that it costs its own order alone.
    """

    code = "document_unreadable"

    def __init__(self, document: Mapping[str, Any], why: str) -> None:
        document_id = document.get("_id")
        order_id = document.get("order_id", document_id)
        detail = (
            f"order {order_id}: the document {document_id!r} that this service keeps of it can't be read ({why}): mend "
            "it or restore it from a backup, then call again with the same key"
        )
        super().__init__(detail, order_id=order_id if isinstance(order_id, str) else None)


def documented(*statuses: int, **codes: str) -> dict[int | str, dict[str, Any]]:
    """OpenAPI `responses` for a route: `documented(404, refused="`card_declined`: …")` describes 404 and 409."""
    texts = dict(_TEXTS)
    for name, status in (("refused", 409), ("unavailable", 503)):
        if name in codes:
            statuses = (*statuses, status)
            texts[status] = codes[name]
    return {
        status: {
            "description": texts[status],
            "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}},
        }
        for status in sorted(set(statuses))
    }


_TEXTS: dict[int, str] = {
    400: "The Idempotency-Key is missing or malformed; the detail shows one that works.",
    401: "`unauthenticated`: send an API key or a token that is good here as `Authorization: Bearer`.",
    403: "`not_allowed`: this is for somebody else.",
    404: "`not_found`: there is no such resource.",
    409: "Refused; `code` is the reason.",
    412: "`stale_epoch`: a newer operator works on this order.",
    413: "`too_large`: the body is too large.",
    422: "`invalid`: the detail names each wrong field. `key_reused`: this key was used with another body. "
    "`epoch_ahead`: the epoch is minutes ahead of the service's clock.",
    429: "`too_many_requests`: come again after Retry-After seconds.",
    503: "`unavailable`: repeat the request later, with the same key.",
}
_WITHOUT_KEY = {422: "`invalid`: the detail names each wrong field.", 503: "`unavailable`: repeat the request later."}


def accepted(location: str, model: Any = None) -> dict[str, Any]:
    """OpenAPI's 202 for a route whose provider may take its time; `location` is where its progress is shown."""
    described: dict[str, Any] = {
        "description": "The provider takes its time, or has accepted it and settles it later: GET the Location after "
        "Retry-After seconds.",
        "headers": {
            "Location": {"schema": {"type": "string"}, "description": f"`{location}`"},
            "Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait before the next GET."},
        },
    }
    return described if model is None else {**described, "model": model}


def documented_truly(operation: dict[str, Any]) -> None:
    """Take the answers of every route out of the OpenAPI `operation` that can't give them, or word them without a key.

    A route that takes nothing answers neither 413, 422 nor 503, unless it has a 503 of its own.
    """
    answers = operation["responses"]
    parameters = operation.get("parameters", ())
    impossible = set() if "requestBody" in operation else {413}
    if not parameters and "requestBody" not in operation:
        impossible |= {422, 503}
    keyed = any(parameter["name"] == "Idempotency-Key" for parameter in parameters)
    for status in (413, 422, 503):
        answer = answers.get(str(status))
        if answer is None or answer["description"] != _TEXTS[status]:
            continue
        if status in impossible:
            del answers[str(status)]
        elif not keyed:
            answer["description"] = _WITHOUT_KEY.get(status, _TEXTS[status])


SAGA_STATUSES = (400, 412)
"""What every POST of the saga may answer besides its own refusals and the 413, 422 and 503 of every route."""
