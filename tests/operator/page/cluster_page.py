"""The page as it runs in a cluster: its process, and people whom a proxy would have signed in."""

import base64
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from dev.stack.processes import free_port
from tests.operator.conftest import wait_until
from tests.operator.page.told import PATIENCE

OWN = {"Sec-Fetch-Site": "same-origin"}
"""What a browser says of what the page itself asks."""


@dataclass(frozen=True, slots=True)
class ApiServer:
    """Where it is, and the authority of its certificate."""

    url: str
    authority: Path

    @classmethod
    def of(cls, kubeconfig: Path, folder: Path) -> "ApiServer":
        cluster = json.loads(kubeconfig.read_text())["clusters"][0]["cluster"]
        authority = folder / "ca.crt"
        authority.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
        return cls(cluster["server"], authority)


class ClusterPage:
    """`python -m ordersaga.saga.ui`, as a container of the chart runs it."""

    def __init__(self, url: str, log: Path) -> None:
        self.url, self.log = url, log

    def client(self, *tokens: str, **headers: str) -> httpx.Client:
        """As the proxy asks for somebody with this token."""
        given = [("Authorization", f"Bearer {token}") for token in tokens]
        return httpx.Client(base_url=self.url, timeout=30, trust_env=False, headers=[*given, *headers.items()])


@contextlib.contextmanager
def cluster_page(api: ApiServer, namespace: str, log: Path, *arguments: str, **environ: str) -> Iterator[ClusterPage]:
    address, port = urlsplit(api.url), free_port()
    given = {
        **os.environ,
        "KUBERNETES_SERVICE_HOST": address.hostname or "",
        "KUBERNETES_SERVICE_PORT": str(address.port),
        "ORDERSAGA_NAMESPACE": namespace,
        **environ,
    }
    command = [sys.executable, "-m", "ordersaga.saga.ui", "--port", str(port), "--sign-in", "/oauth2/start?rd="]
    words = [*command, "--certificate-authority", str(api.authority), *arguments]
    with log.open("ab") as output, subprocess.Popen(words, env=given, stdout=output, stderr=output) as process:
        try:
            page = ClusterPage(f"http://127.0.0.1:{port}/", log)
            with page.client() as client:
                wait_until(lambda: process.poll() is not None or _is_healthy(client), "the page", PATIENCE)
                assert process.poll() is None, log.read_text()
            yield page
        finally:
            process.terminate()


def _is_healthy(client: httpx.Client) -> bool | None:
    try:
        return client.get("healthz").text == "ok" or None
    except httpx.TransportError:
        return None
