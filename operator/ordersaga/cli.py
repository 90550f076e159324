"""The command line: `ordersaga audit`, `conformance`, `drain`, `smoke`, and `saga`, which is `kubectl saga`. `trace` is
one of that, and has a short cut.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from ordersaga.saga import command as saga

EPILOG = """\
example: check the records of all orders in the local stack

  export KUBECONFIG=.ordersaga/kubeconfig ORDERSAGA_MONGODB_URL='mongodb://127.0.0.1:17017/?directConnection=true'
  ordersaga audit

`ordersaga COMMAND --help` shows the options of a command, an example and what its exit status means."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["saga"]:
        return saga.main(given[1:])
    if given[:1] == ["trace"]:
        return saga.main(given)
    return _checked(given)


def _checked(arguments: Sequence[str]) -> int:
    """The commands that check an installation. Their libraries take a second, which `saga` doesn't wait."""
    # ruff: noqa: PLC0415
    from common.variables import UnknownVariable, refuse_unknown
    from ordersaga import drain, smoke
    from ordersaga.audit import command as audit
    from ordersaga.conformance import command as conformance
    from ordersaga.settings import Settings
    from ordersaga.terminal import printable_only

    parser = argparse.ArgumentParser(
        prog="ordersaga",
        description="Sees and steers orders; checks an installation of OrderSaga and the participants of its sagas.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    commands.add_parser("saga", help="see and steer orders: the same as `kubectl saga`")
    commands.add_parser("trace", help="the trace of one order: the same as `kubectl saga trace`")
    try:
        refuse_unknown(os.environ)
        settings = Settings()
    except UnknownVariable as error:
        parser.error(str(error))
    for command in (audit, conformance, drain, smoke):
        command.add_to(commands, settings)
    options = parser.parse_args(arguments)
    with printable_only(sys.stdout, sys.stderr):
        status: int = options.run(options)
    return status
