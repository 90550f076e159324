"""docs/settings.md from the settings classes, the chart and docker-compose.yml.

python -m dev.release.settings_doc            write it (`make docs`)
python -m dev.release.settings_doc --check    exit status 1 if it isn't what it would be
"""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from common.mongod_files import MongodFiles
from common.replicaset import ReplicaSetSettings
from common.services import SERVICES
from common.settings import ServiceSettings
from common.wire import Json
from dev.release import generated
from dev.setup.paths import CHECKOUT
from ordersaga.settings import Settings as CommandSettings
from saga_operator.settings import Settings as OperatorSettings
from services.notification.settings import NotificationSettings
from services.order.settings import OrderSettings

DOCUMENT: Final = CHECKOUT / "docs" / "settings.md"
WIDTH: Final = 120

HEAD: Final = """\
<!-- Written by `make docs` from the settings classes: change their descriptions, not this. -->

# Settings

Each program reads its settings from environment variables. Here are the defaults and units, what each is for, the value
of the [chart](install.md) that sets it, and what [docker-compose.yml](containers.md) sets it to. A value that
isn't valid ends the program when it starts, with a message that names the setting; so does a variable `ORDERSAGA_…`
that no program has. The local stack and the chaos run have variables of their own: see [local-stack.md](local-stack.md)
and [chaos.md](chaos.md).
"""


LOG_FORMAT: Final = {"log_format": "`log.format`"}
CHART: Final = {
    **LOG_FORMAT,
    "log_level": "`log.level`",
    "namespace": "the namespace of the release",
    "mongodb_url": "`mongodb.existingSecret`, `services.NAME.mongodbSecret`",
    "database_prefix": "`mongodb.databasePrefix`",
    "public_port": "`serviceDefaults.publicPort`",
    "identity": "the name of the pod",
    "saga_ttl_seconds": "`global.sagaTTLSeconds`",
    "personal_data_days": "`global.personalDataDays`",
    "notification_provider": "`services.notification.provider.kind`",
    "messages_locale": "`services.notification.provider.locale`",
    **{f"{name}_url": f"`services.{name}.port`" for name in SERVICES},
    **{f"{name}_mongodb_url": f"`services.{name}.mongodbSecret`" for name in SERVICES},
}
"""Setting → the chart's value that sets it, of those that have one."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program: where its settings are read, and which parts of a deployment run it."""

    title: str
    text: str
    settings: type[BaseSettings]
    workload: str
    """The workload of the chart that runs it."""
    env: str = ""
    """The chart's list of environment variables for this program."""
    compose: str = ""
    """The service of docker-compose.yml that runs it."""
    chart: Mapping[str, str] = field(default_factory=lambda: CHART)


PROGRAMS: Final = (
    Program(
        "Every service",
        "Order, inventory, payment, shipping and notification read these (`common/settings.py`).",
        ServiceSettings,
        "payment-service",
        "`serviceDefaults.env` or `services.NAME.env`",
        "payment-service",
    ),
    Program(
        "Order service",
        "The order service reads these as well (`services/order/settings.py`).",
        OrderSettings,
        "order-service",
        "`services.order.env`",
        "order-service",
    ),
    Program(
        "Notification service",
        "The notification service reads these as well (`services/notification/settings.py`): "
        "[notifications](notifications.md).",
        NotificationSettings,
        "notification-service",
        "`services.notification.provider` or `services.notification.env`",
        "notification-service",
    ),
    Program(
        "Operator",
        "`python -m saga_operator` reads these (`operator/saga_operator/settings.py`).",
        OperatorSettings,
        "ordersaga-operator",
        "`operator.env`",
        "operator",
    ),
    Program(
        "Command",
        "`ordersaga` reads these (`operator/ordersaga/settings.py`); its options override them. The "
        "values of the chart are those of the audit's CronJob; `audit.mongodbSecret` comes before all of its secrets.",
        CommandSettings,
        "ordersaga-audit",
    ),
    Program(
        "Replica set of the bundled database",
        "`python -m common.replicaset` reads these. The chart runs it beside the MongoDB that it brings.",
        ReplicaSetSettings,
        "mongodb",
        chart=LOG_FORMAT,
    ),
    Program(
        "Files of the bundled database",
        "`python -m common.mongod_files` reads these before mongod starts, and so does the program above.",
        MongodFiles,
        "mongodb",
    ),
)

UNITS: Final = {
    "mongodb_timeout_ms": "milliseconds",
    "max_body_bytes": "bytes",
    "request_timeout_seconds": "seconds",
    "call_timeout": "seconds",
    "max_calls_per_participant": "calls",
    "participant_rates": "calls per second",
    "max_sagas": "sagas",
    "max_writes": "writes",
    "compensation_attempts": "calls",
    "compensation_seconds": "seconds",
    "sweep_interval": "seconds",
    "namespace_end_seconds": "seconds",
    "lease_duration": "seconds",
    "lease_renew": "seconds",
    "health_port": "",
    "public_port": "",
    "lost_sagas_seconds": "seconds",
    "saga_ttl_seconds": "seconds",
    "personal_data_days": "days",
    "clients_rate": "requests per second",
    "clients_burst": "requests",
    "clients_staff_rate": "requests per second",
    "clients_staff_burst": "requests",
    "clients_open_orders": "orders",
    "clients_staff_open_orders": "orders",
    "smtp_timeout_seconds": "seconds",
    "smtp_connections": "connections",
    "webhook_timeout_seconds": "seconds",
    "webhook_connections": "connections",
}
"""The unit of every setting that is a number; a port has none."""

REST: Final = "Those without a value of the chart here are set by its {}."
UVICORN_TEXT: Final = (
    "The services' images set these for uvicorn, which has an environment variable for each of its options."
)
UVICORN: Final = {
    "UVICORN_APP": "The service, for example `services.order.main:app`. The image of one service has it set.",
    "UVICORN_HOST": "All addresses of the container.",
    "UVICORN_PORT": "The chart sets it to `services.NAME.port`, docker-compose.yml to 8000 … 8004.",
    "UVICORN_LOOP": "uvloop takes less CPU for each request than asyncio's own loop.",
    "UVICORN_ACCESS_LOG": "The services log each request themselves, as JSON.",
    "UVICORN_SERVER_HEADER": "Clients needn't know which server this is.",
    "UVICORN_TIMEOUT_KEEP_ALIVE": "Seconds. Longer than any client keeps an idle connection (nginx 60 s, the operator "
    "30 s): the server must not close a connection at the moment at which the client uses it again.",
    "UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN": "Seconds. No answer takes longer than the callers' 5 s.",
}
"""Why the image sets what it sets for uvicorn, which has an environment variable for each of its options."""


def reasons(settings: type[BaseSettings]) -> dict[str, str]:
    """Setting → its description, or the docstring under its attribute; "" if it has neither."""
    documented: dict[str, str] = {}
    body = ast.parse(textwrap.dedent(inspect.getsource(settings))).body[0].body  # type: ignore[attr-defined]
    for statement, after in pairwise(body):
        match statement, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                documented[name] = " ".join(text.split())
    return {name: field.description or documented.get(name, "") for name, field in own_fields(settings).items()}


def own_fields(settings: type[BaseSettings]) -> dict[str, FieldInfo]:
    """The settings that the class declares itself: those of its base are described there."""
    return {name: settings.model_fields[name] for name in settings.__annotations__ if name in settings.model_fields}


def variables(name: str, field: FieldInfo) -> list[str]:
    """The environment variables that set it, the first of them first."""
    alias = field.validation_alias
    return (
        [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else [f"ORDERSAGA_{name.upper()}"]
    )


def default_of(field: FieldInfo) -> str:
    """Its default as text."""
    if field.default_factory is dict:
        return "`{}`"
    if field.default_factory is not None:
        return "worked out at the start"
    return f"`{field.default}`" if field.default not in (None, "") else "none"


def environments_of_the_chart() -> dict[str, dict[str, str]]:
    """Workload → the environment variables that the chart gives it; a value is "" where the cluster fills it in."""
    found: dict[str, dict[str, str]] = {}
    for document in yaml.safe_load_all((CHECKOUT / "k8s-local-deployment.yaml").read_text()):
        spec: Json = document.get("spec") or {}
        spec = (spec.get("jobTemplate") or {}).get("spec") or spec
        pod: Json = (spec.get("template") or {}).get("spec") or {}
        for container in [*pod.get("containers", ()), *pod.get("initContainers", ())]:
            values = {variable["name"]: variable.get("value", "") for variable in container.get("env", ())}
            found.setdefault(document["metadata"]["name"], {}).update(values)
    return found


def environments_of_compose() -> dict[str, dict[str, Any]]:
    """Service of docker-compose.yml → the environment variables that it is given."""
    compose = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())
    return {name: service.get("environment") or {} for name, service in compose["services"].items()}


def entry(names: list[str], default: str, text: str, set_by: Mapping[str, str]) -> str:
    """One setting: its names and its default, what it is for, and what sets it."""
    head = f"- **{' or '.join(f'`{name}`' for name in names)}**, default {default}\\"
    lines = textwrap.wrap(text, WIDTH - 2, break_long_words=False, break_on_hyphens=False) or [""]
    places = " · ".join(f"{place}: {value}" for place, value in set_by.items() if value)
    return "\n  ".join([head, *lines[:-1], lines[-1] + "\\" if places else lines[-1], *([places] if places else [])])


def set_by_the_chart(program: Program, name: str, given: str | None) -> str:
    """The chart's value that sets it, else what the chart always sets it to; "" if the chart doesn't set it."""
    if given is None and not name.endswith("_mongodb_url"):
        return ""
    return program.chart.get(name) or f"`{given}`"


def section(program: Program, chart: Mapping[str, str], compose: Mapping[str, Any]) -> str:
    """The settings of one program."""
    why, entries = reasons(program.settings), []
    for name, info in own_fields(program.settings).items():
        names = variables(name, info)
        given = next((chart[variable] for variable in names if variable in chart), None)
        composed = next((f"`{compose[variable]}`" for variable in names if variable in compose), "")
        set_by = {"chart": set_by_the_chart(program, name, given), "compose": composed}
        entries.append(entry(names, f"{default_of(info)} {UNITS.get(name, '')}".strip(), why[name], set_by))
    text = textwrap.fill(f"{program.text} {program.env and REST.format(program.env)}".strip(), WIDTH)
    return "\n".join([f"\n## {program.title}\n\n{text}\n", *entries]) + "\n"


def uvicorn() -> str:
    """What the image sets for uvicorn."""
    image = re.findall(r"(UVICORN_\w+)=(\S+)", (CHECKOUT / "Dockerfile").read_text())
    entries = [entry([name], f"`{value}`" if "$" not in value else "none", UVICORN[name], {}) for name, value in image]
    return "\n".join([f"\n## uvicorn\n\n{UVICORN_TEXT}\n", *entries]) + "\n"


def document() -> dict[Path, str]:
    """The page, by its path."""
    chart, compose = environments_of_the_chart(), environments_of_compose()
    sections = [section(program, chart[program.workload], compose.get(program.compose, {})) for program in PROGRAMS]
    return {DOCUMENT: HEAD + "".join(sections) + uvicorn()}


if __name__ == "__main__":
    sys.exit(generated.main("python -m dev.release.settings_doc", document, sys.argv[1:]))
