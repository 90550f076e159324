"""The command line: `ordersaga audit`, `ordersaga conformance`."""

import argparse
from collections.abc import Sequence

from ordersaga.audit import command as audit
from ordersaga.conformance import command as conformance
from ordersaga.settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    parser = argparse.ArgumentParser(prog="ordersaga", description="Tools around order sagas on Kubernetes.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    settings = Settings()
    audit.add_to(commands, settings)
    conformance.add_to(commands, settings)
    options = parser.parse_args(arguments)
    status: int = options.run(options)
    return status
