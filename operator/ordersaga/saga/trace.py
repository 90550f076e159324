"""`kubectl saga trace`: the trace of one order, made from its record, for people or for a collector."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from ordersaga.saga.cluster import Cluster
from ordersaga.saga.looking import found
from ordersaga.saga.output import Output
from ordersaga.saga.record import Record
from ordersaga.saga.table import PHASES, Cell, Style, Table
from ordersaga.saga.words import clock, count, exactly

if TYPE_CHECKING:  # they take a tenth of a second, which no other command waits
    from common.tracing.span import Span

PATH: Final = "/v1/traces"
PORTS: Final = {"http": 80, "https": 443}
SERVICE: Final = "ordersaga-operator"
"""Whose spans they are, however late they are sent."""
SECONDS: Final = 15.0
"""For a collector to take them: there is nobody else to wait for."""
EPILOG: Final = """\
examples:

  kubectl saga trace o-1042                                the tree: each step, its attempts, how long they took
  kubectl saga trace o-1042 --otlp http://127.0.0.1:4318   send it to a collector, again or for the first time

It is made from the order's resource, or from its story in the archive once that is gone. Its ids follow from the
resource's uid: they are those under which the services have sent their parts, and sending it twice makes no second
trace. Attempts that the record has forgotten have no times."""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command."""
    says = "the trace of one order, for people or for a collector"
    parser = commands.add_parser(
        "trace", help=says, description=says, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("order", metavar="ORDER", help="the order's id")
    parser.add_argument("--otlp", metavar="URL", help="send it to this collector (OTLP/HTTP), the whole of it")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, cluster: Cluster, output: Output) -> int:
    """Show it, or send it: 0, and 1 if the collector doesn't take it."""
    if options.otlp and (urlsplit(options.otlp).scheme not in PORTS or not urlsplit(options.otlp).hostname):
        raise ValueError(f"--otlp takes the URL of a collector, such as http://127.0.0.1:4318, and not {options.otlp}")
    saga = found(options.order, cluster, output)
    spans = spans_of(saga)
    if options.otlp:
        return _send(spans, saga, options.otlp, output)
    if options.output == "json":
        output.machine("json", {"traceID": _trace_id(spans), "spans": [_written(each) for each in spans]})
    else:
        phase = Cell(f"{saga.phase}  ", PHASES.get(saga.phase, Style.BOLD))
        output.row([Cell(f"{saga.name}  ", Style.BOLD), phase, Cell(f"trace {_trace_id(spans)}", Style.DIM)])
        output.say()
        output.table(tree(spans, unicode=output.unicode))
    return 0


def spans_of(saga: Record) -> "list[Span]":
    """Of the saga's trace, and of the last intervention's.

    Raises:
        ValueError: the record isn't one of an order.
    """
    # ruff: noqa: PLC0415 - see above
    from saga_operator.resource.body import Resource
    from saga_operator.resource.trace.place import Place
    from saga_operator.resource.trace.spans import Story, intervention_of, spans_of

    resource = Resource(dict(saga.item))
    try:
        place, story = Place.of(resource.uid, resource.traceparent, lambda *_: True), Story.recorded(resource)
        beside = intervention_of(place, story.saga)
        return spans_of(place, story) + ([] if beside is None else [beside])
    except (KeyError, TypeError) as error:
        raise ValueError(f"the record of {saga.name} can't be read: {error!r}") from error


def tree(spans: "Sequence[Span]", *, unicode: bool = True) -> Table:
    """Each span under its parent: when it began after the first, how long it took, and what came of it."""
    table = Table(["SPAN", "AT", "TOOK", "ATTEMPTS", "OUTCOME"])
    first = min(each.start for each in spans)
    for each, branch in _branches(spans, unicode):
        said = each.attributes
        outcome = str(said.get("ordersaga.outcome") or said.get("ordersaga.phase") or "")
        reason = str(said.get("ordersaga.reason") or "")
        style = Style.BAD if each.status == "error" else PHASES.get(outcome, Style.PLAIN)
        known = "ordersaga.estimated" not in said
        table.add(
            f"{branch}{each.name}",
            f"+{_long(each.start - first)}" if known else "",
            _long(each.end - each.start) if known else "not recorded",
            str(said.get("ordersaga.attempts", "")),
            Cell(outcome if reason == outcome else f"{outcome} {reason}".strip(), style),
        )
    return table


def _branches(spans: "Sequence[Span]", unicode: bool) -> "Iterator[tuple[Span, str]]":
    """The spans in the order of a tree, and what is drawn before their names."""
    ids = {each.context.span_id for each in spans}
    tee, corner, bar = ("├─ ", "└─ ", "│ ") if unicode else ("|- ", "`- ", "| ")

    def under(parent: int, indent: str) -> "Iterator[tuple[Span, str]]":
        children = [each for each in spans if each.parent == parent]
        children.sort(key=lambda each: each.start)
        for each in children:
            last = each is children[-1]
            yield each, indent + (corner if last else tee)
            yield from under(each.context.span_id, indent + ("  " if last else bar))

    for each in spans:
        if each.parent is None or each.parent not in ids:
            yield each, ""
            yield from under(each.context.span_id, "")


def _long(seconds: float) -> str:
    """`0 s`, `36 ms`, `1.20 s`, `1 min 26 s`."""
    if seconds == int(seconds) or seconds >= 60:
        return exactly(seconds)
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


def _trace_id(spans: "Sequence[Span]") -> str:
    return f"{spans[0].context.trace_id:032x}"


def _written(each: "Span") -> Mapping[str, Any]:
    context = each.context
    return {
        "name": each.name,
        "kind": each.kind,
        "traceID": f"{context.trace_id:032x}",
        "spanID": f"{context.span_id:016x}",
        "parentSpanID": None if each.parent is None else f"{each.parent:016x}",
        "start": each.start,
        "end": each.end,
        "status": each.status,
        "attributes": dict(each.attributes),
        "links": [{"traceID": f"{link.trace_id:032x}", "spanID": f"{link.span_id:016x}"} for link in each.links],
    }


def _send(spans: "Sequence[Span]", saga: Record, url: str, output: Output) -> int:
    import asyncio
    import socket

    from common.tracing.export import open_spans

    where = urlsplit(url)
    endpoint = url if where.path.endswith(PATH) else url.rstrip("/") + PATH
    try:  # the exporter would try for ten seconds, and not say what is wrong
        socket.create_connection((where.hostname, where.port or PORTS[where.scheme]), timeout=5).close()
    except OSError as error:
        output.warn(f"error: nobody answers at {endpoint}: {error}")
        return 1
    way = open_spans(SERVICE, endpoint=endpoint)
    assert way is not None  # noqa: S101 - an endpoint is named
    way.send(spans)
    if not asyncio.run(way.close(SECONDS)) or way.dropped:
        output.warn(f"error: the collector at {endpoint} has not taken it")
        return 1
    output.say(f"{count(len(spans), 'span')} sent to {endpoint}, trace {_trace_id(spans)}")
    if not saga.is_finished:
        at = f" (since {clock(saga.created)})"
        output.warn(f"{saga.name} has not ended{at}: the operator sends its trace when it does, with the same ids")
    return 0
