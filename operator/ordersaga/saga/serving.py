"""`kubectl saga ui`: the page, served to this machine alone with the viewer's own kubeconfig."""

import argparse
import contextlib
import os
import re
import secrets
import socket
import webbrowser
from pathlib import Path
from typing import Final

from ordersaga.saga.cluster import Cluster, ClusterError
from ordersaga.saga.output import Output

LOCAL: Final = "127.0.0.1"
END_SECONDS: Final = 1
"""For what is being answered when it is ended: the stream of an open page never ends by itself."""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command."""
    says = "the same as a live page in your browser, with your own rights"
    parser = commands.add_parser("ui", help=says, description=f"Serves {says}; until Ctrl-C.")
    parser.add_argument("--port", type=int, default=0, metavar="N", help="of 127.0.0.1 (any that is free)")
    parser.add_argument("--no-browser", action="store_true", help="print the address, and open nothing")
    parser.add_argument(
        "--secret-file",
        type=Path,
        metavar="FILE",
        help="keeps the address's secret, so that the address stays the same the next time; made if it isn't there",
    )
    parser.add_argument("--anyway", action="store_true", help="also while the API server doesn't answer")
    parser.add_argument("--host", default=LOCAL, help=argparse.SUPPRESS)  # a container's own, published as 127.0.0.1
    parser.add_argument(
        "--link",
        action="append",
        default=[],
        metavar="NAME=URL",
        help="to logs or traces of an order; {order}, {correlation} and {trace} stand for its ids",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, cluster: Cluster, output: Output) -> int:
    """Serve it until SIGINT or SIGTERM."""
    import uvicorn  # noqa: PLC0415 - half a second, which the other commands don't need

    from ordersaga.saga.ui.app import app_of  # noqa: PLC0415
    from ordersaga.saga.ui.doors import Own  # noqa: PLC0415
    from ordersaga.saga.ui.links import link  # noqa: PLC0415

    try:
        cluster.get(cluster.sagas(), {"limit": "1"})  # whoever may see nothing learns it here, not from an empty page
    except ClusterError as error:
        if error.status or not options.anyway:
            raise
    links = [link(text) for text in options.link]
    secret = secrets.token_urlsafe(24) if options.secret_file is None else _kept(options.secret_file)
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((options.host, options.port))
        listening.listen()  # whoever opens the address at once waits until it is served, and isn't refused
        url = f"http://{LOCAL}:{listening.getsockname()[1]}/{secret}/"
        # What a program's output goes to is often a log, which others may read.
        output.say(url if options.secret_file is None else f"{url.replace(secret, '…')} (see {options.secret_file})")
        output.warn("whoever has this address sees and does what you may; Ctrl-C ends it")
        if not options.no_browser and output.is_person:
            webbrowser.open(url)
        app = app_of(Own(cluster.access, secret, links))
        config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=END_SECONDS)
        uvicorn.Server(config).run(sockets=[listening])
    return 0


def _kept(file: Path) -> str:
    """The secret of an earlier run, or a new one, which only this user can read."""
    with (
        contextlib.suppress(FileExistsError),
        os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new,
    ):
        new.write(secrets.token_urlsafe(24))
    found = file.read_text("ascii").strip()
    if not re.fullmatch(r"[A-Za-z0-9_-]{32,}", found):
        raise ValueError(f"{file} has no secret of ours: remove it, and a new one is made")
    return found
