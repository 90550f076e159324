"""`kubectl saga doctor`: what is wrong with this installation, and what to do."""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

from common.order_saga import GROUP, VERSION
from ordersaga.saga.cluster import Cluster, ClusterError
from ordersaga.saga.facts import NOT_BEGUN, Facts
from ordersaga.saga.operator_lease import LEASE, unattended, working
from ordersaga.saga.output import Output, now
from ordersaga.saga.participants import DOWN, PAUSED, UP, participants_of
from ordersaga.saga.participants import UNKNOWN as NOT_CALLED
from ordersaga.saga.record import Record
from ordersaga.saga.selection import Selection, grouped
from ordersaga.saga.table import Cell, Style
from ordersaga.saga.words import count, span

SKEW_SECONDS: Final = 5.0
"""Of two clocks: what the operator bears without a word is a few seconds (docs/failure-modes.md)."""
LOOKED_AT: Final = 20
"""Pages of open sagas that are looked at: 10,000 of them."""
PARTS: Final = {"labelSelector": "app.kubernetes.io/part-of=ordersaga"}
NEEDED: Final = ("list", "watch", "patch")


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is (well, doubtful, wrong, or nobody could tell), and what to do."""

    about: str
    verdict: str
    says: str
    to_do: str = ""


WELL, DOUBTFUL, WRONG, UNKNOWN = "ok", "look", "wrong", "?"
_STYLES: Final = {WELL: Style.GOOD, DOUBTFUL: Style.WARN, WRONG: Style.BAD, UNKNOWN: Style.DIM}


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command."""
    says = "what is wrong with this installation, and what to do"
    parser = commands.add_parser("doctor", help=says, description=f"{says[0].upper()}{says[1:]}. It changes nothing.")
    parser.add_argument("--lease", metavar="NAME", default=LEASE, help=f"of the operators ({LEASE})")
    parser.add_argument("-o", "--output", choices=("json", "yaml"), help="for a program")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, cluster: Cluster, output: Output) -> int:
    """Look at everything; 0 if nothing is wrong, else 1."""
    found: list[Finding] = []
    for look in (
        _server,
        _kind,
        _rights,
        lambda each: _lease(each, options.lease),
        _parts,
        participants_found,
        _policies,
        _sagas,
    ):
        for finding in _looked(look, cluster):
            found.append(finding)
            if not options.output:
                _show(finding, output)
        if found[-1].about == "API server" and found[-1].verdict == WRONG:
            break  # nothing else can be asked
    if options.output:
        named = [{"about": f.about, "verdict": f.verdict, "says": f.says, "toDo": f.to_do} for f in found]
        output.machine(options.output, {"findings": named})
    return 1 if any(finding.verdict == WRONG for finding in found) else 0


def _show(finding: Finding, output: Output) -> None:
    verdict = Cell(f"{finding.verdict:<6}", _STYLES[finding.verdict])
    output.row([verdict, Cell(f"{finding.about:<14}"), Cell(finding.says)])
    if finding.to_do:
        output.row(
            [Cell(" " * 20), Cell(f"→ {finding.to_do}" if output.unicode else f"-> {finding.to_do}", Style.BOLD)]
        )


def _looked(look: Callable[[Cluster], Iterator[Finding]], cluster: Cluster) -> Iterator[Finding]:
    try:
        yield from look(cluster)
    except ClusterError as error:
        about = {
            "_server": "API server",
            "_kind": "kind",
            "_rights": "your rights",
            "_parts": "workloads",
            "participants_found": "participants",
        }
        name = about.get(look.__name__, look.__name__.strip("_<>"))
        name = {"lambda": "operator"}.get(name, name)
        if error.status == 403:
            yield Finding(name, UNKNOWN, f"you may not look: {error}")
        else:
            yield Finding(name, WRONG, str(error))


def _server(cluster: Cluster) -> Iterator[Finding]:
    before = time.time()
    version = cluster.get("/version")
    said = parsedate_to_datetime(cluster.date).timestamp() if cluster.date else None
    where = f"{cluster.access.server}, {version.get('gitVersion', '')}, namespace {cluster.access.namespace}"
    yield Finding("API server", WELL, where)
    if said is not None and abs(skew := before - said) > SKEW_SECONDS:
        ahead = "ahead of" if skew > 0 else "behind"
        to_do = "set it by NTP; ages and times are shown wrongly until then"
        yield Finding("clock", DOUBTFUL, f"this machine's is {span(abs(skew))} {ahead} the API server's", to_do)


def _kind(cluster: Cluster) -> Iterator[Finding]:
    try:
        kinds = cluster.get(f"/apis/{GROUP}/{VERSION}")["resources"]
    except ClusterError as error:
        if error.status != 404:
            raise
        to_do = "kubectl apply -f crds/, or install the chart (docs/install.md); or choose another --context"
        yield Finding("kind", WRONG, "this cluster doesn't know OrderSagas", to_do)
        return
    names = sorted(each["name"] for each in kinds if "/" not in each["name"])
    yield Finding("kind", WELL, f"{GROUP}/{VERSION}: {', '.join(names)}")


def _rights(cluster: Cluster) -> Iterator[Finding]:
    missing = [verb for verb in NEEDED if not cluster.may(verb)]
    if "list" in missing:
        to_do = "ask for the ClusterRole ordersaga-viewer in this namespace"
        yield Finding("your rights", WRONG, f"you may not {', '.join(missing)} ordersagas here", to_do)
    elif missing:
        yield Finding("your rights", DOUBTFUL, f"you may see orders, but not {', '.join(missing)} them")
    else:
        yield Finding("your rights", WELL, "you may see orders and steer them")


def _lease(cluster: Cluster, name: str) -> Iterator[Finding]:
    found = working(cluster, now(), name)
    if found is None:
        yield Finding("operator", UNKNOWN, "you may not look at its Lease")
    else:
        yield Finding("operator", WELL if found.works else WRONG, found.says, found.to_do)


def _parts(cluster: Cluster) -> Iterator[Finding]:
    path = f"/apis/apps/v1/namespaces/{cluster.access.namespace}/deployments"
    found = cluster.get(path, PARTS)["items"]
    if not found:
        yield Finding("workloads", UNKNOWN, "no Deployment of ours is in this namespace: the parts run elsewhere")
        return
    bad = [each for each in found if (each["status"].get("readyReplicas") or 0) < (each["spec"].get("replicas") or 0)]
    for each in bad:
        name, ready = each["metadata"]["name"], each["status"].get("readyReplicas") or 0
        says = f"{name} has {ready} of {each['spec'].get('replicas')} pods ready"
        yield Finding(
            "workloads",
            WRONG if not ready else DOUBTFUL,
            says,
            f"kubectl describe deployment {name}; kubectl logs deployment/{name}",
        )
    versions = {each["metadata"].get("labels", {}).get("app.kubernetes.io/version", "") for each in found} - {""}
    if len(versions) > 1:
        yield Finding(
            "versions", DOUBTFUL, f"parts of {', '.join(sorted(versions))} run beside each other", "finish the upgrade"
        )
    if not bad:
        yield Finding(
            "workloads",
            WELL,
            f"{count(len(found), 'Deployment')} ready" + (f", version {versions.pop()}" if len(versions) == 1 else ""),
        )


def participants_found(cluster: Cluster) -> Iterator[Finding]:
    """How the participants are, as their resources say it."""
    found = participants_of(cluster)
    if not found:
        yield Finding("participants", UNKNOWN, "they aren't resources here: the operator goes by its settings")
        return
    for each in found:
        says = each.trouble(now())
        if each.state == DOWN:
            yield Finding("participants", WRONG, says, f"kubectl logs deployment/{each.name}-service; orders wait")
        elif each.state == PAUSED:
            patch = """'{"spec":{"state":"Active"}}'"""
            yield Finding(
                "participants", DOUBTFUL, says, f"kubectl patch participant {each.name} --type merge -p {patch}"
            )
        elif not each.is_followed:
            says = f"what was changed of {each.name} isn't followed yet"
            yield Finding("participants", DOUBTFUL, says, "look whether an operator works")
    if all(each.state in (UP, NOT_CALLED) for each in found):
        quiet = [each.name for each in found if each.state == NOT_CALLED]
        tail = f", {', '.join(quiet)} not called yet" if quiet else ""
        yield Finding("participants", WELL, f"{len(found) - len(quiet)} answer{tail}")


def _policies(cluster: Cluster) -> Iterator[Finding]:
    path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
    try:
        names = [each["metadata"]["name"] for each in cluster.get(path)["items"]]
    except ClusterError as error:
        if error.status not in (403, 404):
            raise
        yield Finding("policies", UNKNOWN, "you may not see whether our admission policies are installed")
        return
    ours = [name for name in names if "ordersaga" in name]
    if ours:
        yield Finding("policies", WELL, f"{count(len(ours), 'admission policy', 'admission policies')} of ours")
    else:
        to_do = "install them (`policies.enabled`, docs/security.md), so that nobody can intervene in another's name"
        yield Finding("policies", DOUBTFUL, "none of ours is installed", to_do)


def _sagas(cluster: Cluster) -> Iterator[Finding]:
    moment, more = now(), False
    found: list[Facts] = []
    for number, page in enumerate(cluster.pages(cluster.sagas(), Selection().parameters())):
        found += [Facts.of(Record(item)) for item in page["items"]]
        if more := number + 1 == LOOKED_AT:
            break
    unseen = [saga for saga in found if saga.trouble_at(moment) == NOT_BEGUN]
    open_ones = f"{count(len(found), 'open saga')}{' and more' if more else ''}"
    if unseen:
        says = (
            f"{count(len(unseen), 'saga')} of {open_ones} not begun, the oldest {span(moment - unseen[0].created)} old"
        )
        yield Finding("sagas", WRONG, says, "no operator works here, or it is behind: see its log and its Lease")
    if elsewhere := unattended(cluster, moment):
        yield Finding(
            "namespaces", DOUBTFUL, elsewhere, "kubectl saga list -A; an operator works in one namespace (-n)"
        )
    yield from _troubles([saga for saga in found if saga.is_seen], moment)
    if not unseen:
        yield Finding("sagas", WELL, open_ones)


def _troubles(found: Sequence[Facts], moment: float) -> Iterator[Finding]:
    for group in grouped(found, moment):
        oldest = f"the oldest {span(moment - group.oldest)} old"
        says = f"{group.trouble} at {group.step}: {count(group.number, 'saga')}, {oldest}"
        verdict = WRONG if group.needs_person and group.trouble != "Suspended" else DOUBTFUL
        yield Finding("sagas", verdict, says, f"kubectl saga why {group.example}")
