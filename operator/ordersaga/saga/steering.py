"""`kubectl saga cancel`, `suspend`, `resume`, `retry`, `skip`, `mark-compensated`: of one order, or of all
that a filter finds.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from ordersaga.saga.actions import ACTIONS, Action, body_of, called, due
from ordersaga.saga.cluster import Cluster, ClusterError, Json
from ordersaga.saga.facts import Found
from ordersaga.saga.output import Output, now
from ordersaga.saga.participants import participants_of
from ordersaga.saga.record import Record
from ordersaga.saga.selection import add_filter, near, selection_of, sorted_by
from ordersaga.saga.sentence import unread
from ordersaga.saga.table import Cell, Style, Table
from ordersaga.saga.words import count

RATE: Final = 20.0
"""Changes a second: each costs the API server what a step does, and the operator's answer as much again."""
PATIENCE: Final = 10.0
"""Seconds to wait for the operator's word on an intervention."""
NOBODY_HAS_READ: Final = "it is written, but no operator has read it yet: `kubectl saga doctor` says why"
PREVIEWED: Final = 20
NAMED: Final = 5
REVIEW: Final = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


class NotAllowedError(Exception):
    """The viewer may change no saga here: to try the others would be refused as often."""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """One command for each action."""
    for action in ACTIONS:
        several = "one order, or all that a filter finds"
        parser = commands.add_parser(action.name, help=action.says, description=f"{action.says}: {several}.")
        parser.add_argument(
            "order", metavar="ORDER", nargs="?", help="the order's id; without one the filter says which"
        )
        if action.steps:
            parser.add_argument(
                "at", metavar="STEP", nargs="?", choices=action.steps, help="by default the one it is at"
            )
            parser.add_argument("--reason", required=True, help="why; it is kept beside your name")
        # there --reason is a person's
        add_filter(parser, reason="--with-reason" if action.steps else "--reason")
        group = parser.add_argument_group("how")
        group.add_argument("--dry-run", action="store_true", help="ask the API server whether it would; change nothing")
        group.add_argument("-y", "--yes", action="store_true", help="don't ask")
        group.add_argument("--count", type=int, metavar="N", help="do it only if the filter finds exactly so many")
        group.add_argument("--rate", type=float, default=RATE, metavar="N", help=f"changes a second ({RATE:g})")
        parser.set_defaults(run=run, action=action)


def run(options: argparse.Namespace, cluster: Cluster, output: Output) -> int:
    """Carry it out; 0 if each was changed (or would be)."""
    action: Action = options.action
    chosen, instead = _chosen(options, cluster)
    if options.order is None and not chosen:
        output.warn(f"no saga in namespace {cluster.access.namespace} is like that{instead}")
        return 1
    steps = {saga.name: (getattr(options, "at", None) or due(saga)) if action.steps else "" for saga in chosen}
    apt = [saga for saga in chosen if not action.why_not(saga, steps[saga.name])]
    left = [saga for saga in chosen if saga not in apt]
    for why, names in _by_reason(action, left, steps).items():
        output.warn(f"{_few(names)}: {action.name} makes no sense, since {why}")
    if not apt:
        return 1
    if options.count is not None and options.count != len(apt):
        raise ValueError(f"--count {options.count}, but the filter finds {len(apt)}: nothing was changed")
    by = cluster.user()
    who = f", as {by}" if by else ""
    output.say(f"In namespace {cluster.access.namespace} of {cluster.access.server}{who}:", Style.DIM)
    _preview(action, apt, steps, cluster, output)
    if not options.dry_run and not _agreed(options, apt, output):
        output.warn("nothing was changed")
        return 1
    failed = 0
    for number, saga in enumerate(apt):
        if number and not options.dry_run:
            time.sleep(1 / options.rate)
        body = body_of(action, steps[saga.name], by, getattr(options, "reason", ""))
        try:
            failed += _change(saga, body, options, cluster, output)
        except NotAllowedError as error:
            output.warn(f"{error}: {'nothing was changed' if not number else 'the rest was left as it is'}")
            failed = len(apt) - number + failed
            break
    if len(apt) > 1 or not options.order:
        would = "would be " if options.dry_run else ""
        output.say(f"{count(len(apt) - failed, 'saga')} {would}{action.done}" + (f", {failed} not" if failed else ""))
    return 1 if failed or (left and options.order) else 0


def _by_reason(action: Action, left: Sequence[Record], steps: dict[str, str]) -> dict[str, list[str]]:
    """The names of those of which it makes no sense, by why."""
    found: dict[str, list[str]] = {}
    for saga in left:
        found.setdefault(action.why_not(saga, steps[saga.name]), []).append(saga.name)
    return found


def _few(names: Sequence[str]) -> str:
    """The names, or the first few of them and how many there are."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _chosen(options: argparse.Namespace, cluster: Cluster) -> tuple[Sequence[Record], str]:
    """Those that are meant, and what else the reasons may have meant."""
    selection = selection_of(options)
    if options.order is not None:
        return [Record(cluster.get(cluster.sagas(options.order)))], ""
    if selection.is_empty:
        raise ValueError("which orders? Name one, or filter them (see --help); --phase Failed, for example")
    moment = now()
    pages = cluster.pages(cluster.sagas(), selection.parameters())
    found: list[Found] = []
    there: set[str] = set()
    for each in (Found.of(Record(item)) for page in pages for item in page["items"]):
        there |= each.reasons if selection.reasons else set()
        if selection.takes(each, moment):
            found.append(each)
    return [each.saga for each in sorted_by(found, "name")], near(selection.reasons, there)


def _preview(action: Action, apt: Sequence[Record], steps: dict[str, str], cluster: Cluster, output: Output) -> None:
    table = Table(["ORDER", "PHASE", "STEP", "WILL"])
    for saga in apt[:PREVIEWED]:
        table.add(saga.name, saga.phase, saga.step, action.effect(saga, steps[saga.name]))
    output.table(table)
    if len(apt) > PREVIEWED:
        output.say(f"and {count(len(apt) - PREVIEWED, 'more saga')}")
    numbers = Counter(called(action, saga, steps[saga.name]) for saga in apt)
    if any(numbers):
        for each in participants_of(cluster):
            if numbers[each.name] and (said := each.holds_up(now(), numbers[each.name])):
                output.say(said, Style.WARN)


def _agreed(options: argparse.Namespace, apt: Sequence[Record], output: Output) -> bool:
    if options.yes or options.count is not None or (len(apt) == 1 and options.order):
        return True
    if not sys.stdin.isatty():
        raise ValueError(f"{count(len(apt), 'saga')}: say --yes, or --count {len(apt)}; nothing was changed")
    return input(f"{options.action.name} {count(len(apt), 'saga')}? [y/N] ").strip().lower() in ("y", "yes")


def _change(saga: Record, body: Json, options: argparse.Namespace, cluster: Cluster, output: Output) -> int:
    """1 if it failed. Raises NotAllowedError if none of many could be changed."""
    path = cluster.sagas(saga.name)
    try:
        changed = Record(cluster.patch(path, body, dry_run=options.dry_run))
        if options.dry_run:
            output.say(f"{saga.name}: would be {options.action.done}")
            return 0
        if "intervention" not in body["spec"]:
            if options.order and not _is_read(changed, cluster):
                output.warn(f"{saga.name}: {NOBODY_HAS_READ}")
                return 0
            output.say(f"{saga.name}: {options.action.done}")
            return 0
        return _told(saga, body["spec"]["intervention"]["id"], cluster, output) if options.order else 0
    except ClusterError as error:
        if error.status == 403 and not options.order and not cluster.may("patch"):
            where = f"namespace {cluster.access.namespace}"
            raise NotAllowedError(f"you may not patch ordersagas in {where}") from error
        output.row([Cell(f"{saga.name}: ", Style.BOLD), Cell(f"not changed: {error}", Style.BAD)])
        return 1


def _is_read(asked: Record, cluster: Cluster) -> bool:
    """Wait until the operator has taken note of what was asked for, or for `PATIENCE`."""

    def read() -> Record | None:
        found = Record(cluster.get(cluster.sagas(asked.name)))
        return None if unread(found) else found

    return _until(read, PATIENCE) is not None


def _told(saga: Record, intervention: str, cluster: Cluster, output: Output) -> int:
    """Wait for the operator's word on it; 1 if it refused."""

    def read() -> Record | None:
        found = Record(cluster.get(cluster.sagas(saga.name)))
        return found if found.intervention.get("id") == intervention else None

    found = _until(read, PATIENCE)
    if found is None:
        output.warn(f"{saga.name}: {NOBODY_HAS_READ}")
        return 0
    if found.intervention.get("reason") != "Intervened":
        output.warn(f"{saga.name}: the operator refused it, since it doesn't apply to the state of its step (any more)")
        return 1
    output.say(f"{saga.name}: {found.intervention.get('action')} {found.intervention.get('step')} was carried out")
    return 0


def _until(read: Callable[[], Record | None], seconds: float) -> Record | None:
    end = time.monotonic() + seconds
    while (found := read()) is None and time.monotonic() < end:
        time.sleep(0.2)
    return found
