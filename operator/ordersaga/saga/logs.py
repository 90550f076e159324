"""`kubectl saga logs`: what all parts have said about one order, in the order in which they said it."""

import argparse
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from common.order_saga import CORRELATION_ID
from ordersaga.saga.cluster import Cluster, ClusterError, Json
from ordersaga.saga.output import Output
from ordersaga.saga.record import Record
from ordersaga.saga.table import Cell, Style

PARTS: Final = {"labelSelector": "app.kubernetes.io/part-of=ordersaga"}
BYTES: Final = 64 * 1024 * 1024
"""Of each part's log, its end: what is older has most often been rotated away."""
ELSEWHERE: Final = "another one (-n)? The local stack's logs are in files: --folder .ordersaga/logs"
_STAMP: Final = re.compile(r"(?:\d{4}-\d\d-\d\d[T ])?\d\d:\d\d:\d\d[.,]?\d*Z?")


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command."""
    says = "what all parts have said about one order, by its id and its correlation id"
    parser = commands.add_parser("logs", help=says, description=f"{says[0].upper()}{says[1:]}.")
    parser.add_argument("order", metavar="ORDER", help="the order's id")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="logs in files, as ./run-local.sh keeps them")
    parser.add_argument("--since", metavar="SECONDS", type=int, help="of the last so many seconds")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, cluster: Cluster, output: Output) -> int:
    """Print them; 1 if there are none."""
    words = [options.order]
    try:
        if found := Record(cluster.get(cluster.sagas(options.order))).annotation(CORRELATION_ID):
            words.append(found)
    except ClusterError as error:
        if error.status != 404:
            raise  # its resource may be gone: the order's id is in the lines as well
    if options.folder:
        lines = sorted(_from_files(options.folder, words))
    else:
        path = f"/api/v1/namespaces/{cluster.access.namespace}/pods"
        pods = cluster.get(path, PARTS)["items"]
        if not pods:
            output.warn(f"no pod of ours is in namespace {cluster.access.namespace}: {ELSEWHERE}")
            return 1
        lines = sorted(_from_pods(cluster, path, pods, options.since, words))
    for _, part, text in lines:
        output.row([Cell(f"{part:<13}", Style.BUSY), Cell(text)])
    if not lines:
        output.warn(
            f"no line of a log is about {options.order}: logs that were rotated away, or another namespace (-n)?"
        )
        return 1
    return 0


def _from_files(folder: Path, words: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    for file in sorted(folder.glob("*.log")):
        with file.open("rb") as log:
            log.seek(max(0, file.stat().st_size - BYTES))
            yield from _about(file.stem, log.read().decode("utf-8", "replace"), words)


def _from_pods(
    cluster: Cluster, path: str, pods: Sequence[Json], since: int | None, words: Sequence[str]
) -> Iterator[tuple[str, str, str]]:
    for pod in pods:
        name = pod["metadata"]["name"]
        part = pod["metadata"].get("labels", {}).get("app.kubernetes.io/name", name)
        params = {"timestamps": "false", "limitBytes": str(BYTES)} | ({"sinceSeconds": str(since)} if since else {})
        for container in pod["spec"]["containers"]:
            try:
                text = cluster.text(f"{path}/{name}/log", {**params, "container": container["name"]})
            except ClusterError as error:
                if error.status in (401, 403):
                    raise
                continue  # it is just beginning or ending
            yield from _about(part, text, words)


def _about(part: str, text: str, words: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    for each in text.splitlines():
        if any(word in each for word in words):
            yield _moment(each), part, _readable(each)


def _moment(text: str) -> str:
    found = _STAMP.search(text)
    return found[0].replace(" ", "T").replace(",", ".") if found else ""


def _readable(text: str) -> str:
    """A line of JSON as a person reads it: time, level, message, and the rest by name."""
    try:
        found: dict[str, Any] = json.loads(text)
    except ValueError:
        return text
    if not isinstance(found, dict):
        return text
    first = [str(found.pop(name, "")) for name in ("time", "level", "message")]
    rest = [f"{name}={value}" for name, value in found.items() if isinstance(value, str | int | float)]
    return "  ".join(part for part in (*first, " ".join(rest)) if part)
