"""Settings of the order service."""

from pathlib import Path

from pydantic import AliasChoices, Field
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
    kubeconfig: Path | None = Field(
        default=None,
        validation_alias=AliasChoices("ORDERSAGA_KUBECONFIG", "KUBECONFIG"),
        description="Where the API server is, and the identity to use there. Without it: the pod's service account.",
    )
