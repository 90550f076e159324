"""`ordersaga audit`: its options, and what it does with them."""

import argparse
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from common.kube import KubeError
from common.services import SERVICES
from ordersaga.audit.auditor import Auditor, RecordSource
from ordersaga.audit.report import JsonReport, Report, Summary, TableReport
from ordersaga.audit.restore import write_manifest
from ordersaga.audit.rules.records import LEDGERS, Document
from ordersaga.audit.rules.streams import CannotLookError
from ordersaga.audit.sources.resources import Resources
from ordersaga.audit.sources.services import Services
from ordersaga.settings import Settings

BALANCED, FINDINGS, BLIND = 0, 1, 2

EPILOG = """\
example: all orders of the local stack, then only what its services show, as JSON

  ordersaga audit --kubeconfig .ordersaga/kubeconfig --mongodb-url 'mongodb://127.0.0.1:17017/?directConnection=true'
  ORDERSAGA_TOKENS=.ordersaga/data/control-plane/ordersaga-audit.tokens \\
    ordersaga audit --kubeconfig .ordersaga/kubeconfig --via services --json

Instead of the options, these variables may be set: KUBECONFIG, ORDERSAGA_NAMESPACE, ORDERSAGA_MONGODB_URL,
ORDERSAGA_DATABASE_PREFIX; with --via services: ORDERSAGA_ORDER_URL … ORDERSAGA_NOTIFICATION_URL, and in
ORDERSAGA_TOKENS a folder with the tokens of the account ordersaga-audit.

exit status: 0 the books balance, 1 there are findings (each says what to do), 2 a source could not be read, so that
nothing can be said.

It only reads. docs/audit.md has the rules, and every finding with what to do about it."""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", settings: Settings) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "audit",
        help="check money, stock, shipments and messages of every order",
        description="Reads the five databases and the OrderSaga resources, and names every order whose money, units,\n"
        "shipment or messages don't fit its outcome.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--via",
        choices=("databases", "services"),
        default="databases",
        help="read MongoDB (everything), or the services' REST lists (no ledgers, no tombstones) (default: databases)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    parser.add_argument(
        "--namespace", default=settings.namespace, help="namespace of the orders (default: %(default)s)"
    )
    parser.add_argument("--kubeconfig", type=Path, help="default: $KUBECONFIG or the pod's service account")
    parser.add_argument("--mongodb-url", metavar="URI", help="MongoDB URI of all five databases")
    parser.add_argument(
        "--database-prefix",
        metavar="P",
        default=settings.database_prefix,
        help="what the databases' names begin with (default: %(default)s)",
    )
    parser.add_argument(
        "--restore",
        type=Path,
        metavar="FOLDER",
        help="for every unfinished order that has lost its resource, write the manifest there, for kubectl apply",
    )
    parser.set_defaults(run=lambda options: run(options, settings))


def run(options: argparse.Namespace, settings: Settings) -> int:
    """Audit and report; the exit status."""
    report: Report = JsonReport(sys.stdout) if options.json else TableReport(sys.stdout)
    try:
        return _audit(options, settings, report)
    except (CannotLookError, KubeError, OSError) as error:
        sys.stdout.flush()
        sys.stderr.write(f"ordersaga audit: nothing can be said, because a source could not be read: {error}\n")
        return BLIND
    except Exception:
        # Python's own status for it is 1, which would look like findings.
        sys.stdout.flush()
        traceback.print_exc()
        sys.stderr.write("ordersaga audit: nothing can be said, because the audit itself failed: please report this\n")
        return BLIND


def _audit(options: argparse.Namespace, settings: Settings, report: Report) -> int:
    started, summary = time.monotonic(), Summary()
    with ExitStack() as opened:
        resources = opened.enter_context(Resources(options.namespace, options.kubeconfig))
        records, order_of = _records(options, settings, opened)
        auditor = Auditor(resources, records)
        for checked in auditor.orders():
            summary.count(checked)
            for finding in checked.findings:
                report.finding(finding)
            if checked.abandoned and options.restore and (order := order_of(checked.order_id)):
                write_manifest(options.restore, order, options.namespace)
        for finding in auditor.stock():
            summary.findings += 1
            report.finding(finding)
        # Asked while the databases are open: of an installation without orders nobody has asked before.
        not_read = list(_not_read(records))
    report.end(summary, seconds=time.monotonic() - started, not_read=not_read)
    return FINDINGS if summary.findings else BALANCED


def _not_read(records: RecordSource) -> Iterator[str]:
    """What this source doesn't show."""
    if not records.tombstones:
        yield "tombstones and ledgers: only the databases show them"
        return
    for ledger in LEDGERS:
        if ledger not in records.ledgers:
            yield f"the {ledger}: the database has none; ask the provider"


def _records(
    options: argparse.Namespace, settings: Settings, opened: ExitStack
) -> tuple[RecordSource, Callable[[str], Document | None]]:
    """The source of the documents, and a function that reads a whole order document by the order's id."""
    if options.via == "services":
        if options.restore:
            raise CannotLookError("--restore needs --via databases: over REST an order doesn't show all of its content")
        services = Services(settings.service_urls, settings.tokens, ca_file=settings.ca_file)
        return opened.enter_context(services), lambda order_id: None
    try:
        from ordersaga.audit.sources.databases import Databases  # noqa: PLC0415 - the driver is an extra
    except ImportError as error:
        raise CannotLookError(
            f"the MongoDB driver is not installed ({error}): pip install 'ordersaga[services]', or use --via services"
        ) from error
    urls = dict.fromkeys(SERVICES, options.mongodb_url) if options.mongodb_url else settings.mongodb_urls
    encrypted = (options.mongodb_url or settings.mongodb_url, settings.mongodb_ca_file)
    databases = opened.enter_context(Databases(urls, options.database_prefix, authorities=dict([encrypted])))
    return databases, databases.order
