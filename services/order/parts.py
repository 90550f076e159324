"""What the order service is made of, and what runs beside its requests: the stores, and work that goes on by itself."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from common.web.app import Service
from common.web.dependencies import provide
from services.order.archive import Archive
from services.order.checkout import Checkout
from services.order.clients import Clients
from services.order.door.door import Door, door
from services.order.door.keyring import INDEXES as DOOR_INDEXES
from services.order.erasures import INDEXES as ERASURES_INDEXES
from services.order.erasures import PAUSE, Erasures
from services.order.lost import LostSagas
from services.order.open_orders import OpenOrders
from services.order.placing import Placing
from services.order.retention import PAUSE as RETENTION_PAUSE
from services.order.retention import Retention
from services.order.sagas import Sagas
from services.order.settings import OrderSettings
from services.order.store import INDEXES as ORDERS_INDEXES
from services.order.store import Keys, Orders
from services.order.stories import INDEXES as STORIES_INDEXES
from services.order.stories import Stories

INDEXES = (*ORDERS_INDEXES, *STORIES_INDEXES, *ERASURES_INDEXES, *DOOR_INDEXES)

MINUTES = 300.0
"""Seconds beside the pauses after which the search for lost OrderSagas counts as hanging: one order takes some."""


@asynccontextmanager
async def lifespan(app: Service) -> AsyncIterator[None]:
    """Make the stores, which connect when they are first used: to the database, the API server, other services."""
    settings = app.settings
    assert isinstance(settings, OrderSettings)  # noqa: S101 - `build` has made them
    sagas = Sagas(
        settings.namespace,
        settings.kubeconfig,
        ttl_seconds=settings.saga_ttl_seconds,
        on_call=app.metrics.api_requests.count,
    )
    others = Clients(
        inventory=settings.inventory_url,
        payment=settings.payment_url,
        shipping=settings.shipping_url,
        notification=settings.notification_url,
        tokens=settings.tokens,
        ca_file=settings.ca_file,
    )
    orders, stories = Orders(app.database), Stories(app.database)
    rooms = OpenOrders(orders, settings.clients_open_orders, settings.clients_staff_open_orders)
    lost = LostSagas(
        orders,
        stories,
        sagas,
        mode=settings.lost_sagas,
        seconds=settings.lost_sagas_seconds,
        registry=app.metrics.registry,
    )
    erasures = Erasures(app.database, orders, stories, sagas, others)
    retention = Retention(erasures, orders, stories, sagas, days=settings.personal_data_days)
    provide(
        app,
        erasures,
        retention,
        orders,
        sagas,
        lost,
        Placing(orders, Keys(app.database), sagas, others, rooms),
        Checkout(orders, sagas, lost),
        Archive(stories, orders, sagas, erasures),
    )
    try:
        async with (
            app.background.doing(
                lost.keep_looking, name="looking for lost OrderSagas", silent=2 * settings.lost_sagas_seconds + MINUTES
            ),
            app.background.doing(lost.keep_cancelling, name="telling the API server of cancels"),
            app.background.doing(erasures.keep_erasing, name="erasing personal data", silent=2 * PAUSE + MINUTES),
            app.background.doing(
                retention.keep_erasing, name="erasing what is old", silent=2 * RETENTION_PAUSE + MINUTES
            ),
        ):
            yield
    finally:
        await others.aclose()
        await sagas.aclose()


def doors(app: Service) -> AbstractAsyncContextManager[Door | None]:
    """What judges the clients."""
    assert isinstance(app.settings, OrderSettings)  # noqa: S101 - `build` has made them
    return door(app.settings, app.database)
