"""The order service and the operator, where the API server doesn't know what is asked: the archive, and figures."""

import contextlib
import http.client
import json
import os
import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from common.order_saga import API_VERSION, KIND
from common.tracing.context import ANNOTATION as TRACEPARENT
from ordersaga.saga.cluster import Cluster, ClusterError

ORDERS, ORDERS_PORT, AUDIENCE = "order-service", 8000, "order.ordersaga.io"
ACCOUNT: Final = "ordersaga-staff"
SECONDS: Final = 15.0
TOKEN_SECONDS: Final = 600
"""The shortest that an API server gives a token for."""
FORWARDED: Final = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


class ServiceError(Exception):
    """A service can't be asked; the message says what to do."""


class Orders:
    """The order service, as staff."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._headers = urlsplit(url), {"Authorization": f"Bearer {token}", "Accept": "application/json"}

    def get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        """What it answers.

        Raises:
            ServiceError: it refused, or didn't answer.
        """
        where = path + (f"?{urlencode(params)}" if params else "")
        connection = _connection(self._url.scheme, self._url.hostname or "", self._url.port)
        try:
            connection.request("GET", where, headers=self._headers)
            answer = connection.getresponse()
            found: dict[str, Any] = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ServiceError(f"the order service at {self._url.geturl()} doesn't answer: {error}") from error
        finally:
            connection.close()
        if answer.status != 200:
            raise ServiceError(str(found.get("detail") or f"the order service answered {answer.status}"))
        return found


def story(archived: Mapping[str, Any]) -> dict[str, Any]:
    """An archived saga in the form of its resource."""
    metadata = {"name": archived["order_id"], "namespace": archived["namespace"], "uid": archived["uid"]}
    if traceparent := archived.get("traceparent"):
        metadata["annotations"] = {TRACEPARENT: traceparent}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {**metadata, "creationTimestamp": archived["created_at"]},
        "spec": archived["spec"],
        "status": archived["status"],
    }


@contextlib.contextmanager
def orders(cluster: Cluster, url: str = "", account: str = ACCOUNT) -> Iterator[Orders]:
    """The order service at `url`, at $ORDERSAGA_ORDER_URL, or in the cluster, through a forwarded port.

    The token is one of $ORDERSAGA_TOKENS (a folder), else the API server is asked for one of that ServiceAccount, for
    which the viewer needs the right to create one.

    Raises:
        ServiceError, ClusterError.
    """
    url = url or os.environ.get("ORDERSAGA_ORDER_URL", "")
    token = _token(cluster, account)
    if url:
        yield Orders(url, token)
        return
    with _forwarded(cluster) as port:
        yield Orders(f"http://127.0.0.1:{port}", token)


def _token(cluster: Cluster, account: str) -> str:
    if folder := os.environ.get("ORDERSAGA_TOKENS"):
        return (Path(folder) / "order").read_text("ascii").strip()
    spec = {"audiences": [AUDIENCE], "expirationSeconds": TOKEN_SECONDS}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    path = f"/api/v1/namespaces/{cluster.access.namespace}/serviceaccounts/{account}/token"
    try:
        return str(cluster.post(path, body)["status"]["token"])
    except ClusterError as error:
        if error.status != 403:
            raise
        raise ServiceError(
            f"the archive is for staff: you need the right to create tokens of ServiceAccount {account}, or a folder "
            f"with its tokens (ORDERSAGA_TOKENS): {error}"
        ) from error


@contextlib.contextmanager
def _forwarded(cluster: Cluster) -> Iterator[int]:
    """A port of this machine that leads to the order service; kubectl holds it open."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        raise ServiceError(
            "there is no kubectl in PATH to reach the order service by: name its URL in ORDERSAGA_ORDER_URL"
        )
    command = [kubectl, *cluster.access.options, "port-forward", f"service/{ORDERS}", f":{ORDERS_PORT}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            assert process.stdout is not None  # noqa: S101 - as asked for
            found = FORWARDED.search(process.stdout.readline())
            if found is None:
                process.terminate()
                said = process.stderr.read().strip() if process.stderr is not None else ""
                what = f"service/{ORDERS} in namespace {cluster.access.namespace} can't be reached"
                raise ServiceError(f"{what} ({said}): name its URL in ORDERSAGA_ORDER_URL")
            yield int(found[1])
        finally:
            process.terminate()


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme != "https":
        return http.client.HTTPConnection(host, port, timeout=SECONDS)
    trust = ssl.create_default_context(cafile=os.environ.get("ORDERSAGA_CA_FILE") or None)
    return http.client.HTTPSConnection(host, port, timeout=SECONDS, context=trust)
