"""Settings of every service: environment variables with the prefix ORDERSAGA_."""

from typing import Literal

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """What every service reads from its environment; a service with more of its own derives from this."""

    model_config = SettingsConfigDict(env_prefix="ORDERSAGA_", extra="ignore", populate_by_name=True)

    mongodb_url: str = Field(
        default="mongodb://127.0.0.1:27017/?directConnection=true",
        description="Any MongoDB URI. Transactions need a replica set; one member is enough.",
    )
    mongodb_driver: Literal["motor", "pymongo"] = Field(
        default="pymongo",
        description="pymongo (PyMongo's own AsyncMongoClient), or motor, its predecessor, which has reached its end of "
        "life (docs/adr/0012).",
    )
    mongodb_timeout_ms: int = Field(
        default=2000,
        description="How long to look for a server before answering 503: well below the caller's time-out of 5 s, "
        "so that the caller is told what is wrong.",
    )
    database_prefix: str = Field(
        default="ordersaga_", description="The name of the database is this and the service's name."
    )
    namespace: str = Field(default="shop", description="The one namespace that this installation serves.")
    log_format: Literal["json", "text"] = Field(default="json", description="json, or text for a terminal.")
    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR.")
    max_body_bytes: int = Field(
        default=262_144,
        description="The largest body of a request. An order has at most 100 lines of about 150 bytes: "
        "this is more than ten times as much.",
    )
    request_timeout_seconds: float = Field(
        default=5.0,
        gt=0,
        description="Seconds within which the head of a request has to arrive, else its connection is closed; and as "
        "many for its body, else the answer is 408. Who then takes less than 8 KiB a second of the answer for so long "
        "has its connection reset. The operator waits as long for a whole answer.",
    )
    public_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="A second port with the public routes alone, for an Ingress, a Route or a gateway: the saga's own "
        "steps don't exist there. Without it there is none.",
    )
    public_host: str = Field(
        default="127.0.0.1",
        validation_alias=AliasChoices("ORDERSAGA_PUBLIC_HOST", "UVICORN_HOST"),
        description="The address that the public port listens at.",
    )
    order_url: str = Field(
        default="http://127.0.0.1:8000",
        description="Base URL of the order service, for inventory, shipping and notification: it says whether an order "
        "is confirmed, and goods leave only then. If it doesn't answer, they stay.",
    )
