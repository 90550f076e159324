"""`python -m dev.compose COMMAND`: what the one-shot containers of docker-compose.yml run."""

import argparse
import asyncio
import os
import sys
import time
from pathlib import Path

from common.kube import KubeError
from dev.setup.errors import StackError

# ruff: noqa: PLC0415 - each command needs other packages, and its container starts at every `up`.


def certificates() -> None:
    """Keys and certificates of the control plane."""
    from dev.compose.keys import write_keys

    write_keys()


def database() -> None:
    """The database's replica set."""
    from dev.compose.database import prepare_database

    prepare_database()


def cluster() -> None:
    """Resource definition, Roles, and the tokens of all who call."""
    from dev.compose.cluster import prepare_cluster

    asyncio.run(prepare_cluster())


def kubeconfig() -> None:
    """Print a kubeconfig for this machine."""
    from dev.compose.keys import administrators_kubeconfig

    print(administrators_kubeconfig(os.environ["ORDERSAGA_COMPOSE_APISERVER_URL"]))


def demo() -> None:
    """Place one order that completes and one that is compensated."""
    from common.services import SERVICES
    from dev.stack.demo.demonstration import Demo
    from dev.stack.demo.shop import Shop

    urls = {name: os.environ[f"ORDERSAGA_{name.upper()}_URL"] for name in SERVICES}
    with Shop(urls, Path(os.environ["ORDERSAGA_TOKENS"])) as shop:
        shop.seed()
        show = Demo(shop, lambda: None, time.time())
        if not [show.completes(), show.compensates()] == [True, True]:
            raise StackError("an order did not end as it should: see above, and `docker-compose logs operator`")


COMMANDS = (certificates, database, cluster, kubeconfig, demo)


def main() -> int:
    """Run one of the commands; exit status 1 with one sentence on stderr if it fails."""
    parser = argparse.ArgumentParser(prog="python -m dev.compose")
    commands = parser.add_subparsers(dest="command", required=True)
    for command in COMMANDS:
        commands.add_parser(command.__name__, help=command.__doc__)
    chosen = parser.parse_args().command
    try:
        next(command for command in COMMANDS if command.__name__ == chosen)()
    except (StackError, KubeError, OSError) as error:
        print(f"{chosen}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
