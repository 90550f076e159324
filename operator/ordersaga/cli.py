"""The command line: `ordersaga audit`, `conformance`, `drain` and `smoke`."""

import argparse
import sys
from collections.abc import Sequence

from ordersaga import drain, smoke
from ordersaga.audit import command as audit
from ordersaga.conformance import command as conformance
from ordersaga.settings import Settings
from ordersaga.terminal import printable_only

EPILOG = """\
example: check the records of all orders in the local stack

  export KUBECONFIG=.ordersaga/kubeconfig ORDERSAGA_MONGODB_URL='mongodb://127.0.0.1:17017/?directConnection=true'
  ordersaga audit

`ordersaga COMMAND --help` shows the options of a command, an example and what its exit status means."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    parser = argparse.ArgumentParser(
        prog="ordersaga",
        description="Checks an installation of OrderSaga, and the participants of its sagas.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    settings = Settings()
    for command in (audit, conformance, drain, smoke):
        command.add_to(commands, settings)
    options = parser.parse_args(arguments)
    with printable_only(sys.stdout, sys.stderr):
        status: int = options.run(options)
    return status
