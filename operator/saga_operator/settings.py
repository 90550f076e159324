"""The operator's settings, from environment variables named `ORDERSAGA_…`. Times in seconds."""

import os

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def _default_identity() -> str:
    """A pod's name is its host name and survives a restart of its container; elsewhere two may share a host."""
    host = os.uname().nodename
    return host if "KUBERNETES_SERVICE_HOST" in os.environ else f"{host}-{os.getpid()}"


class Settings(BaseSettings):
    """What a deployment may want to change; every default is what the local stack and the chart run with."""

    model_config = SettingsConfigDict(env_prefix="ORDERSAGA_", extra="ignore")

    namespace: str = "shop"
    """The one namespace of the installation. The API server is found by KUBECONFIG or the pod's service account."""

    order_url: str = "http://127.0.0.1:8000"
    inventory_url: str = "http://127.0.0.1:8001"
    payment_url: str = "http://127.0.0.1:8002"
    shipping_url: str = "http://127.0.0.1:8003"
    notification_url: str = "http://127.0.0.1:8004"

    call_timeout: float = 5.0
    """One call; no answer by then means Unknown, and the call is made again with the same key."""
    max_calls: int = Field(default=64, ge=1)
    """Calls in flight at once: 64 saturate five services on two cores, more only queues."""
    max_calls_per_participant: int = Field(default=32, ge=1)
    """Of those, for one participant: a slow one can't take all of them."""
    participant_rates: dict[str, float] = Field(default_factory=dict)
    """Calls a second for some participants, as JSON: `{"payment": 50}`. Absent: no limit."""
    max_writes: int = Field(default=24, ge=1)
    """Status writes in flight at once: at about 4 ms of API server CPU each, more only queues there."""

    sweep_interval: float = Field(default=30.0, gt=0)
    """How often the list is compared with what the engine knows: the bound on a lost wake-up."""

    identity: str = Field(default_factory=_default_identity)
    lease_name: str = "ordersaga-operator"
    lease_duration: float = 10.0
    """A follower takes over when nobody renewed for this long: below the 15 s that a take-over may take."""
    lease_renew: float = 2.0
    """Three renewals may fail in a row before the holder gives up (lease_duration - lease_renew * 3 > call_timeout)."""

    health_host: str = "127.0.0.1"
    health_port: int = 8080
    """`/healthz`, `/readyz` and `/metrics`."""

    log_format: str = "json"
    log_level: str = "INFO"

    def url_of(self, participant: str) -> str:
        """The base URL of a participant, for example `payment`."""
        return str(getattr(self, f"{participant}_url")).rstrip("/")
