"""`kubectl saga show`, `why` and `watch`: one saga."""

import argparse
import time
from collections.abc import Iterator
from typing import Final

from common.tracing.context import ANNOTATION, TraceContext
from ordersaga.saga import timeline
from ordersaga.saga.cluster import Cluster, ClusterError
from ordersaga.saga.operator_lease import warning, working
from ordersaga.saga.output import Output, clean, now
from ordersaga.saga.record import Record, seconds_of
from ordersaga.saga.sentence import sentence_of
from ordersaga.saga.services import ServiceError, orders, story
from ordersaga.saga.table import PHASES, Cell, Style
from ordersaga.saga.words import clock, hour, span

AGAIN_SECONDS: Final = 2.0
"""Before a lost watch is begun again."""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The three commands."""
    for name, run, says in (
        ("show", run_show, "one order as a picture: its steps, what was undone, each attempt, and what it waits for"),
        ("why", run_why, "one sentence: what it waits for, since when, why, what happens by itself, what you can do"),
        ("watch", run_watch, "show it again whenever it changes, until it has ended"),
    ):
        parser = commands.add_parser(name, help=says)
        parser.add_argument("order", metavar="ORDER", help="the order's id")
        if name != "watch":
            parser.add_argument("-o", "--output", choices=("json", "yaml"), help="for a program")
        parser.set_defaults(run=run)


def run_show(options: argparse.Namespace, cluster: Cluster, output: Output) -> int:
    """`show`."""
    saga = found(options.order, cluster, output)
    if options.output:
        output.machine(options.output, clean(saga.item))
    else:
        show(saga, output)
        if not saga.is_finished:
            warn_if_nobody_works(cluster, output)
    return 0


def run_why(options: argparse.Namespace, cluster: Cluster, output: Output) -> int:
    """`why`; 0, or 3 if a person has to decide."""
    saga = found(options.order, cluster, output)
    sentence = sentence_of(saga, now())
    if options.output:
        said = {"state": sentence.state, "why": sentence.why, "itself": sentence.itself, "person": sentence.person}
        about = {"order": saga.name, "phase": saga.phase, "step": saga.step, "reason": saga.reason}
        output.machine(options.output, {**about, **said, "needsPerson": sentence.needs_person})
    else:
        output.say(str(sentence))
        if saga.intervention:
            output.say(intervened(saga), Style.DIM)
        if traced := recorded_trace(saga):
            output.say(f"Trace {traced}", Style.DIM)
        if not saga.is_finished:
            warn_if_nobody_works(cluster, output)
    return 3 if sentence.needs_person else 0


def run_watch(options: argparse.Namespace, cluster: Cluster, output: Output) -> int:
    """`watch`; 0 once it is Completed, 1 if it ended otherwise."""
    path, params = cluster.sagas(), {"fieldSelector": f"metadata.name={options.order}"}
    said = ""
    while True:
        saga = Record(cluster.get(cluster.sagas(options.order)))
        for each in _with_changes(saga, cluster, path, params):
            if each is None:
                output.say(f"{options.order} is gone: `kubectl saga history {options.order}` has its story")
                return 1
            saga = each
            sentence = sentence_of(saga, now())
            told = f"{saga.phase} {saga.step} {saga.done} {sentence}"
            if told != said:
                said = told
                phase = Cell(f"{saga.phase:<13}", PHASES.get(saga.phase, Style.PLAIN))
                output.row([Cell(hour(now()) + "  ", Style.DIM), phase, Cell(f"{saga.done:<5}"), Cell(str(sentence))])
            if saga.is_finished:
                return 0 if saga.phase == "Completed" else 1
        time.sleep(AGAIN_SECONDS)


def show(saga: Record, output: Output) -> None:
    """One saga, for a person."""
    moment = now()
    who = f"customer {saga.customer}, {saga.total}, " if saga.total else f"customer {saga.customer}, "
    phase = Cell(saga.phase, PHASES.get(saga.phase, Style.BOLD))
    created = f"placed {clock(saga.created)} ({span(moment - saga.created)} ago)"
    about = f"  {who}{created}{_since(saga)}, namespace {saga.namespace}"
    output.row([Cell(f"{saga.name}  ", Style.BOLD), phase, Cell(about, Style.DIM)])
    output.say()
    if saga.steps:
        for cells in timeline.picture(saga, unicode=output.unicode):
            output.row(cells)
        output.say()
    output.sentence(sentence_of(saga, moment))
    if saga.intervention:
        output.say()
        output.say(intervened(saga), Style.DIM)
    if traced := recorded_trace(saga):
        output.say()
        output.say(f"Trace {traced}", Style.DIM)
    if saga.steps:
        output.say()
        output.table(timeline.attempts(saga))


def _since(saga: Record) -> str:
    """The moment that the sentence counts from, for whoever has to compare it with another."""
    for what, at in (
        ("ended", saga.completed),
        ("suspended", saga.suspended),
        ("stuck since", saga.since("Stalled") if saga.phase == "Failed" else None),
        ("waits since", saga.waiting),
    ):
        if at is not None:
            return f", {what} {clock(at)}"
    return ""


def found(name: str, cluster: Cluster, output: Output) -> Record:
    """The order's resource; once that is gone, its story in the archive, if the viewer may ask for it.

    Raises:
        ClusterError: neither is there.
    """
    try:
        return Record(cluster.get(cluster.sagas(name)))
    except ClusterError as error:
        if error.status != 404 or not error.reason:
            raise
        try:
            with orders(cluster) as service:
                archived = Record(story(service.get(f"/api/orders/{name}/saga")))
        except (ServiceError, ClusterError) as why:
            raise ClusterError(error.status, error.reason, f"{error}; and of the archive: {why}") from error
        output.warn(f"{name} is no longer in the cluster; this is its story in the archive of the order service")
        return archived


def intervened(saga: Record) -> str:
    """Who intervened last, when, and what became of it."""
    last = saga.intervention
    what = f"{last.get('action', '')} {last.get('step', '')}".strip()
    became = "" if last.get("reason") == "Intervened" else f": {last.get('reason', '')}"
    why = f" ({saga.intervention_reason})" if saga.intervention_reason else ""
    at = clock(seconds_of(last.get("time")))
    return f"Last intervention: {what} by {last.get('by') or 'unknown'} at {at}{why}{became}"


def _with_changes(saga: Record, cluster: Cluster, path: str, params: dict[str, str]) -> Iterator[Record | None]:
    yield saga
    version = saga.item["metadata"]["resourceVersion"]
    try:
        for change in cluster.watch(path, {**params, "resourceVersion": version}):
            if change.type == "DELETED":
                yield None
            elif change.type != "BOOKMARK":
                yield Record(change.item)
    except ClusterError as error:
        if error.status != 410:
            raise


def recorded_trace(saga: Record) -> str:
    """The id of the trace that was begun with the order and is recorded; "" if that isn't known."""
    context = TraceContext.parse(saga.annotation(ANNOTATION))
    return f"{context.trace_id:032x}" if context is not None and context.sampled else ""


def warn_if_nobody_works(cluster: Cluster, output: Output) -> None:
    """What is said of sagas goes by what an operator has written: is one there to go on?"""
    moment = now()
    try:
        said = warning(working(cluster, moment), moment)
    except ClusterError:  # what was asked for is there
        return
    if said:
        output.say(said, Style.BAD)
