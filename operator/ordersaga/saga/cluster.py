"""The API server, asked as a person asks it: one call after the other, with that person's rights."""

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import urlencode, urlsplit

from common.order_saga import GROUP, PLURAL, VERSION
from common.text import seconds
from ordersaga.saga.access import Access

Json = dict[str, Any]

SECONDS: Final = 30.0
"""For an answer to begin: a list of the largest installation takes a few."""
NOTED_SECONDS: Final = 3.0
"""Without an answer, after which a person who looks on is told what is waited for."""
WATCH_SECONDS: Final = 300
"""For a watch, which the API server then ends, so that one that was lost in silence is begun again."""
SILENT_SECONDS: Final = 150.0
"""Without a word, after which a watch counts as lost: bookmarks come every minute."""
PAGE: Final = 500
"""Resources in one answer, as kubectl's own --chunk-size."""
BUSY_TIMES, BUSY_SECONDS = 5, 5.0
"""How often an API server is asked again that says it is busy (429), and the longest pause: it did nothing yet."""
MERGE: Final = "application/merge-patch+json"


class ClusterError(Exception):
    """The API server refused a call or didn't answer; the message says which, and what to do.

    `status` is the HTTP status (0: no answer), `reason` the API server's word for it.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason


@dataclass(frozen=True, slots=True)
class Change:
    """One event of a watch: ADDED, MODIFIED, DELETED or BOOKMARK, and the object."""

    type: str
    item: Json


class Cluster:
    """One connection, made when it is first used. Use as a context manager."""

    def __init__(self, access: Access, seconds: float = SECONDS, on_silence: Callable[[], None] | None = None) -> None:
        """`seconds`: for an answer to begin; `on_silence`: called, in a thread, when one takes `NOTED_SECONDS`."""
        self.access, self._seconds, self._on_silence = access, seconds, on_silence
        self.date = ""
        """When the API server wrote its last answer, as it says (HTTP's header Date)."""
        self._connection: http.client.HTTPConnection | None = None

    def sagas(self, name: str = "", namespace: str | None = None, *, everywhere: bool = False) -> str:
        """The path of the namespace's OrderSagas, or of one of them; or of those of all namespaces."""
        if everywhere:
            return f"/apis/{GROUP}/{VERSION}/{PLURAL}"
        path = f"/apis/{GROUP}/{VERSION}/namespaces/{namespace or self.access.namespace}/{PLURAL}"
        return f"{path}/{name}" if name else path

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Json:
        """One object.

        Raises:
            ClusterError: see there; the same goes for all methods.
        """
        return self._asked("GET", path, params)

    def text(self, path: str, params: Mapping[str, str] | None = None) -> str:
        """What isn't JSON: a log, or figures."""
        return self._content("GET", path, params).decode("utf-8", "replace")

    def post(self, path: str, body: Json, *, dry_run: bool = False) -> Json:
        """Create; what was created. Unknown fields are refused. `dry_run`: it is judged, and nothing is kept."""
        return self._asked("POST", path, _writing(dry_run=dry_run), body)

    def patch(self, path: str, body: Json, *, dry_run: bool = False) -> Json:
        """JSON merge patch; the object afterwards. `dry_run`: the API server judges it, and keeps nothing."""
        return self._asked("PATCH", path, _writing(dry_run=dry_run), body, MERGE)

    def user(self) -> str:
        """Who asks, as the API server knows them: nobody can choose that name (SelfSubjectReview).

        A token of OpenShift with scopes (`user:info`) may not ask that; there it has a question of its own.
        """
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        try:
            found = self.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", body)
        except ClusterError as error:
            if error.status != 403:
                raise
            try:
                return str(self.get("/apis/user.openshift.io/v1/users/~")["metadata"]["name"])
            except ClusterError:
                raise error from None
        return str(found["status"]["userInfo"].get("username", ""))

    def may(self, verb: str) -> bool:
        """Whether they may do that to the namespace's OrderSagas (SelfSubjectAccessReview)."""
        about = {"namespace": self.access.namespace, "verb": verb, "group": GROUP, "resource": PLURAL}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": about},
        }
        found = self.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body)
        return bool(found["status"].get("allowed"))

    def pages(self, path: str, params: Mapping[str, str] | None = None) -> Iterator[Json]:
        """A list, page by page: each has `items` and `metadata`."""
        token = ""
        while True:
            page = self.get(path, {**(params or {}), "limit": str(PAGE)} | ({"continue": token} if token else {}))
            yield page
            token = page["metadata"].get("continue", "")
            if not token:
                return

    def watch(
        self,
        path: str,
        params: Mapping[str, str],
        on_open: Callable[[], None] = lambda: None,
        seconds: int = WATCH_SECONDS,
    ) -> Iterator[Change]:
        """What happens from `params["resourceVersion"]` on, until the API server ends it after `seconds` or it is lost.

        `on_open` is called once it goes on. Raises ClusterError with status 410 if that version is too old: list again.
        """
        bounds = {"timeoutSeconds": str(seconds), "watch": "true", "allowWatchBookmarks": "true"}
        answer = self._send("GET", path, {**params, **bounds})
        if self._connection is not None and self._connection.sock is not None:
            self._connection.sock.settimeout(SILENT_SECONDS)
        try:
            if answer.status != 200:
                raise _error("GET", path, answer.status, answer.read())
            on_open()
            while line := answer.readline():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    found = event["object"]
                    raise ClusterError(found.get("code", 0), found.get("reason", ""), found.get("message", ""))
                yield Change(event["type"], event["object"])
        except (OSError, http.client.HTTPException):
            return  # lost: whoever watches begins again
        finally:
            self.close()  # half an answer may be left on it

    def cut(self) -> None:
        """End a watch that waits in another thread, as if it were lost."""
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)  # TLS has no say: nobody would answer it

    def close(self) -> None:
        """Close the connection; another one is made if need be."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _asked(
        self, method: str, path: str, params: Mapping[str, str] | None, body: Json | None = None, kind: str = ""
    ) -> Json:
        try:
            found: Json = json.loads(self._content(method, path, params, body, kind))
        except ValueError as error:
            raise ClusterError(0, "NoAnswer", f"what answers at {self.access.server} is no API server") from error
        return found

    def _content(
        self, method: str, path: str, params: Mapping[str, str] | None, body: Json | None = None, kind: str = ""
    ) -> bytes:
        answer = self._send(method, path, params, body, kind)
        for _ in range(BUSY_TIMES):
            if answer.status != 429:
                break
            answer.read()
            time.sleep(min(seconds(answer.headers.get("Retry-After")) or 1.0, BUSY_SECONDS))
            answer = self._send(method, path, params, body, kind)
        try:
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise ClusterError(0, "NoAnswer", f"{self.access.server} broke its answer off: {error}") from error
        if not 200 <= answer.status < 300:
            raise _error(method, path, answer.status, content)
        return content

    def _send(
        self, method: str, path: str, params: Mapping[str, str] | None, body: Json | None = None, kind: str = ""
    ) -> http.client.HTTPResponse:
        headers = {"Accept": "application/json", "User-Agent": "kubectl-saga"}
        if self.access.authorization:
            headers["Authorization"] = self.access.authorization
        content = None if body is None else json.dumps(body)
        if content is not None:
            headers["Content-Type"] = kind or "application/json"
        url = urlsplit(self.access.server).path + path + (f"?{urlencode(params)}" if params else "")
        # A connection that was idle may be closed: a read is sent again, on a new one.
        for may_repeat in (self._connection is not None and method == "GET", False):
            try:
                with self._noted():
                    connection = self._connected()
                    connection.request(method, url, content, headers)
                    answer = connection.getresponse()
                self.date = answer.headers.get("Date", "")
                return answer
            except (OSError, http.client.HTTPException) as error:
                what = self._silence(error)
                self.close()
                if not may_repeat or isinstance(error, TimeoutError):  # which wouldn't be another one's answer either
                    raise ClusterError(0, "NoAnswer", what) from error
        raise AssertionError("the second time it is answered or raised")

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        if self._on_silence is None:
            yield
            return
        timer = threading.Timer(NOTED_SECONDS, self._on_silence)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _silence(self, error: Exception) -> str:
        """What is the matter with a server from which no answer has come."""
        server, connection = self.access.server, self._connection
        right = "is it the right cluster (--context)?"
        match error:
            case TimeoutError() if connection is not None and connection.sock is not None:
                waited = f"has accepted the connection, but doesn't answer ({self._seconds:g} s)"
                return f"{server} {waited}: the API server hangs or has too much to do"
            case TimeoutError():
                what = f"doesn't answer (no connection in {self._seconds:g} s)"
                return f"{server} {what}: is a VPN needed, or another cluster (--context)?"
            case ConnectionRefusedError():
                return f"{server} doesn't answer (nothing listens there): does the API server run, and {right}"
            case socket.gaierror():
                return f"{server} doesn't answer (there is no such host: {error}): {right}"
        return f"{server} doesn't answer ({error}): {right}"

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            self._connection = _connection(self.access, self._seconds)
        return self._connection


def _writing(*, dry_run: bool) -> dict[str, str]:
    params = {"fieldValidation": "Strict", "fieldManager": "kubectl-saga"}
    return params | ({"dryRun": "All"} if dry_run else {})


class _Verified(http.client.HTTPSConnection):
    """Verifies the name that the kubeconfig gives (`tls-server-name`) instead of the host's."""

    def __init__(self, host: str, port: int | None, context: Any, name: str, seconds: float) -> None:
        super().__init__(host, port, context=context, timeout=seconds)
        self._tls, self._name = context, name

    def connect(self) -> None:
        """Connect, and shake hands under that name."""
        http.client.HTTPConnection.connect(self)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._name)


def _connection(access: Access, seconds: float) -> http.client.HTTPConnection:
    url = urlsplit(access.server)
    host, port = url.hostname or "", url.port
    at, through = (
        (access.proxy.rpartition(":")[0], int(access.proxy.rpartition(":")[2])) if access.proxy else (host, port)
    )
    connection: http.client.HTTPConnection
    if access.tls is None:
        connection = http.client.HTTPConnection(at, through, timeout=seconds)
    elif access.tls_server_name:
        connection = _Verified(at, through, access.tls, access.tls_server_name, seconds)
    else:
        connection = http.client.HTTPSConnection(at, through, timeout=seconds, context=access.tls)
    if access.proxy:
        connection.set_tunnel(host, port or 443)
    return connection


def _error(method: str, path: str, status: int, content: bytes) -> ClusterError:
    try:
        found = json.loads(content)
        reason, message = str(found.get("reason") or ""), str(found.get("message") or "")
    except (ValueError, AttributeError):
        reason, message = "", ""
    if status == 401:
        message = "the API server doesn't know you (401): log in again, or choose another user (--context)"
    elif status == 404 and not reason:
        message = "this cluster doesn't know OrderSagas: install them (docs/install.md), or choose another --context"
    return ClusterError(status, reason, message or f"{method} {path}: answered with {status}")
