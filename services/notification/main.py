"""The notification service: every route it has, port 8004.

cd services/notification && python -m uvicorn main:app --port 8004
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from common.errors import SAGA_STATUSES, accepted, documented
from common.identity.bearer import bearer_for
from common.settings import ServiceSettings
from common.shop.erasure import Erase, Erased
from common.shop.orders import Orders
from common.web.app import FINISH_SECONDS, Service, answered, create_app, respond
from common.web.dependencies import OnlyCreate, Owner, provide, provided, store_of
from common.web.guard import OPERATOR, ORDER_SERVICE, READERS, STAFF, Table
from common.web.idempotency import SagaKey, saga_key
from common.web.pagination import PagingQuery
from common.wire import CustomerId, NothingUndone, OrderId, Page, Reference
from services.notification.delivery.outlet import Outlet
from services.notification.models import (
    CancelRequest,
    Contact,
    ContactRequest,
    Notification,
    NotificationType,
    SendRequest,
    Status,
    Undone,
)
from services.notification.settings import NotificationSettings
from services.notification.store import INDEXES, Contacts, Notifications

PUBLIC = (
    "GET /api/notifications",
    "GET /api/notifications/contacts/{contact_ref}",
    "PUT /api/notifications/contacts/{contact_ref}",
    "DELETE /api/notifications/contacts/{contact_ref}",
    "GET /api/notifications/{notification_id}",
)
"""What the shop's own people need. The saga's steps are the operator's alone."""

CALLERS: Table = {
    "POST /api/notifications/send": OPERATOR,
    "POST /api/notifications/cancel": STAFF,
    "GET /api/notifications/operations/{order_id}/{notification_type}/{direction}": OPERATOR,
    "GET /api/notifications": READERS,
    "GET /api/notifications/contacts/{contact_ref}": STAFF,
    "PUT /api/notifications/contacts/{contact_ref}": STAFF | ORDER_SERVICE,
    "DELETE /api/notifications/contacts/{contact_ref}": STAFF,
    "GET /api/notifications/{notification_id}": READERS,
    "POST /api/notifications/erase": ORDER_SERVICE,
}

router = APIRouter(prefix="/api/notifications", tags=["notifications"])

NotificationsDep = Annotated[Notifications, Depends(store_of(Notifications))]
ContactsDep = Annotated[Contacts, Depends(store_of(Contacts))]
DoKey = Annotated[SagaKey, Depends(saga_key("notification", "do"))]
UndoKey = Annotated[SagaKey, Depends(saga_key("notification", "undo"))]
_ACCEPTED = accepted("/api/notifications/operations/{order_id}/{notification_type}/{do|undo}")
ContactRef = Annotated[Reference, Path(examples=["c-17"])]


@router.post(
    "/send",
    response_model=Notification,
    responses={
        202: _ACCEPTED,
        **documented(
            *SAGA_STATUSES,
            refused="Not sent, and the same key gets the same answer from now on: `bounced` (the e-mail address "
            "doesn't exist), `contact_unknown`, `compensated` (the message was cancelled), `order_id_used` (the order "
            "belongs to another namespace). `running`: another call is at work; repeat this one after Retry-After "
            "seconds.",
        ),
    },
)
async def send(request: Request, body: SendRequest, key: DoKey, notifications: NotificationsDep) -> Response:
    """Send a message about an order, once. A repeated call with the same key gets the same answer and sends nothing."""
    # A repetition may know another reason (an operator that found the order cancelled already): the first one stays.
    call = key.call(body, outside={"reason", "payment"})
    return respond(request, await notifications.send(call, body))


@router.post(
    "/cancel",
    response_model=Undone | NothingUndone,
    responses={
        202: _ACCEPTED,
        **documented(
            *SAGA_STATUSES,
            refused="`already_sent`: send the customer a correction. `running`: another call is at work; repeat this "
            "one after Retry-After seconds.",
        ),
    },
)
async def cancel(request: Request, body: CancelRequest, key: UndoKey, notifications: NotificationsDep) -> Response:
    """Make sure that a message isn't sent, now or later. This is for people: the saga never cancels a message."""
    return respond(request, await notifications.cancel(key.call(body), body.notification_type))


@router.get(
    "/operations/{order_id}/{notification_type}/{direction}",
    response_model=Notification | Undone | NothingUndone,
    responses={202: _ACCEPTED, **documented(404, refused="What the POST would answer now.")},
)
async def operation(
    request: Request,
    order_id: OrderId,
    notification_type: NotificationType,
    direction: Literal["do", "undo"],
    notifications: NotificationsDep,
) -> Response:
    """The progress of a message (`do`) or its cancellation (`undo`): 202 while the provider is asked, then what its
    POST would answer.
    """
    return respond(request, await notifications.operation(order_id, notification_type, direction))


@router.post("/erase")
async def erase(body: Erase, notifications: NotificationsDep) -> Erased:
    """Delete the contacts of these finished orders, and what pointed to them. Repeating it changes nothing.

    The order service calls this: DELETE /api/customers/{customer_id}/data there.
    """
    return await notifications.erase(body)


@router.get("")
async def list_notifications(
    *,
    notifications: NotificationsDep,
    paging: PagingQuery,
    customer_id: Annotated[CustomerId | None, Query()] = None,
    order_id: Annotated[OrderId | None, Query()] = None,
    status: Annotated[Status | None, Query()] = None,
    notification_type: Annotated[NotificationType | None, Query()] = None,
) -> Page[Notification]:
    """All notifications, sorted by notification_id; failed ones too."""
    return await notifications.list(
        paging, customer_id=customer_id, order_id=order_id, status=status, notification_type=notification_type
    )


@router.get("/contacts/{contact_ref}", responses=documented(404))
async def get_contact(contact_ref: ContactRef, contacts: ContactsDep) -> Contact:
    """One contact. It is personal data: show it only to people who need it."""
    return await contacts.get(contact_ref)


@router.put(
    "/contacts/{contact_ref}",
    response_model=Contact,
    responses={
        201: {"model": Contact, "description": "The contact is new."},
        412: {
            **documented(412)[412],
            "description": "`exists`: with If-None-Match, and the contact exists with other content.",
        },
    },
)
async def put_contact(
    contact_ref: ContactRef,
    body: ContactRequest,
    contacts: ContactsDep,
    if_none_match: OnlyCreate = None,
    owner: Owner = None,
) -> Response:
    """Store a contact under a reference that orders can use."""
    keep = contacts.put if if_none_match is None else contacts.create
    stored, new = await keep(contact_ref, body, owner)
    return answered(stored, status=201 if new else 200)


@router.delete(
    "/contacts/{contact_ref}",
    status_code=204,
    responses=documented(
        404,
        refused="`in_use`: an order that isn't over needs it.",
        unavailable="`unavailable`: the database or the order service doesn't answer: repeat the request later.",
    ),
)
async def delete_contact(contact_ref: ContactRef, contacts: ContactsDep) -> None:
    """Delete a contact, as its owner may ask."""
    await contacts.delete(contact_ref)


@router.get("/{notification_id}", responses=documented(404))
async def get_notification(
    notification_id: Annotated[
        str, Path(max_length=100, description="The notification's id.", examples=["ntf-o-1001-order_confirmed"])
    ],
    notifications: NotificationsDep,
) -> Notification:
    """One notification, by its own id."""
    return await notifications.get(notification_id)


@asynccontextmanager
async def lifespan(app: Service) -> AsyncIterator[None]:
    """Make the stores, which connect when they are first used, and delete contacts that have expired."""
    credentials = bearer_for("order", app.settings.tokens)
    orders = Orders(app.settings.order_url, credentials=credentials, ca_file=app.settings.ca_file)
    contacts = Contacts(app.database, orders)
    assert isinstance(app.settings, NotificationSettings)  # noqa: S101 - `build` has made them
    outlet = Outlet(app.settings, app.database, app.metrics.registry)
    provider = app.metrics.provider_calls.of(outlet.provider)
    notifications = Notifications(
        *(app.database, contacts, provider, outlet.wordings, app.errands), delivered_by=outlet.name
    )
    provide(app, contacts, outlet, notifications)
    try:
        async with app.background.doing(contacts.keep_clean, name="expiry"):
            yield
    finally:
        await app.errands.finish(FINISH_SECONDS)  # what is on its way needs its connection
        await outlet.aclose()
        await orders.aclose()


async def _why_no_outlet(app: Service) -> str | None:
    return provided(app, Outlet).why_not_ready()


def build(settings: ServiceSettings | None = None) -> Service:
    """The app; `settings` default to the environment's."""
    return create_app(
        "notification",
        "Sends each message about an order once, and keeps the contacts.",
        routers=[router],
        public=PUBLIC,
        callers=CALLERS,
        indexes=INDEXES,
        lifespan=lifespan,
        ready_checks=[_why_no_outlet],
        settings=NotificationSettings(**settings.model_dump()) if settings else NotificationSettings(),
    )


app = build()
