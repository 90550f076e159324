"""Settings of the order service."""

from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from common.settings import ServiceSettings


class OrderSettings(ServiceSettings):
    """What the order service reads besides what every service does."""

    model_config = SettingsConfigDict(env_prefix="ORDERSAGA_", extra="ignore", populate_by_name=True)

    inventory_url: str = Field(
        default="http://127.0.0.1:8001",
        description="Base URL of the inventory service, for prices that an order leaves out.",
    )
    shipping_url: str = Field(
        default="http://127.0.0.1:8003",
        description="Base URL of the shipping service, for addresses that come with an order.",
    )
    notification_url: str = Field(
        default="http://127.0.0.1:8004",
        description="Base URL of the notification service, for contacts that come with an order.",
    )
    lost_sagas: Literal["restore", "cancel", "report"] = Field(
        default="restore",
        description="What becomes of an order whose OrderSaga has vanished before the end of its saga. restore: it is "
        "made again, and its saga goes on. cancel: the same, but an order that isn't confirmed is rolled back. report: "
        "a line in the log and the metric ordersaga_orders_without_saga are all.",
    )
    lost_sagas_seconds: float = Field(
        default=30,
        gt=0,
        le=3600,
        description="For how long an order's saga hasn't ended at least, in seconds, before its OrderSaga is looked "
        "for. Most end within two.",
    )
    saga_ttl_seconds: int = Field(
        default=7 * 24 * 3600,
        ge=0,
        le=365 * 24 * 3600,
        description="For how long, in seconds, the OrderSaga of a finished order is kept (ttlSecondsAfterFinished). "
        "A week is long enough to look at last weekend's failures; with tens of thousands of orders a day, a day or "
        "less is right (docs/performance.md). Its story stays.",
    )
