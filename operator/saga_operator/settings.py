"""The operator's settings, from environment variables named `ORDERSAGA_…`. Times in seconds."""

import os
import re
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from common.services import SERVICES

_URI: Final = re.compile(r"[A-Za-z0-9._~:/?@!$&'()*+,;=%-]{1,512}")


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
    """Base URL of the order service. The defaults of all five are the local stack's."""
    inventory_url: str = "http://127.0.0.1:8001"
    """Base URL of the inventory service."""
    payment_url: str = "http://127.0.0.1:8002"
    """Base URL of the payment service."""
    shipping_url: str = "http://127.0.0.1:8003"
    """Base URL of the shipping service."""
    notification_url: str = "http://127.0.0.1:8004"
    """Base URL of the notification service."""

    tokens: Path | None = None
    """A folder with a token for each participant, in a file of its name (`payment`): they are mounted by the kubelet,
    each with that participant for its audience, and replaced before they expire. Without it calls carry none, which
    participants take that run for development.
    """

    ca_file: Path | None = None
    """A file with authorities (PEM) that are trusted beside the system's, where the address of a participant begins
    with https. It is read again as soon as it has changed.
    """

    events_sink: str = ""
    """The address of an HTTP sink that is told of each order's lifecycle by CloudEvents (docs/events.md); empty: nobody
    is. Finished orders wait for it: their time to live, and for a minute whoever deletes them.
    """
    events_secret: Path | None = None
    """A file with the secret that events are signed with: `whsec_` and base64, one a line where several are valid at
    once. It is read again as soon as it has changed. Without it events aren't signed.
    """
    events_token: Path | None = None
    """A file with a Bearer token for the sink, which others may replace at any time."""
    events_ca_file: Path | None = None
    """A file with authorities (PEM) that are trusted beside the system's, for a sink with https. It is read again as
    soon as it has changed.
    """
    events_source: str = "/ordersaga"
    """The beginning of each event's `source`, before `/` and the namespace: a URI, absolute or not, that tells this
    installation from others that send to the same sink.
    """
    tell_customers: bool = False
    """Whether the notification service is asked to tell the customer of an order that was undone (docs/events.md)."""

    call_timeout: float = Field(default=5.0, gt=0)
    """For the whole of one call, from connecting to the last byte of the answer. No answer by then means Unknown, and
    the call is made again with the same key. A participant that needs longer answers 202 or 409 `running` before.
    """
    max_calls_per_participant: int = Field(default=32, ge=1)
    """Calls in flight at once to one participant. 32 saturate it on two cores, and more of them only queue. There is no
    bound on all calls together (five times 32 need some 10 MB at the most): slow ones would take it from the others.
    """
    participant_rates: dict[str, float] = Field(default_factory=dict)
    """A limit for some participants, as JSON: `{"payment": 50}`. The others have none. A name that is no participant's
    is an error.
    """
    max_writes: int = Field(default=24, ge=1)
    """Status writes in flight at once: each takes about 4 ms of API server CPU, so more of them only queue there."""

    compensation_attempts: int = Field(default=20, ge=1)
    """An undo is given up, and a person asked, after so many and not before `compensation_seconds`: 20 take about four
    minutes, between 1 s and 30 s apart. Reject is never given up.
    """
    compensation_seconds: float = Field(default=900.0, ge=0)
    """An undo is given up only if it was first called so long ago: 15 minutes cover a participant that is replaced or
    repaired. The local stack sets half a minute, so that the demonstrations needn't wait.
    """

    max_sagas: int = Field(default=10_000, ge=1)
    """Live sagas that are worked on, the oldest first; of the others only the names are kept, until some have ended.
    10,000 that wait for a participant take 100 MB, and the chart gives the operator's pod 256 MiB in all.
    """

    sweep_interval: float = Field(default=30.0, gt=0)
    """Between two resyncs, which compare the API server's list with the live sagas: the bound on a lost event."""

    namespace_end_seconds: float = Field(default=15.0, ge=0)
    """For ending all sagas when the namespace is deleted with the operator in it: below the time for which the services
    and the database go on after they are told to stop, and below the grace period of the operator's pod.
    """

    identity: str = Field(default_factory=_default_identity)
    """The holder's name in the Lease: the host, outside a cluster with the process, since two may share a host."""
    lease_name: str = "ordersaga-operator"
    """The Lease that decides which operator works; all replicas of an installation share it."""
    lease_duration: float = Field(default=10.0, ge=1, multiple_of=1)
    """A follower takes over when the Lease wasn't renewed for so long: below the 15 s that a take-over may take. A
    whole number, as in the Lease.
    """
    lease_renew: float = Field(default=2.0, gt=0)
    """Between two renewals of the Lease. At least three must fit into `lease_duration`, so that two in a row may fail
    before the holder has to stop calling."""

    health_host: str = "127.0.0.1"
    """The address to listen at; a container needs `::`, which is all addresses, those of IPv4 as well."""
    health_port: int = 8080
    """The port of `/healthz`, `/readyz` and `/metrics`."""
    health_certificate: Path | None = None
    """A folder with a certificate (tls.crt, tls.key; a mounted Secret): that port speaks TLS alone. A new one in its
    place is taken without a restart.
    """

    log_format: str = "json"
    """json, or text for a terminal."""
    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""

    @model_validator(mode="after")
    def _three_renewals_fit_into_the_lease(self) -> Self:
        if self.lease_renew * 3 >= self.lease_duration:
            raise ValueError(
                f"ORDERSAGA_LEASE_RENEW ({self.lease_renew:g} s) must be less than a third of"
                f" ORDERSAGA_LEASE_DURATION ({self.lease_duration:g} s): two renewals in a row may fail"
            )
        return self

    @field_validator("events_sink")
    @classmethod
    def _the_sink_is_an_address(cls, sink: str) -> str:
        parts = urlsplit(sink)
        _ = parts.port  # raises ValueError
        if sink and (parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc):
            raise ValueError(
                "ORDERSAGA_EVENTS_SINK must be a URL with http or https and a host, without a user in it: "
                "a password belongs into ORDERSAGA_EVENTS_TOKEN"
            )
        return sink

    @field_validator("events_source")
    @classmethod
    def _the_source_is_a_uri(cls, source: str) -> str:
        if not _URI.fullmatch(source):
            raise ValueError("ORDERSAGA_EVENTS_SOURCE must be a URI, such as https://shop.example.com/ordersaga")
        return source.rstrip("/")

    @field_validator("participant_rates")
    @classmethod
    def _rates_are_of_participants(cls, rates: dict[str, float]) -> dict[str, float]:
        if unknown := sorted(set(rates) - set(SERVICES)):
            names = f"{', '.join(unknown)} (there are {', '.join(SERVICES)})"
            raise ValueError(f"ORDERSAGA_PARTICIPANT_RATES names what is no participant: {names}")
        if wrong := sorted(name for name, rate in rates.items() if not 0 < rate < float("inf")):
            raise ValueError(f"ORDERSAGA_PARTICIPANT_RATES must be above 0 calls per second: {', '.join(wrong)}")
        return rates

    def url_of(self, participant: str) -> str:
        """The base URL of a participant, for example `payment`."""
        return str(getattr(self, f"{participant}_url")).rstrip("/")
