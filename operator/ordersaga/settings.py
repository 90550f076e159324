"""Settings of the command: the same environment variables as everywhere, overridden by its options."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

SERVICES = ("order", "inventory", "payment", "shipping", "notification")


class Settings(BaseSettings):
    """Where the installation is; the defaults are the local stack's."""

    model_config = SettingsConfigDict(env_prefix="ORDERSAGA_", extra="ignore")

    namespace: str = "shop"
    database_prefix: str = "ordersaga_"
    mongodb_url: str = "mongodb://127.0.0.1:27017/?directConnection=true"
    order_mongodb_url: str = Field(default="", description="If this service's database is somewhere else.")
    inventory_mongodb_url: str = ""
    payment_mongodb_url: str = ""
    shipping_mongodb_url: str = ""
    notification_mongodb_url: str = ""
    order_url: str = "http://127.0.0.1:8000"
    inventory_url: str = "http://127.0.0.1:8001"
    payment_url: str = "http://127.0.0.1:8002"
    shipping_url: str = "http://127.0.0.1:8003"
    notification_url: str = "http://127.0.0.1:8004"

    @property
    def mongodb_urls(self) -> dict[str, str]:
        """Service → MongoDB URI."""
        return {name: getattr(self, f"{name}_mongodb_url") or self.mongodb_url for name in SERVICES}

    @property
    def service_urls(self) -> dict[str, str]:
        """Service → base URL."""
        return {name: str(getattr(self, f"{name}_url")).rstrip("/") for name in SERVICES}
