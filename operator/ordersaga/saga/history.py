"""`kubectl saga history`: what has ended, also when its resource is gone."""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from ordersaga.phases import FINISHED
from ordersaga.saga.cluster import Cluster, Json
from ordersaga.saga.facts import Facts
from ordersaga.saga.looking import show
from ordersaga.saga.output import Output, now
from ordersaga.saga.record import Record, seconds_of
from ordersaga.saga.selection import Selection, spelt, summed, time_of
from ordersaga.saga.services import ACCOUNT, ServiceError, orders, story
from ordersaga.saga.table import PHASES, Cell, Style, Table
from ordersaga.saga.words import clock, count, hour, took

DAY: Final = 86400.0
PAGE: Final = 500
STORIES: Final = 1000
"""That are read for `--by`: the archive's list has no names."""
EPILOG: Final = """\
examples:

  kubectl saga history o-1042                        the whole story of one order
  kubectl saga history --newer 7d --reason CardDeclined
  kubectl saga history --phase Compensated --ended 10m
  kubectl saga history --customer c-17 --limit 1000 -o json

A list has what is in the cluster still and what is in the archive, which is the order service's. It is found by
ORDERSAGA_ORDER_URL, or in the cluster through a forwarded port; you are let in as staff, with a token of
ServiceAccount ordersaga-staff (you need the right to create one) or of the folder that ORDERSAGA_TOKENS names."""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command."""
    says = "what has ended, also when its resource is gone"
    parser = commands.add_parser(
        "history", help=says, description=says, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("order", metavar="ORDER", nargs="?", help="its whole story; without one a list")
    group = parser.add_argument_group("which sagas")
    group.add_argument("--customer", metavar="ID", help="of this customer")
    group.add_argument("--phase", choices=("Completed", "Compensated"))
    group.add_argument("--reason", metavar="REASON", help="why it was rolled back, such as CardDeclined")
    group.add_argument(
        "--by",
        metavar="PART",
        default="",
        help=f"suspended, cancelled or intervened in by somebody with this in the name (of up to {STORIES:,})",
    )
    group.add_argument("--newer", metavar="TIME", type=time_of, default=DAY, help="placed within that time (1d)")
    group.add_argument("--older", metavar="TIME", type=time_of, default=0.0, help="placed before that")
    group.add_argument("--ended", metavar="TIME", type=time_of, default=0.0, help="of these, ended within that time")
    group.add_argument("--limit", type=int, default=200, metavar="N", help="the last N of them (200; 0: all)")
    parser.add_argument(
        "--account", metavar="NAME", default=ACCOUNT, help=f"as whom the order service is asked ({ACCOUNT})"
    )
    parser.add_argument("-o", "--output", choices=("json", "yaml"), help="for a program")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, cluster: Cluster, output: Output) -> int:
    """Show it; 0, also if nothing is like that, and 1 if the archive can't be asked."""
    status, moment = 0, now()
    if options.order:
        try:
            with orders(cluster, account=options.account) as service:
                found = story(service.get(f"/api/orders/{options.order}/saga"))
        except ServiceError as error:
            output.warn(f"error: {error}")
            return 1
        if options.output:
            output.machine(options.output, found)
        else:
            show(Record(found), output)
        return 0
    ended: dict[str, Json] = {}
    try:
        with orders(cluster, account=options.account) as service:
            ended = {item["uid"]: item for item in archived(service.get, options, moment)}
    except ServiceError as error:
        output.warn(f"error: {error}")
        output.warn("what follows is in the cluster still; what isn't is left out")
        status = 1
    # asked after the archive, so that what is removed in between is in both, and not in neither
    ended |= {item["uid"]: item for item in _in_cluster(cluster, options, moment)}
    items = sorted(ended.values(), key=lambda item: (seconds_of(item["created_at"]) or 0.0, item["order_id"]))
    last = items[-options.limit :] if options.limit else items
    if options.output:
        output.machine(options.output, {"items": last, "total": len(items)})
    else:
        _show(last, items, output)
    return status


def archived(get: Callable[..., Json], options: argparse.Namespace, moment: float) -> Sequence[Json]:
    """What is like that in the archive; `get`: of the order service.

    Raises:
        ValueError: to see who did something in each is too much.
    """
    found = list(_listed(get, options, moment))
    if not options.by:
        return found
    if len(found) > STORIES:
        narrower = "say --customer, --reason or a shorter --newer"
        raise ValueError(f"--by reads each story, and {count(len(found), 'story', 'stories')} are too many: {narrower}")
    return [item for item in found if _is_by(get, item, options.by)]


def _is_by(get: Callable[..., Json], item: Json, part: str) -> bool:
    whole = get(f"/api/orders/{item['order_id']}/saga")
    # an order placed again under the same name has another one
    return whole["uid"] == item["uid"] and any(part in name for name in Facts.of(Record(story(whole))).people)


def _listed(get: Callable[..., Json], options: argparse.Namespace, moment: float) -> Iterator[Json]:
    wanted = {
        "customer_id": options.customer,
        "phase": options.phase,
        "reason": options.reason and spelt(options.reason),
        "since": _wire(moment - options.newer),
        "until": _wire(moment - options.older) if options.older else None,
    }
    params = {name: value for name, value in wanted.items() if value}
    seen = 0
    while True:
        page = get("/api/sagas", {**params, "limit": str(PAGE), "skip": str(seen)})
        seen += len(page["items"])
        yield from (item for item in page["items"] if _ended(item, options, moment))
        if seen >= page["total"] or not page["items"]:
            return


def _in_cluster(cluster: Cluster, options: argparse.Namespace, moment: float) -> Iterator[Json]:
    """What has ended and is there still, in the form of the archive's list."""
    # only what was rolled back has a reason, and the API server selects by one phase
    phases = [options.phase] if options.phase else ["Compensated"] if options.reason else sorted(FINISHED)
    reason = spelt(options.reason or "")
    for phase in phases:
        selection = Selection.said(
            phase=[phase], customer=options.customer or "", by=options.by, newer=options.newer, older=options.older
        )
        for page in cluster.pages(cluster.sagas(), selection.parameters()):
            for saga in map(Record, page["items"]):
                step, why, _ = saga.failure or ("", "", "")
                if not selection.takes(Facts.of(saga), moment) or (reason and why != reason):
                    continue
                item = _item(saga, step, why)
                if _ended(item, options, moment):
                    yield item


def _item(saga: Record, step: str, reason: str) -> Json:
    return {
        "order_id": saga.name,
        "namespace": saga.namespace,
        "uid": saga.uid,
        "customer_id": saga.customer,
        "total": saga.total,
        "created_at": saga.item["metadata"].get("creationTimestamp"),
        "archived_at": None,
        "completed_at": (saga.item.get("status") or {}).get("completionTime"),
        "phase": saga.phase,
        "step": step or None,
        "reason": reason or None,
    }


def _ended(item: Mapping[str, Any], options: argparse.Namespace, moment: float) -> bool:
    at = seconds_of(item["completed_at"])
    return not options.ended or (at is not None and moment - at <= options.ended)


def _show(shown: list[Json], found: list[Json], output: Output) -> None:
    if not found:
        output.warn("nothing that has ended is like that: --newer 30d looks further back")
        return
    table = Table(["PLACED", "ORDER", "CUSTOMER", "TOTAL", "PHASE", "ENDED", "TOOK", "STEP", "REASON", "WHERE"])
    for item in shown:
        created, ended = seconds_of(item["created_at"]), seconds_of(item["completed_at"])
        lasted = took(ended - created) if created is not None and ended is not None else ""
        phase = Cell(item["phase"], PHASES.get(item["phase"], Style.PLAIN))
        step, reason = item["step"] or "", item["reason"] or ""
        where = "cluster" if item["archived_at"] is None else "archive"
        about = (item["order_id"], item["customer_id"], item["total"])
        table.add(clock(created), *about, phase, hour(ended), lasted, step, reason, where)
    output.table(table)
    output.say()
    output.say(summed((item["phase"], item["customer_id"], item["reason"] or "") for item in found), Style.DIM)
    if len(found) > len(shown):
        output.warn(f"{count(len(found) - len(shown), 'earlier one')} not shown: --limit 0 shows all")


def _wire(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
