"""The options of ./run-local.sh. Standard library only, so that --help answers before anything is installed."""

import argparse


def parser() -> argparse.ArgumentParser:
    """The parser; its texts are the manual."""
    options = argparse.ArgumentParser(
        prog="./run-local.sh",
        description="OrderSaga on this machine, without containers: a real control plane, a real MongoDB, the five "
        "services on 127.0.0.1:8000 to 8004, the operator and a live page of all orders. Shows an order that completes"
        " and an order that is rolled back, prints the page's address, then stays until Ctrl-C.",
        epilog="Everything is kept in .ordersaga/ (data, logs, kubeconfig, virtual environment) and in the cache "
        "folder (ORDERSAGA_CACHE, default ~/.cache/ordersaga). Folder and ports are settings: see docs/local-stack.md.",
    )
    options.add_argument(
        "--once",
        action="store_true",
        help="end after the demonstration; exit status 0 if the orders ended as they should",
    )
    options.add_argument("--no-demo", action="store_true", help="start and seed only")
    options.add_argument("--fresh", action="store_true", help="drop the data of earlier runs first")
    options.add_argument(
        "--demo-kill",
        action="store_true",
        help="also kill -9 the operator in the middle of an order, and show it finish",
    )
    return options
