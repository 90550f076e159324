"""Settings of every service: environment variables with the prefix ORDERSAGA_."""

import os
from pathlib import Path
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
    mongodb_url_file: Path | None = Field(
        default=None,
        description="A file with the MongoDB URI, in the place of mongodb_url: of a mounted Secret, where nobody sees "
        "it in the environment. A new one in its place is used at once.",
    )
    mongodb_ca_file: Path | None = Field(
        default=None,
        description="A file with authorities (PEM): MongoDB speaks TLS, whatever its URI says, and is checked with "
        "them; with the system's, while there is no such file. It is read again when it has changed. Without it the "
        "URI says what there is to say about TLS.",
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
    tokens: Path | None = Field(
        default=None,
        description="A folder with this service's own token for each service that it calls, in a file of its name "
        "(`order`). The kubelet mounts them and replaces them before they expire. Without it calls carry none.",
    )
    ca_file: Path | None = Field(
        default=None,
        description="A file with authorities (PEM) that are trusted beside the system's, where the address of another "
        "service begins with https. It is read again as soon as it has changed.",
    )
    kubeconfig: Path | None = Field(
        default=None,
        validation_alias=AliasChoices("ORDERSAGA_KUBECONFIG", "KUBECONFIG"),
        description="Where the API server is, and the identity to use there. Without it: the pod's service account.",
    )
    authentication: Literal["kubernetes", "development"] | None = Field(
        default=None,
        description="kubernetes: a saga's calls come with a token of the operator's ServiceAccount for this service, "
        "and nobody else makes them. development: whoever reaches the service may call everything; its log and /ready "
        "say so. Default: kubernetes in a pod and where a kubeconfig is named, else development.",
    )
    authentication_review: Literal["strict", "offline", "none"] = Field(
        default="offline",
        description="Whether the API server is asked about a caller's token as well, once a minute (TokenReview, which "
        "needs the ClusterRole system:auth-delegator). strict: before it is let in, and without its word nobody is. "
        "offline: beside the calls; while it doesn't answer a token is good until it expires. none: never.",
    )
    authentication_pods_only: bool = Field(
        default=True,
        description="Whether the operator's and the services' tokens count only if they are bound to a pod, as those "
        "are that a kubelet mounts. People's needn't be.",
    )
    authentication_keys: Path | None = Field(
        default=None,
        description="A file with the cluster's public keys (a JSON Web Key Set), for a service that doesn't reach the "
        "API server. Without it they are read there.",
    )
    authentication_issuer: str = Field(
        default="https://kubernetes.default.svc.cluster.local",
        description="Who has to have issued the tokens whose keys are in that file. The API server says it itself.",
    )
    staff: list[str] = Field(
        default_factory=list,
        description="More identities that count as the shop's own people, as a JSON list of subjects: "
        '["system:serviceaccount:tools:clerk"].',
    )

    @property
    def identifies_callers(self) -> bool:
        """Whether callers have to say who they are."""
        if self.authentication is not None:
            return self.authentication == "kubernetes"
        in_cluster = "KUBERNETES_SERVICE_HOST" in os.environ
        return in_cluster or self.kubeconfig is not None or self.authentication_keys is not None
