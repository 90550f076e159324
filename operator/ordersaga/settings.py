"""The command's settings: environment variables named `ORDERSAGA_…`, as everywhere; its options override them."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from common.services import SERVICES, default_url


class Settings(BaseSettings):
    """Where the installation is; the defaults are the local stack's."""

    model_config = SettingsConfigDict(env_prefix="ORDERSAGA_", extra="ignore")

    namespace: str = Field(
        default="shop",
        description="Namespace of the OrderSaga resources: one installation serves one namespace. The API server is "
        "found by KUBECONFIG or the pod's service account.",
    )
    database_prefix: str = Field(
        default="ordersaga_",
        description="The name of a service's database is this and the service's name, for example ordersaga_payment.",
    )
    mongodb_url: str = Field(
        default="mongodb://127.0.0.1:27017/?directConnection=true",
        description="MongoDB URI of all five databases. The right to read them is enough.",
    )
    mongodb_ca_file: Path | None = Field(
        default=None,
        description="A file with authorities (PEM): the database at mongodb_url speaks TLS, whatever that URI says, "
        "and is checked with them; with the system's, while there is no such file.",
    )
    order_mongodb_url: str = Field(
        default="", description="MongoDB URI of the order service's database; empty: it is where mongodb_url says."
    )
    inventory_mongodb_url: str = Field(
        default="", description="MongoDB URI of the inventory service's database; empty: it is where mongodb_url says."
    )
    payment_mongodb_url: str = Field(
        default="", description="MongoDB URI of the payment service's database; empty: it is where mongodb_url says."
    )
    shipping_mongodb_url: str = Field(
        default="", description="MongoDB URI of the shipping service's database; empty: it is where mongodb_url says."
    )
    notification_mongodb_url: str = Field(
        default="",
        description="MongoDB URI of the notification service's database; empty: it is where mongodb_url says.",
    )
    order_url: str = Field(default=default_url("order"), description="Base URL of the order service.")
    inventory_url: str = Field(default=default_url("inventory"), description="Base URL of the inventory service.")
    payment_url: str = Field(default=default_url("payment"), description="Base URL of the payment service.")
    shipping_url: str = Field(default=default_url("shipping"), description="Base URL of the shipping service.")
    notification_url: str = Field(
        default=default_url("notification"), description="Base URL of the notification service."
    )

    tokens: Path | None = Field(
        default=None,
        description="A folder with a token for each service, in a file of its name (`payment`), for what calls the "
        "services: an auditor's or the shop's own people's. Without it calls carry none.",
    )
    ca_file: Path | None = Field(
        default=None,
        description="A file with authorities (PEM) that are trusted beside the system's, where the address of a "
        "service begins with https.",
    )

    @property
    def mongodb_urls(self) -> dict[str, str]:
        """Service → MongoDB URI."""
        return {name: getattr(self, f"{name}_mongodb_url") or self.mongodb_url for name in SERVICES}

    @property
    def service_urls(self) -> dict[str, str]:
        """Service → base URL, without a slash at its end."""
        return {name: str(getattr(self, f"{name}_url")).rstrip("/") for name in SERVICES}
