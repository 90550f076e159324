"""What the kit has to know of a participant before it can try it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from common.wire import Json

Body = Callable[[str], Json]
"""Makes the request body for an order's id: always the same one for the same order."""
Direction = Literal["do", "undo"]


@dataclass(frozen=True, slots=True)
class Route:
    """One POST of the saga."""

    path: str
    step: str
    direction: Direction
    body: Body

    def key(self, order_id: str, namespace: str = "shop") -> str:
        """The Idempotency-Key of this call for that order."""
        return f"{namespace}/{order_id}/{self.step}/{self.direction}"


@dataclass(frozen=True, slots=True)
class Subject:
    """A participant's do and undo, and what is known of them. A promise that needs more is not tried."""

    do: Route
    undo: Route
    namespace: str = "shop"
    takes_back: bool = True
    """Whether the undo takes back what happened. A message that was sent can only be prevented."""
    other: Body | None = None
    """Another valid body of the do for the same order."""
    refused: Body | None = None
    """A body of the do that is refused for a business reason."""
    slow: Body | None = None
    """A body of the do that is first answered 202."""
    prepare: Callable[[str], Awaitable[None]] | None = None
    """What has to happen to an order before its do; it is called before each of them, and must not fail."""
    live: Callable[[str], Awaitable[bool]] | None = None
    """Whether an effect of this order stands at this moment."""
    ledger: Callable[[str], Awaitable[Sequence[str]]] | None = None
    """What really happened at the provider: kinds such as charge and refund, one entry for each time."""

    def route(self, direction: Direction) -> Route:
        """The route of that direction."""
        return self.do if direction == "do" else self.undo
