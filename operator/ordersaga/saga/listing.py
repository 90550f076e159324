"""`kubectl saga list`: the open sagas, or those that a filter finds, and what is wrong with them."""

import argparse
import json
import time
from collections.abc import Mapping, Sequence

from ordersaga.saga.cluster import Cluster, ClusterError
from ordersaga.saga.facts import Found
from ordersaga.saga.looking import AGAIN_SECONDS, intervened, warn_if_nobody_works
from ordersaga.saga.operator_lease import unattended
from ordersaga.saga.output import Output, clean, now
from ordersaga.saga.participants import participants_of
from ordersaga.saga.record import Record
from ordersaga.saga.selection import SORTS, Group, Selection, add_filter, grouped, near, selection_of, sorted_by, summed
from ordersaga.saga.sentence import sentence_of
from ordersaga.saga.table import PHASES, Cell, Style, Table
from ordersaga.saga.words import count, exactly, span
from saga_operator.process.reasons import DOWNSTREAM


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command."""
    parser = commands.add_parser(
        "list", aliases=["ls"], help="open sagas, and what is wrong with them by step and reason"
    )
    add_filter(parser)
    parser.add_argument(
        "-A", "--all-namespaces", action="store_true", help="of every namespace, where no operator may work"
    )
    parser.add_argument(
        "--sort",
        choices=SORTS,
        default="phase",
        help="phase: those that need a look first (default); waiting: who waits longest first",
    )
    parser.add_argument("--reverse", action="store_true", help="the other way round")
    parser.add_argument("--limit", type=int, default=200, metavar="N", help="rows that are shown (200; 0: all)")
    parser.add_argument("-w", "--watch", action="store_true", help="go on showing what changes")
    parser.add_argument("-o", "--output", choices=("wide", "json", "yaml", "name"), help="wide, or for a program")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, cluster: Cluster, output: Output) -> int:
    """`list`; 0, also if there are none."""
    selection = selection_of(options)
    moment, version = now(), ""
    everywhere: bool = options.all_namespaces
    if everywhere and options.watch:
        raise ValueError("-w follows one namespace: leave out --all-namespaces")
    found: list[Found] = []
    there: set[str] = set()
    for page in cluster.pages(cluster.sagas(everywhere=everywhere), selection.parameters()):
        version = page["metadata"].get("resourceVersion", version)
        for each in (Found.of(Record(item)) for item in page["items"]):
            there |= each.reasons if selection.reasons else set()
            if selection.takes(each, moment):
                found.append(each)
    found = sorted_by(found, options.sort, reverse=options.reverse)
    match options.output:
        case "json" | "yaml":
            kind = {"apiVersion": "ordersaga.io/v1alpha1", "kind": "OrderSaga"}
            items = [clean({**each.saga.item, **kind}) for each in found]
            output.machine(options.output, {"apiVersion": "v1", "kind": "List", "items": items})
            return 0
        case "name":
            for each in found:
                output.say(each.name)
            return 0
    if not found:
        where = "in any namespace" if everywhere else f"in namespace {cluster.access.namespace}"
        what = "saga" if options.finished or selection.phases else "open saga"
        ended = "; --all looks at those that have ended as well" if what != "saga" and not selection.is_empty else ""
        like_that = "" if selection.is_empty else " is like that"
        output.warn(f"no {what} {where}{like_that}{near(selection.reasons, there) or ended}")
    else:
        _show_list(found, options, output)
    if selection.is_empty or any(each.trouble in DOWNSTREAM for each in found):
        _show_participants(cluster, output)
    warn_if_nobody_works(cluster, output)
    if selection.is_empty and not everywhere and (said := unattended(cluster, now())):
        output.say(f"{said}: `kubectl saga list -A` shows them", Style.WARN)
    if options.watch:
        _follow(cluster, selection, version, output, wide=options.output == "wide")
    return 0


def _show_list(found: list[Found], options: argparse.Namespace, output: Output) -> None:
    moment = now()
    wide, everywhere = options.output == "wide", options.all_namespaces
    table = _table(wide=wide, everywhere=everywhere)
    for each in found[: options.limit or None]:
        _add(table, each, moment, wide=wide, everywhere=everywhere)
    output.table(table)
    if options.limit and len(found) > options.limit:
        output.warn(f"and {count(len(found) - options.limit, 'more saga')}: --limit 0 shows all")
    if groups := grouped(found, moment):
        output.say()
        places = {each.name: f" -n {each.saga.namespace}" for each in found} if everywhere else {}
        output.table(_trouble(groups, moment, places))
    output.say()
    output.say(summed((each.phase, each.customer, each.reason) for each in found), Style.DIM)


def _show_participants(cluster: Cluster, output: Output) -> None:
    """Why many of them wait, if a participant is down or paused."""
    moment = now()
    if said := [text for each in participants_of(cluster) if (text := each.trouble(moment))]:
        output.say()
        for text in said:
            output.say(text, Style.WARN)


def _table(*, wide: bool, everywhere: bool = False) -> Table:
    where = ["NAMESPACE"] if everywhere else []
    more = ["WAITS", "MESSAGE"] if wide else []
    return Table([*where, "ORDER", "CUSTOMER", "TOTAL", "PHASE", "STEP", "DONE", "AGE", "REASON", *more])


def _add(table: Table, found: Found, moment: float, *, wide: bool, everywhere: bool = False) -> None:
    saga = found.saga
    style = Style.BAD if found.needs_person(moment) else PHASES.get(saga.phase, Style.PLAIN)
    reason = found.trouble_at(moment) or found.reason
    cells: list[Cell | str] = [saga.name, saga.customer, saga.total, Cell(saga.phase, style), saga.step, saga.done]
    table.add(
        *([saga.namespace] if everywhere else []),
        *cells,
        span(moment - saga.created),
        reason,
        *([_waits(found, moment), _told(saga, moment)] if wide else []),
    )


def _told(saga: Record, moment: float) -> str:
    said = str(sentence_of(saga, moment))
    return f"{said} {intervened(saga)}." if saga.intervention else said


def _waits(found: Found, moment: float) -> str:
    since = found.troubled_since(moment)
    return "" if since is None else exactly(moment - since)


def _trouble(groups: Sequence[Group], moment: float, where: Mapping[str, str]) -> Table:
    """`where`: by the name of an order, the option that a command about it needs."""
    table = Table(["TROUBLE", "STEP", "SAGAS", "CUSTOMERS", "LONGEST", "WHAT HAPPENS", "FOR EXAMPLE"])
    for group in groups:
        happens = (
            Cell("a person has to decide", Style.BAD) if group.needs_person else Cell("goes on by itself", Style.DIM)
        )
        example = f"kubectl saga why {group.example}{where.get(group.example, '')}"
        longest = "" if group.since is None else exactly(moment - group.since)
        numbers = (str(group.number), str(group.customers), longest)
        table.add(group.trouble, group.step, *numbers, happens, example)
    return table


def _follow(cluster: Cluster, selection: Selection, version: str, output: Output, *, wide: bool) -> None:
    shown: dict[str, str] = {}
    path = cluster.sagas()
    params = selection.parameters()
    params.pop("fieldSelector", None)  # one that ends would leave the selection without a word
    while True:
        try:
            for change in cluster.watch(path, {**params, "resourceVersion": version}):
                version = change.item["metadata"]["resourceVersion"]
                each = Found.of(Record(change.item))
                if change.type == "BOOKMARK" or not (selection.takes(each, now()) or each.name in shown):
                    continue
                told = json.dumps([change.type, each.phase, each.step, each.saga.done, each.reason])
                if shown.get(each.name) != told:
                    shown[each.name] = told
                    table = _table(wide=wide)
                    _add(table, each, now(), wide=wide)
                    output.table(table, headings=False)
                if change.type == "DELETED" or each.saga.is_finished:
                    shown.pop(each.name, None)
        except ClusterError as error:
            if error.status != 410:
                raise
            version = cluster.get(path, {"limit": "1"})["metadata"]["resourceVersion"]
            output.warn("the watch was lost for too long: what happened meanwhile isn't shown")
        time.sleep(AGAIN_SECONDS)
