"""The notification service: every route it has.

cd services/notification && python -m uvicorn main:app --port 8004
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response

from common.errors import SAGA_STATUSES, documented
from common.settings import ServiceSettings
from common.web.app import Service, create_app, respond
from common.web.idempotency import SagaKey, saga_key
from common.web.pagination import PagingQuery
from common.wire import CustomerId, OrderId, Page, Reference
from services.notification import contacts, store
from services.notification.contacts import Contacts
from services.notification.models import (
    Cancelled,
    CancelNotification,
    Contact,
    ContactBody,
    NothingCancelled,
    Notification,
    NotificationType,
    SendNotification,
    Status,
)
from services.notification.provider import LogProvider
from services.notification.store import Notifications

router = APIRouter(prefix="/api/notifications", tags=["notifications"])


def _notifications(request: Request) -> Notifications:
    of_app: Notifications = request.app.state.notifications
    return of_app


def _contacts(request: Request) -> Contacts:
    of_app: Contacts = request.app.state.contacts
    return of_app


NotificationsOfApp = Annotated[Notifications, Depends(_notifications)]
ContactsOfApp = Annotated[Contacts, Depends(_contacts)]
SendKey = Annotated[SagaKey, Depends(saga_key("notification", "do"))]
CancelKey = Annotated[SagaKey, Depends(saga_key("notification", "undo"))]
ContactRef = Annotated[Reference, Path(examples=["c-17"])]


@router.post(
    "/send",
    response_model=Notification,
    responses=documented(
        *SAGA_STATUSES,
        refused="Refused: `bounced`, `contact_unknown`, `compensated`, `order_id_used`; or `running`: ask again.",
    ),
)
async def send(request: Request, body: SendNotification, key: SendKey, messages: NotificationsOfApp) -> Response:
    """Send a message about an order, once; the same key gives the same answer."""
    return respond(request, await messages.send(key.call(body), body))


@router.post(
    "/cancel",
    response_model=Cancelled | NothingCancelled,
    responses=documented(*SAGA_STATUSES, refused="`already_sent`; or `running`: ask again."),
)
async def cancel(request: Request, body: CancelNotification, key: CancelKey, messages: NotificationsOfApp) -> Response:
    """For people: see to it that a message isn't sent, now or later. The saga never calls it."""
    return respond(request, await messages.cancel(key.call(body), body.notification_type))


@router.get("", responses=documented(422, 503))
async def list_notifications(
    *,
    messages: NotificationsOfApp,
    paging: PagingQuery,
    customer_id: Annotated[CustomerId | None, Query()] = None,
    order_id: Annotated[OrderId | None, Query()] = None,
    status: Annotated[Status | None, Query()] = None,
    notification_type: Annotated[NotificationType | None, Query()] = None,
) -> Page[Notification]:
    """All notifications, sorted by notification_id."""
    return await messages.list(
        paging, customer_id=customer_id, order_id=order_id, status=status, notification_type=notification_type
    )


@router.get("/contacts/{contact_ref}", responses=documented(404, 422, 503))
async def contact(contact_ref: ContactRef, of_app: ContactsOfApp) -> Contact:
    """One contact."""
    return await of_app.get(contact_ref)


@router.put(
    "/contacts/{contact_ref}",
    responses={201: {"model": Contact, "description": "It is new."}, **documented(412, 413, 422, 503)},
)
async def put_contact(
    response: Response,
    contact_ref: ContactRef,
    body: ContactBody,
    of_app: ContactsOfApp,
    if_none_match: Annotated[
        Literal["*"] | None,
        Header(description="`*`: create, never overwrite; unless an order uses it, it expires after 30 days."),
    ] = None,
) -> Contact:
    """Create or replace a contact; with `If-None-Match: *` only create (the same content again is fine)."""
    put = of_app.create if if_none_match else of_app.put
    stored, new = await put(contact_ref, body)
    response.status_code = 201 if new else 200
    return stored


@router.get("/{notification_id}", responses=documented(404, 422, 503))
async def notification(
    notification_id: Annotated[str, Path(max_length=100)], messages: NotificationsOfApp
) -> Notification:
    """One notification."""
    return await messages.get(notification_id)


@asynccontextmanager
async def _lifespan(app: Service) -> AsyncIterator[None]:
    app.state.contacts = Contacts(app.database)
    provider = LogProvider(app.mongo, app.database)
    app.state.notifications = Notifications(app.database, app.state.contacts, provider)
    yield


def build(settings: ServiceSettings | None = None) -> Service:
    """The app; settings default to the environment."""
    return create_app(
        "notification",
        "Tells the customer about an order, each thing once, and keeps the contacts.",
        routers=[router],
        indexes=(*store.INDEXES, *contacts.INDEXES),
        lifespan=_lifespan,
        settings=settings,
    )


app = build()
