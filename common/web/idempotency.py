"""The headers of a saga's call: Idempotency-Key `{namespace}/{orderID}/{step}/{do|undo}` and Saga-Epoch.

    @router.post("/process")
    async def process(body: ProcessRequest, key: Annotated[SagaKey, Depends(saga_key("payment", "do"))]) -> Response:
        call = key.call(body)                       # checks that key and body name the same order

The key stays the same over retries, restarts and re-creation of the resource: it names the operation, not an attempt.
"""

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Set
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Header
from fastapi.routing import APIRoute
from pydantic import BaseModel

from common.barrier import Call
from common.errors import Problem
from common.wire import OrderBody, utcnow

HEADER = "Idempotency-Key"
EPOCH_HEADER = "Saga-Epoch"
_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_KEY = re.compile(rf"({_LABEL})/({_LABEL})/([a-z]{{1,63}})/(do|undo)")
MAX_EPOCH = 2**63 - 1  # what MongoDB keeps as an integer
EPOCH_AHEAD = 10 * 60 * 1000
"""Milliseconds that an epoch may be ahead of this service's clock: an epoch is the time at which an operator began, and
hosts whose clocks differ by more have other troubles. A higher one would shut out every operator until then.
"""


class BadKey(Problem):
    """The Idempotency-Key is missing, malformed or names another order: 400."""

    status = 400
    code = "idempotency_key_invalid"


class EpochAhead(Problem):
    """The Saga-Epoch is so far ahead of this service's clock that one of the two is wrong: 422, nothing is stored."""

    status = 422
    code = "epoch_ahead"


@dataclass(frozen=True, slots=True)
class SagaKey:
    """An Idempotency-Key whose shape is right for its route; `step` and `direction` are the route's."""

    key: str
    namespace: str
    order_id: str
    step: str
    direction: Literal["do", "undo"]
    epoch: int | None

    def call(self, body: OrderBody, *, operation: str | None = None, outside: Set[str] = frozenset()) -> Call:
        """The call that this key and this body make; raises BadKey if they name different orders.

        `operation` is the name under which the barrier keeps it (default: the key's do or undo); fields named in
        `outside` don't count for the fingerprint.
        """
        if self.order_id != body.order_id:
            raise BadKey(
                f"the key {self.key} is for order {self.order_id}, the body is for {body.order_id}; "
                f"for this body use {example_key(self.step, self.direction, body.order_id, self.namespace)}",
                order_id=body.order_id,
            )
        return Call(
            key=self.key,
            namespace=self.namespace,
            order_id=self.order_id,
            operation=operation or self.direction,
            fingerprint=fingerprint(body, outside=outside),
            epoch=self.epoch,
            newest_epoch=_now() + EPOCH_AHEAD,
        )


def saga_key(step: str, direction: Literal["do", "undo"]) -> Callable[..., Awaitable[SagaKey]]:
    """A dependency that reads and checks the headers of a route, which belongs to that step and direction."""

    async def read(
        idempotency_key: Annotated[
            str,
            Header(
                alias=HEADER,
                description="`{namespace}/{order_id}/{step}/{do|undo}`, the same for every repetition of this call.",
                examples=[example_key(step, direction)],
                json_schema_extra={"pattern": f"^{_LABEL}/{_LABEL}/{step}/{direction}$"},  # for its readers: see below
            ),
        ],
        saga_epoch: Annotated[
            int | None,
            Header(
                alias=EPOCH_HEADER,
                ge=0,
                le=MAX_EPOCH,
                description="The epoch of the operator's Lease; if it is lower than before for this order: 412, "
                "if it is minutes ahead of the clock: 422.",
            ),
        ] = None,
    ) -> SagaKey:
        match = _KEY.fullmatch(idempotency_key)
        if match is None or (match[3], match[4]) != (step, direction):
            example = example_key(step, direction, match[2] if match else "o-1001")
            raise BadKey(
                f"the Idempotency-Key {idempotency_key[:200]!r} is wrong for this route: "
                f"use {{namespace}}/{{order_id}}/{step}/{direction}, for example {example}"
            )
        if saga_epoch is not None and saga_epoch > (clock := _now()) + EPOCH_AHEAD:
            raise EpochAhead(
                f"the Saga-Epoch {saga_epoch} is over {EPOCH_AHEAD // 60_000} minutes ahead of this service's clock, "
                f"{clock}: set the clock of the operator's host or of this one, or send no epoch",
                order_id=match[2],
                clock=clock,
            )
        return SagaKey(idempotency_key, match[1], match[2], step, direction, saga_epoch)

    return read


def _now() -> int:
    """Milliseconds since 1970."""
    return int(utcnow().timestamp() * 1000)


def saga_key_parts(key: str) -> tuple[str, str, str, str] | None:
    """Namespace, order id, step and direction of a saga's key; None if it is none."""
    match = _KEY.fullmatch(key)
    return (match[1], match[2], match[3], match[4]) if match else None


def declared_example(route: APIRoute, order_id: str | None) -> str | None:
    """A key that works for this order on a route that needs one; None if the route has no `saga_key`."""
    for dependency in route.dependant.dependencies:
        for header in dependency.header_params:
            match = _KEY.fullmatch(str((header.field_info.examples or [""])[0]))
            if header.alias == HEADER and match is not None:
                return example_key(match[3], match[4], order_id or match[2], match[1])
    return None


def example_key(step: str, direction: str, order_id: str = "o-1001", namespace: str = "shop") -> str:
    """A key of the right shape."""
    return f"{namespace}/{order_id}/{step}/{direction}"


def fingerprint(body: BaseModel, *, outside: Set[str] = frozenset()) -> str:
    """The sha256 of a validated body without the fields that have their default value.

    A saga that is under way while a release adds an optional field must not be answered 422 `key_reused`, whether its
    caller leaves the field out or sends the default: so a field with its default counts as left out.
    """
    kept = body.model_dump(mode="json", exclude_defaults=True, exclude=set(outside))
    return hashlib.sha256(_SORTED.encode(kept).encode()).hexdigest()


_SORTED = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
