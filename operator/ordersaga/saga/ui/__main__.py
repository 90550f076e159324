"""`python -m ordersaga.saga.ui`: the page in a cluster, behind an authenticating proxy that passes the user's token on.

It reads no kubeconfig and no token of a ServiceAccount: it has no identity to fall back on.
"""

import argparse
import os
import ssl
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import uvicorn

from common.logs import configure_logging
from ordersaga.saga.access import Access
from ordersaga.saga.ui.app import app_of
from ordersaga.saga.ui.links import link
from ordersaga.saga.ui.proxied import HEADERS, TIMES, Proxied, Times

LONGEST_HEAD: Final = 64 * 1024
"""Bytes of a request's line and headers: four times the longest token, beside what a proxy adds."""
MOST_CONNECTIONS: Final = 1_000
"""More than streams, so that there is room for questions when all of them are taken."""
END_SECONDS: Final = 3
"""For what is being answered; a stream never ends by itself."""


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Serve it until SIGINT or SIGTERM."""
    options = parser(environ).parse_args(arguments)
    configure_logging("page", log_format=options.log_format)
    if "KUBERNETES_SERVICE_HOST" not in environ:
        sys.stderr.write("no cluster: KUBERNETES_SERVICE_HOST isn't set. On your own machine: kubectl saga ui\n")
        return 1
    tls = ssl.create_default_context(cafile=options.certificate_authority)
    access = Access(_server(environ), options.namespace, tls)
    times = Times(check=options.check)
    door = Proxied(access, header=options.token_header, links=options.link, sign_in=options.sign_in, times=times)
    uvicorn.run(
        app_of(door),
        host=options.host,
        port=options.port,
        http="h11",  # the parser whose heads have an end
        h11_max_incomplete_event_size=LONGEST_HEAD,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=END_SECONDS,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # whoever is before us, it is the token that counts
    )
    return 0


def _server(environ: Mapping[str, str]) -> str:
    host, port = environ["KUBERNETES_SERVICE_HOST"], environ.get("KUBERNETES_SERVICE_PORT", "443")
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def parser(environ: Mapping[str, str]) -> argparse.ArgumentParser:
    """Of its options."""
    made = argparse.ArgumentParser(prog="python -m ordersaga.saga.ui", description=(__doc__ or "").partition("\n")[0])
    made.add_argument("--host", default="127.0.0.1", help="where the proxy finds it (%(default)s: in the same pod)")
    made.add_argument("--port", type=int, default=8080, metavar="N", help="%(default)s")
    made.add_argument("-n", "--namespace", default=environ.get("ORDERSAGA_NAMESPACE", "shop"), metavar="NAME")
    made.add_argument(
        "--certificate-authority", type=Path, metavar="FILE", help="of the API server (by default the system's)"
    )
    made.add_argument(
        "--token-header",
        choices=HEADERS,
        default=HEADERS[0],
        help="the one header that the proxy sets to the user's token (%(default)s)",
    )
    made.add_argument(
        "--sign-in",
        default="",
        metavar="PATH",
        help="of the proxy, where one signs in again; the page's own is put behind it",
    )
    made.add_argument(
        "--check",
        type=float,
        default=TIMES.check,
        metavar="SECONDS",
        help="how long an answer of the API server about a viewer's rights counts (%(default)s)",
    )
    made.add_argument("--link", action="append", default=[], type=link, metavar="NAME=URL", help="as kubectl saga ui")
    made.add_argument("--log-format", choices=("json", "text"), default=environ.get("ORDERSAGA_LOG_FORMAT", "json"))
    return made


if __name__ == "__main__":
    sys.exit(main())
