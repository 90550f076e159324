"""`kubectl saga top`: what the operator is doing now: two looks at its figures, and what happened between them."""

import argparse
import http.client
import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from ordersaga.saga.cluster import Cluster, ClusterError
from ordersaga.saga.output import Output
from ordersaga.saga.record import STEPS
from ordersaga.saga.services import ServiceError
from ordersaga.saga.table import PHASES, Cell, Style, Table
from ordersaga.saga.words import span

SECONDS: Final = 5.0
"""Between two looks: a saga takes less than one, and a retry up to thirty."""
OPERATOR: Final = {"labelSelector": "app.kubernetes.io/component=operator,app.kubernetes.io/part-of=ordersaga"}
PORT: Final = 8080
CALLS: Final = "ordersaga_step_call_duration_seconds"

Labels = frozenset[tuple[str, str]]
Figures = Mapping[str, Mapping[Labels, float]]
"""By metric and labels."""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command."""
    says = "what the operator is doing right now: sagas, calls and their times, what is down"
    parser = commands.add_parser("top", help=says, description=f"{says[0].upper()}{says[1:]}.")
    where = (
        "the operator's address (ORDERSAGA_OPERATOR_URL; by default through the API server, with `get` on pods/proxy)"
    )
    parser.add_argument("--operator", metavar="URL", default=os.environ.get("ORDERSAGA_OPERATOR_URL", ""), help=where)
    parser.add_argument("--seconds", type=float, default=SECONDS, metavar="N", help=f"between two looks ({SECONDS:g})")
    parser.add_argument("--once", action="store_true", help="look twice, say it, and end")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, cluster: Cluster, output: Output) -> int:
    """Show it until Ctrl-C."""

    def look() -> str:
        return _asked(options.operator) if options.operator else _working(cluster)

    try:
        before, at = figures_of(look()), time.monotonic()
        while True:
            time.sleep(max(0.1, options.seconds))
            after, moment = figures_of(look()), time.monotonic()
            _show(before, after, moment - at, output)
            if options.once or not output.is_person:
                return 0
            before, at = after, moment
    except ServiceError as error:
        output.warn(f"error: {error}")
        return 1


def figures_of(text: str) -> Figures:
    """The figures of a text in Prometheus's format."""
    from prometheus_client import parser  # noqa: PLC0415 - this command's alone

    families: Callable[[str], Iterable[Any]] = parser.text_string_to_metric_families
    found: dict[str, dict[Labels, float]] = {}
    for family in families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
    return found


def rates(before: Figures, after: Figures, name: str, seconds: float) -> dict[Labels, float]:
    """How much a counter has grown, per second. One that has become less began anew with its process."""
    first = before.get(name, {})
    grown = {labels: value - first.get(labels, 0.0) for labels, value in after.get(name, {}).items()}
    return {labels: (each if each >= 0 else after[name][labels]) / seconds for labels, each in grown.items()}


def quantile(buckets: Mapping[float, float], share: float) -> float | None:
    """The upper bound of the bucket that this share of the calls is in; None if there were none."""
    total = max(buckets.values(), default=0.0)
    if total <= 0:
        return None
    return next((bound for bound in sorted(buckets) if buckets[bound] >= share * total), None)


def _show(before: Figures, after: Figures, seconds: float, output: Output) -> None:
    table = Table(["PHASE", "OPEN", "ENDED/S", "OLDEST WITHOUT PROGRESS"])
    ended = _by(rates(before, after, "ordersaga_sagas_finished_total", seconds), "phase")
    oldest = _by(after.get("ordersaga_oldest_saga_seconds", {}), "phase")
    for phase, number in _by(after.get("ordersaga_sagas", {}), "phase").items():
        rate, age = ended.get(phase, 0.0), oldest.get(phase, 0.0)
        if number or rate:
            shown = Cell(phase, PHASES.get(phase, Style.PLAIN))
            table.add(shown, f"{number:.0f}", f"{rate:.1f}" if rate else "", span(age) if age else "")
    if not table.rows:
        table.add("none", "0", "", "")
    output.table(table)
    output.say()
    output.table(_calls(before, after, seconds))
    if (waiting := participants(after)).rows:
        output.say()
        output.table(waiting)
    output.say()


def participants(figures: Figures) -> Table:
    """Those that have something in flight or waiting, or are down or paused."""
    table = Table(["PARTICIPANT", "", "IN FLIGHT", "WAITING"])
    of = {
        kind: _by(figures.get(f"ordersaga_participant_{kind}", {}), "participant")
        for kind in ("down", "paused", "calls_in_flight", "waiting")
    }
    for name, is_down in of["down"].items():
        paused, flying, waiting = (of[kind].get(name, 0.0) for kind in ("paused", "calls_in_flight", "waiting"))
        if not (is_down or paused or flying or waiting):
            continue
        state = Cell("paused", Style.WARN) if paused else Cell("down", Style.BAD) if is_down else Cell("answers")
        table.add(name, state, f"{flying:.0f}", f"{waiting:.0f}")
    return table


def _calls(before: Figures, after: Figures, seconds: float) -> Table:
    table = Table(["STEP", "", "CALLS/S", "AGAIN/S", "HALF WITHIN", "99 % WITHIN"])
    counted = rates(before, after, f"{CALLS}_count", seconds)
    again = rates(before, after, "ordersaga_step_retries_total", seconds)
    buckets = rates(before, after, f"{CALLS}_bucket", seconds)
    for step in STEPS:
        for operation in ("do", "undo"):
            wanted = {("step", step), ("operation", operation)}
            number = sum(value for labels, value in counted.items() if wanted <= labels)
            if not number:
                continue
            repeated = sum(value for labels, value in again.items() if wanted <= labels)
            within: dict[float, float] = {}
            for labels, value in buckets.items():
                if wanted <= labels:
                    bound = float(dict(labels)["le"])
                    within[bound] = within.get(bound, 0.0) + value
            half, most = _bound(quantile(within, 0.5)), _bound(quantile(within, 0.99))
            table.add(step, operation, f"{number:.1f}", f"{repeated:.1f}" if repeated else "", half, most)
    if not table.rows:
        table.add("none", "", "0.0", "", "", "")
    return table


def _bound(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return "longer" if seconds == float("inf") else f"{seconds * 1000:g} ms"


def _by(values: Mapping[Labels, float], label: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for labels, value in values.items():
        name = dict(labels).get(label, "")
        found[name] = found.get(name, 0.0) + value
    return found


def _working(cluster: Cluster) -> str:
    """The figures of the operator that holds the Lease: of several pods the one that says so."""
    path = f"/api/v1/namespaces/{cluster.access.namespace}/pods"
    pods: Iterable[Mapping[str, Any]] = cluster.get(path, OPERATOR)["items"]
    texts = []
    for pod in pods:
        for scheme in ("", "https:"):
            try:
                texts.append(cluster.text(f"{path}/{scheme}{pod['metadata']['name']}:{PORT}/proxy/metrics"))
                break
            except ClusterError as error:
                if error.status == 403:
                    raise
    leading = [text for text in texts if "\nordersaga_leader 1" in text]
    if not leading:
        raise ServiceError(
            f"no pod of an operator that works is in namespace {cluster.access.namespace}: "
            "--operator URL names one elsewhere, such as http://127.0.0.1:8080 of the local stack"
        )
    return leading[0]


def _asked(url: str) -> str:
    parts = urlsplit(url)
    kind: Callable[..., http.client.HTTPConnection] = http.client.HTTPConnection
    if parts.scheme == "https":
        kind = http.client.HTTPSConnection
    connection = kind(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request("GET", f"{parts.path.rstrip('/')}/metrics")
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        raise ServiceError(f"the operator at {url} doesn't answer: {error}") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise ServiceError(f"the operator at {url} answered {answer.status}")
    return text
