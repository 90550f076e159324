"""The door of the page in a cluster: with whose token the list is read, for how long, and how much is kept."""

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest
import uvicorn
from starlette.requests import HTTPConnection

from dev.stack.processes import free_port
from dev.stack.pytest_plugin import TestControlPlane
from ordersaga.saga.access import Access, read_access
from ordersaga.saga.cluster import Cluster, ClusterError
from ordersaga.saga.selection import Selection
from ordersaga.saga.ui.app import app_of
from ordersaga.saga.ui.proxied import Proxied, Times
from ordersaga.saga.ui.rows import View
from tests.operator.conftest import Sagas, wait_until
from tests.operator.page.cluster_page import ApiServer
from tests.operator.page.conftest import NAMESPACE, Token
from tests.operator.page.told import PATIENCE


def test_the_list_goes_on_with_the_token_of_somebody_else_who_looks(
    control_plane: TestControlPlane, api: ApiServer, sagas: Sagas, token: Token
) -> None:
    door = Proxied(asked(api), times=Times(check=3600, watch=2))
    stays = door.viewer(bearing(token("stays", "ordersaga-viewer")))
    door.viewer(bearing(token("goes", "ordersaga-viewer")))  # the last one whose right was seen carries the watch
    door.start()
    try:
        wait_until(lambda: stays.live.is_live or None, "the list to be read", PATIENCE)
        control_plane.kubectl("delete", "rolebinding", "goes-ordersaga-viewer", "-n", NAMESPACE)
        sagas.create("o-handed-over", finalizer=False)
        found = lambda: stays.list(View(Selection(part="o-handed-over")))["total"] or None  # noqa: E731
        wait_until(found, "the other one's watch to go on", PATIENCE)
        sagas.delete("o-handed-over")
        wait_until(lambda: found() is None or None, "its end to be seen", PATIENCE)
        assert stays.liveness() == {"live": True, "since": None, "why": "", "complete": True}
        with pytest.raises(ClusterError, match="may not see"):
            Proxied(asked(api)).viewer(bearing(token("goes-again")))
    finally:
        door.stop()


def test_when_nobody_looks_nothing_is_kept(api: ApiServer, sagas: Sagas, token: Token) -> None:
    sagas.create("o-forgotten", finalizer=False)
    door = Proxied(asked(api), times=Times(looks=1.0, watch=1))
    door.start()
    try:
        seen = bearing(token("looks-once", "ordersaga-viewer"))
        viewer = door.viewer(seen)
        wait_until(lambda: viewer.live.has("o-forgotten") or None, "it to be listed", PATIENCE)
        wait_until(lambda: not viewer.live.rows() or None, "it to be forgotten", PATIENCE)
        assert len(door) == 0
        assert not viewer.live.is_live
        door.viewer(seen)
        wait_until(lambda: viewer.live.has("o-forgotten") or None, "it to be listed again", PATIENCE)
    finally:
        door.stop()


def test_of_many_viewers_a_bounded_number_is_kept(api: ApiServer, token: Token) -> None:
    door = Proxied(asked(api), most=2)
    known = [token(f"many-{number}", "ordersaga-viewer") for number in range(3)]
    for each in known:
        door.viewer(bearing(each))
    assert len(door) == 2
    for number in range(20):
        with pytest.raises(ClusterError):
            door.viewer(bearing(f"made-up-{number}"))
    assert len(door) <= 2, "who isn't known takes no room"
    assert door.viewer(bearing(known[0])), "who was put out comes in again"


def test_the_door_takes_no_authorization_of_its_own(
    control_plane: TestControlPlane, api: ApiServer, token: Token
) -> None:
    token("owns-one", "ordersaga-viewer")
    with pytest.raises(ValueError, match="no rights of its own"):
        Proxied(read_access(str(control_plane.identity("owns-one", NAMESPACE))))
    assert asked(api).authorization is None


def test_streams_are_bounded_and_a_closed_page_gives_its_place_back(api: ApiServer, token: Token) -> None:
    app = app_of(Proxied(asked(api), times=Times(watch=2)), most_streams=2)
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="critical", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    bearer = {"Authorization": f"Bearer {token('opens-many', 'ordersaga-viewer')}"}
    try:
        wait_until(lambda: server.started or None, "the page to be served", PATIENCE)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/", timeout=30, trust_env=False, headers=bearer) as client:
            with client.stream("GET", "api/events"), client.stream("GET", "api/events"):
                third = client.get("api/events")
                assert third.status_code == 503
                assert "too many pages" in third.json()["detail"]
                assert client.get("api/sagas").status_code == 200

            def again() -> bool | None:
                with client.stream("GET", "api/events") as answer:
                    return answer.status_code == 200 or None

            wait_until(again, "a place to be free", PATIENCE)
    finally:
        server.should_exit = True
        thread.join(30)


class ScopedToken(BaseHTTPRequestHandler):
    """OpenShift's answers to a token with scopes: `user:info` is about its own question, and not about Kubernetes'."""

    def do_GET(self) -> None:
        self._answer(200, {"metadata": {"name": "ann"}} if self.path.endswith("/users/~") else {})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(403, {"reason": "Forbidden", "message": "scopes [user:info] prevent this action"})

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, status: int, body: dict[str, object]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def test_who_has_a_token_with_scopes_of_openshift_is_known_by_its_own_question() -> None:
    with HTTPServer(("127.0.0.1", 0), ScopedToken) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with Cluster(Access(f"http://127.0.0.1:{server.server_port}", NAMESPACE, None, "Bearer scoped")) as cluster:
            assert cluster.user() == "ann"
        server.shutdown()


def bearing(token: str) -> HTTPConnection:
    headers = [(b"authorization", f"Bearer {token}".encode())]
    return HTTPConnection({"type": "http", "path": "/api/sagas", "headers": headers})


def asked(api: ApiServer) -> Access:
    """Without any authorization, as the container has it."""
    return Access(api.url, NAMESPACE, ssl.create_default_context(cafile=api.authority))
