"""Every environment variable that begins with ORDERSAGA_, so that a misspelt setting is an error and not a surprise.

Each program has some of them, and an environment may be made for several programs: so a program refuses what none of
them knows.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final

PREFIX: Final = "ORDERSAGA_"

SETTINGS: Final = frozenset(
    {
        "AUTHENTICATION",
        "AUTHENTICATION_ISSUER",
        "AUTHENTICATION_KEYS",
        "AUTHENTICATION_PODS_ONLY",
        "AUTHENTICATION_REVIEW",
        "CALL_TIMEOUT",
        "CA_FILE",
        "CLIENTS",
        "CLIENTS_AUDIENCE",
        "CLIENTS_BURST",
        "CLIENTS_CUSTOMER_CLAIM",
        "CLIENTS_ISSUER",
        "CLIENTS_KEYS",
        "CLIENTS_OPEN_ORDERS",
        "CLIENTS_RATE",
        "CLIENTS_STAFF_BURST",
        "CLIENTS_STAFF_CLAIM",
        "CLIENTS_STAFF_OPEN_ORDERS",
        "CLIENTS_STAFF_RATE",
        "CLIENTS_STAFF_VALUE",
        "COMPENSATION_ATTEMPTS",
        "COMPENSATION_SECONDS",
        "DATABASE_PREFIX",
        "EVENTS_CA_FILE",
        "EVENTS_SECRET",
        "EVENTS_SINK",
        "EVENTS_SOURCE",
        "EVENTS_TOKEN",
        "HEALTH_CERTIFICATE",
        "HEALTH_HOST",
        "HEALTH_PORT",
        "IDENTITY",
        "INVENTORY_MONGODB_URL",
        "INVENTORY_URL",
        "KUBECONFIG",
        "LEASE_DURATION",
        "LEASE_NAME",
        "LEASE_RENEW",
        "LOG_FORMAT",
        "LOG_LEVEL",
        "LOST_SAGAS",
        "LOST_SAGAS_SECONDS",
        "MAIL_FROM",
        "MAIL_FROM_NAME",
        "MAX_BODY_BYTES",
        "MAX_CALLS_PER_PARTICIPANT",
        "MAX_SAGAS",
        "MAX_WRITES",
        "MESSAGES",
        "MESSAGES_LOCALE",
        "MONGODB_CA_FILE",
        "MONGODB_CERTIFICATE",
        "MONGODB_DRIVER",
        "MONGODB_FILES",
        "MONGODB_TIMEOUT_MS",
        "MONGODB_URL",
        "MONGODB_URL_FILE",
        "MONGODB_USERS",
        "NAMESPACE",
        "NAMESPACE_END_SECONDS",
        "NOTIFICATION_CA_FILE",
        "NOTIFICATION_MONGODB_URL",
        "NOTIFICATION_PROVIDER",
        "NOTIFICATION_URL",
        "ORDER_MONGODB_URL",
        "ORDER_URL",
        "PARTICIPANT_RATES",
        "PAYMENT_MONGODB_URL",
        "PAYMENT_URL",
        "PERSONAL_DATA_DAYS",
        "PUBLIC_HOST",
        "PUBLIC_PORT",
        "REQUEST_TIMEOUT_SECONDS",
        "SAGA_TTL_SECONDS",
        "SHIPPING_MONGODB_URL",
        "SHIPPING_URL",
        "SMTP_CLIENT_NAME",
        "SMTP_CONNECTIONS",
        "SMTP_HOST",
        "SMTP_PASSWORD_FILE",
        "SMTP_PORT",
        "SMTP_TIMEOUT_SECONDS",
        "SMTP_TLS",
        "SMTP_USER_FILE",
        "STAFF",
        "SWEEP_INTERVAL",
        "TELL_CUSTOMERS",
        "TOKENS",
        "WEBHOOK_CONNECTIONS",
        "WEBHOOK_SECRET_FILE",
        "WEBHOOK_TIMEOUT_SECONDS",
        "WEBHOOK_URL",
    }
)
"""Those of docs/settings.md."""

OTHERS: Final = frozenset(
    {
        "ACTIONLINT",
        "ARGOCD",
        "CACHE",
        "CONTAINER_LOGS",
        "CONTAINER_TESTS",
        "ENVTEST_SHA512",
        "ENVTEST_URL",
        "ETCD",
        "EXPLORE_DEEP",
        "FLUX",
        "GITOPS_TESTS",
        "GO",
        "HELM",
        "HELM3",
        "KUBECONFORM",
        "KUBECTL",
        "KUBE_APISERVER",
        "KUBE_LINTER",
        "MONGOD",
        "OAUTH2_PROXY",
        "OLM",
        "OLM_TESTS",
        "OPERATOR_SDK",
        "OPERATOR_URL",
        "PAGE_PORT",
        "PROMETHEUS",
        "PROMTOOL",
        "RECORD",
        "STARTED",
        "TRACES",
        "TRACES_SHARE",
    }
)
"""The port in the arguments of the chart's page; and what this repository's own tools go by, which start the programs
with their whole environment.
"""
FAMILIES: Final = ("COMPOSE_", "FUZZ_", "LOCAL_", "TEST_")
"""Of those tools as well."""

_SERVICE_LINK: Final = re.compile(
    r"\w+_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
"""What the kubelet puts into pods of a Service whose name begins with `ordersaga-`."""


class UnknownVariable(Exception):  # noqa: N818 - it reads as what happened
    """The message names each, and what it may have been meant to be."""


def refuse_unknown(environ: Mapping[str, str]) -> None:
    """Raises UnknownVariable if there is one that no program of this release reads. An empty one counts, too."""
    unknown = [name for name in environ if name.upper().startswith(PREFIX) and not _is_known(name, environ[name])]
    if unknown:
        raise UnknownVariable(
            f"no program of this release has a setting {', '.join(map(_explained, sorted(unknown)))}: "
            "docs/settings.md has all that there are"
        )


def _is_known(name: str, value: str) -> bool:
    rest = name.upper().removeprefix(PREFIX)
    if rest in SETTINGS or rest in OTHERS or rest.startswith(FAMILIES):
        return True
    links_to = value.startswith(("tcp://", "udp://", "sctp://")) and rest.endswith("_PORT")
    return links_to or _SERVICE_LINK.fullmatch(rest) is not None


def _explained(name: str) -> str:
    near = get_close_matches(name.upper().removeprefix(PREFIX), SETTINGS, n=1, cutoff=0.75)
    return f"{name} (did you mean {PREFIX}{near[0]}?)" if near else name
