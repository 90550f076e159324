"""Settings of the order service."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from common.settings import ServiceSettings

LOCAL = ("http://127.0.0.1:", "http://localhost:")
"""An identity provider on this machine, to try one out."""


class OrderSettings(ServiceSettings):
    """What the order service reads besides what every service does."""

    model_config = SettingsConfigDict(env_prefix="ORDERSAGA_", extra="ignore", populate_by_name=True)

    inventory_url: str = Field(
        default="http://127.0.0.1:8001",
        description="Base URL of the inventory service, for prices that an order leaves out.",
    )
    payment_url: str = Field(
        default="http://127.0.0.1:8002",
        description="Base URL of the payment service, which forgets what erased orders were paid with.",
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
    personal_data_days: int = Field(
        default=1095,
        ge=0,
        le=36_500,
        description="For how many days after its end a finished order keeps what refers to personal data; then that is "
        "erased in all services, as by a request. 0: until somebody asks. Three years: the two of the legal guarantee "
        "in the EU, and one for claims that are open by then. A default that keeps data for ever would have to be "
        "noticed; what a shop needs for longer, it knows.",
    )
    clients: Literal["guarded", "development"] | None = Field(
        default=None,
        description="guarded: whoever places, sees or cancels orders comes with an API key, a token of the identity "
        "provider or one of a ServiceAccount, and customers see their own orders alone. development: whoever reaches "
        "the service sees and cancels every order; its log and /ready say so. Default: guarded where callers "
        "are identified.",
    )
    clients_issuer: str = Field(
        default="",
        description="The shop's identity provider, as its tokens name it (`iss`): an https URL below which it has "
        "/.well-known/openid-configuration. Without it clients have API keys alone.",
    )
    clients_audience: str = Field(
        default="", description="What its tokens for this shop name as their audience (`aud`). Needed with an issuer."
    )
    clients_keys: Path | None = Field(
        default=None,
        description="A file with its public keys (a JSON Web Key Set), for a service that doesn't reach it. Read again "
        "every five minutes.",
    )
    clients_customer_claim: str = Field(
        default="sub",
        min_length=1,
        description="The claim that has the customer's id, as orders have it. A name with dots leads into objects.",
    )
    clients_staff_claim: str = Field(
        default="", description="The claim that makes its bearer one of the shop's own people: `realm_access.roles`."
    )
    clients_staff_value: str = Field(
        default="", description="What that claim has to be or to hold. Without it the provider has no such people."
    )
    clients_rate: float = Field(
        default=10,
        gt=0,
        le=100_000,
        description="Requests a second of each customer, in each replica: a page that asks for five orders twice a "
        "second. Above it: 429 with Retry-After.",
    )
    clients_burst: int = Field(
        default=50, ge=1, le=100_000, description="Requests of a customer at once, after a pause: five open pages."
    )
    clients_staff_rate: float = Field(
        default=200,
        gt=0,
        le=100_000,
        description="Requests a second of each client with the role staff, in each replica: a shop's front end, say, "
        "which places what all its customers order. A replica places some hundred orders a second.",
    )
    clients_staff_burst: int = Field(default=400, ge=1, le=100_000, description="Its requests at once, after a pause.")
    clients_open_orders: int = Field(
        default=20,
        ge=1,
        le=100_000,
        description="Open orders of each customer: neither confirmed nor rolled back. An order is open for a second or "
        "two; while a provider is away they pile up, and nobody waits for more than these. Above it: 429.",
    )
    clients_staff_open_orders: int = Field(
        default=5000,
        ge=1,
        le=1_000_000,
        description="Open orders in all, above which staff places no more. The operator keeps 30 KiB of each: these "
        "are 150 MiB of the 256 that it has in the chart.",
    )

    @property
    def guards_clients(self) -> bool:
        """Whether clients have to say who they are."""
        return self.identifies_callers if self.clients is None else self.clients == "guarded"

    @model_validator(mode="after")
    def _provider_is_whole(self) -> Self:
        if self.clients_issuer and not self.clients_audience:
            raise ValueError(
                "ORDERSAGA_CLIENTS_ISSUER needs ORDERSAGA_CLIENTS_AUDIENCE: else its tokens for others count here"
            )
        if self.clients_audience.endswith(".ordersaga.io"):
            raise ValueError(
                "ORDERSAGA_CLIENTS_AUDIENCE is one of the shop's parts: clients need an audience of their own"
            )
        if self.clients_keys is not None and not self.clients_issuer:
            raise ValueError("ORDERSAGA_CLIENTS_KEYS needs ORDERSAGA_CLIENTS_ISSUER: whose keys they are")
        if (
            self.clients_issuer
            and self.clients_keys is None
            and not self.clients_issuer.startswith(("https://", *LOCAL))
        ):
            raise ValueError("ORDERSAGA_CLIENTS_ISSUER has to begin with https://: whoever is in between could sign")
        return self
