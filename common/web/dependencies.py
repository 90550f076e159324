"""What the routes of a service depend on: the stores of its app, and headers that several services know.

provide(app, Payments(app.database, provider))              # in the lifespan
PaymentsDep = Annotated[Payments, Depends(store_of(Payments))]

async def payment(payments: PaymentsDep) -> Payment: ...    # in a route
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal, TypeVar

from fastapi import FastAPI, Header, Query, Request

from common.wire import CustomerId

T = TypeVar("T")

OnlyCreate = Annotated[
    Literal["*"] | None,
    Header(
        alias="If-None-Match",
        description="`*` only creates: equal content that exists already is a success, other content is 412. What was "
        "created this way is deleted after 30 days unless an order has used it by then, and 30 days after that order "
        "was rolled back.",
    ),
]
"""The header of a PUT that keeps what came along with one order."""

Owner = Annotated[
    CustomerId | None,
    Query(
        alias="customer_id",
        description="Whose it is: an order of another customer that names it is refused as if it didn't exist. Without "
        "it every order may name what is new, and what is known keeps its owner.",
    ),
]
"""The parameter of a PUT that says whose the stored entry is."""

IfNoneMatch = Annotated[
    Literal["*"] | None,
    Header(alias="If-None-Match", description="`*`: only create it; if it exists, nothing is set (412)."),
]
"""The header of a PUT that is to change nothing that is there already."""

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=1000,
        description="The ETag that a GET has answered: if what it names has changed since, nothing is set (412). `*`: "
        "whatever it is, it must exist.",
    ),
]
"""The header of a PUT that is to change only what its author has seen."""


def provide(app: FastAPI, *stores: object) -> None:
    """Make these the app's stores, one for each class. A second one of the same class replaces the first."""
    if not hasattr(app.state, "stores"):
        app.state.stores = {}
    app.state.stores.update({type(store): store for store in stores})


def provided(app: FastAPI, kind: type[T]) -> T:
    """The app's store of this class; raises KeyError before the app's lifespan has begun."""
    store: T = app.state.stores[kind]
    return store


def store_of(kind: type[T]) -> Callable[[Request], Awaitable[T]]:
    """A dependency: the store of this class of the app that answers the request.

    Like every dependency it is async, though it waits for nothing: the framework runs others in threads.
    """

    async def find(request: Request) -> T:
        return provided(request.app, kind)

    return find
