"""The page in a cluster: it has no rights, and each viewer sees and does what their own token allows."""

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from dev.stack.pytest_plugin import TestControlPlane
from tests.operator.conftest import Sagas, wait_until
from tests.operator.page.cluster_page import OWN, ApiServer, ClusterPage, cluster_page
from tests.operator.page.conftest import NAMESPACE, Token
from tests.operator.page.told import PATIENCE, Events


@pytest.fixture(scope="module")
def page(
    control_plane: TestControlPlane, api: ApiServer, token: Token, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ClusterPage]:
    log = tmp_path_factory.mktemp("page") / "page.log"
    # An administrator's kubeconfig lies about, and it must be left there.
    with cluster_page(api, NAMESPACE, log, "--check", "1", KUBECONFIG=str(control_plane.kubeconfig)) as served:
        yield served


@pytest.fixture(scope="module")
def viewer(page: ClusterPage, token: Token) -> Iterator[httpx.Client]:
    with page.client(token("views", "ordersaga-viewer")) as client:
        yield client


@pytest.fixture(scope="module")
def editor(page: ClusterPage, token: Token) -> Iterator[httpx.Client]:
    with page.client(token("edits", "ordersaga-viewer ordersaga-editor"), **OWN) as client:
        yield client


def lists(client: httpx.Client, name: str) -> None:
    wait_until(lambda: client.get("api/sagas", params={"q": name}).json()["total"] or None, f"{name} listed", PATIENCE)


def test_each_sees_what_their_own_token_allows(
    page: ClusterPage, sagas: Sagas, viewer: httpx.Client, token: Token
) -> None:
    sagas.create("o-seen", finalizer=False)
    lists(viewer, "o-seen")
    assert viewer.get("api/context").json()["user"] == f"system:serviceaccount:{NAMESPACE}:views"
    assert viewer.get("api/sagas/o-seen").json()["item"]["metadata"]["name"] == "o-seen"
    assert viewer.get("").status_code == 200
    with page.client(token("sees-nothing"), **OWN) as stranger:
        acting = {"action": "cancel", "filter": {"q": "o-"}, "dry_run": True}
        for answer in (
            *(stranger.get(f"api/{path}") for path in ("context", "sagas", "sagas/o-seen", "events")),
            stranger.post("api/actions", json=acting),
        ):
            assert answer.status_code == 403, answer.url
            says = answer.json()["detail"]
            assert f"you may not see the orders of namespace {NAMESPACE}" in says
            assert "sees-nothing" in says
            assert "o-seen" not in answer.text


def test_without_a_token_nothing_is_asked_whatever_identity_lies_about(page: ClusterPage) -> None:
    for headers in (
        {},
        {"Authorization": "Basic YWRtaW46YWRtaW4="},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer a b"},
    ):
        with page.client(**headers) as client:
            for path in ("context", "sagas", "sagas/o-seen", "events"):
                answer = client.get(f"api/{path}")
                assert answer.status_code == 401
                assert answer.json()["sign_in"] == "/oauth2/start?rd="
                assert answer.headers["WWW-Authenticate"] == "Bearer"
    with page.client("made-up") as client:
        assert client.get("api/sagas").status_code == 401
        assert "sign-in" in client.get("api/sagas").json()["detail"]


def test_a_forged_header_is_as_good_as_its_token(page: ClusterPage, viewer: httpx.Client) -> None:
    bearer = viewer.headers["Authorization"].removeprefix("Bearer ")
    forged = {
        "X-Forwarded-User": "admin",
        "X-Forwarded-Email": "admin@example.com",
        "X-Forwarded-Access-Token": "made-up",
        "Impersonate-User": "admin",
        "Impersonate-Group": "system:masters",
        "X-Remote-User": "admin",
        "X-Remote-Group": "system:masters",
    }
    with page.client(bearer, **forged) as client:
        seen = client.get("api/context").json()
        assert seen["user"] == f"system:serviceaccount:{NAMESPACE}:views"
        assert seen["may"] == {"patch": False}
    with page.client(**forged) as client:
        assert client.get("api/context").status_code == 401
    with page.client(bearer, "made-up") as client:
        assert client.get("api/context").status_code == 400, "one that a client sends beside the proxy's"


def test_an_action_is_done_under_the_viewer_s_own_name_and_by_those_who_may(
    sagas: Sagas, viewer: httpx.Client, editor: httpx.Client
) -> None:
    sagas.create("o-steered", finalizer=False)
    wanted = {"action": "suspend", "orders": ["o-steered"]}
    (refused,) = viewer.post("api/actions", json=wanted, headers=OWN).json()["results"]
    assert not refused["ok"]
    assert "cannot patch" in refused["says"]
    assert viewer.get("api/sagas/o-steered").json()["actions"] == []
    (done,) = editor.post("api/actions", json=wanted).json()["results"]
    assert done["ok"], done
    assert sagas.get("o-steered")["spec"]["requestedBy"] == f"system:serviceaccount:{NAMESPACE}:edits"


def test_what_another_site_makes_a_browser_send_is_refused(page: ClusterPage, editor: httpx.Client) -> None:
    bearer = editor.headers["Authorization"].removeprefix("Bearer ")
    wanted = {"action": "suspend", "orders": ["o-none"], "dry_run": True}
    host = urlsplit(page.url).netloc
    with page.client(bearer) as proxied:
        for headers in (
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Sec-Fetch-Site": "cross-site", "Origin": f"https://{host}"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {},
        ):
            answer = proxied.post("api/actions", json=wanted, headers=headers)
            assert answer.status_code == 403, headers
            assert "another site" in answer.json()["detail"]
        assert proxied.get("api/sagas", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
        assert proxied.get("", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200, "a link to the page"
        for own in ({"Origin": f"https://{host}"}, OWN):
            assert proxied.post("api/actions", json=wanted, headers=own).status_code == 200, own
        form = {**OWN, "Content-Type": "text/plain"}
        assert proxied.post("api/actions", content='{"action": "cancel"}', headers=form).status_code == 415


def test_a_stream_ends_when_the_right_or_the_token_does(
    control_plane: TestControlPlane, page: ClusterPage, sagas: Sagas, viewer: httpx.Client, token: Token
) -> None:
    with (
        page.client(token("loses-right", "ordersaga-viewer")) as right,
        page.client(token("loses-token", "ordersaga-viewer")) as known,
    ):
        of_right, of_token = Events(right, q="o-lost-"), Events(known, q="o-lost-")
        of_right.until("list", lambda told: told["live"])
        of_token.until("list", lambda told: told["live"])
        control_plane.kubectl("delete", "rolebinding", "loses-right-ordersaga-viewer", "-n", NAMESPACE)
        control_plane.kubectl("delete", "serviceaccount", "loses-token", "-n", NAMESPACE)
        over = of_right.until("over", lambda told: told)
        assert over["status"] == 403
        assert "you may not see" in over["why"]
        over = of_token.until("over", lambda told: told)
        assert over["status"] == 401
        assert "sign-in" in over["why"]
        assert known.get("api/sagas").status_code == 401
    sagas.create("o-lost-1", finalizer=False)
    lists(viewer, "o-lost-1")


def test_sizes_have_an_end(page: ClusterPage, viewer: httpx.Client, editor: httpx.Client) -> None:
    with page.client("x" * 20_000) as client:
        assert client.get("api/context").status_code == 401
    address = urlsplit(page.url)
    for head in (b"Authorization: Bearer " + b"x" * 200_000, b"X-Many: 1\r\n" * 20_000):
        with socket.create_connection((address.hostname or "", address.port or 0), timeout=30) as raw:
            raw.settimeout(30)
            try:
                raw.sendall(b"GET /api/context HTTP/1.1\r\nHost: page\r\n" + head + b"\r\n\r\n")
                answer = raw.recv(64)
            except ConnectionError:  # it didn't even read to the end
                continue
            assert answer.startswith(b"HTTP/1.1 4"), answer
    large = editor.post("api/actions", content=b" " * 600_000, headers={"Content-Type": "application/json"})
    assert large.status_code == 413
    endless = editor.post("api/actions", content=iter([b"{}"]), headers={"Content-Type": "application/json"})
    assert endless.status_code == 411
    assert viewer.get("api/context").status_code == 200


def test_no_token_is_in_the_log(page: ClusterPage, viewer: httpx.Client, editor: httpx.Client) -> None:
    for client in (viewer, editor):
        assert client.get("api/context").status_code == 200
    with page.client("made-up-and-kept-out") as client:
        client.get("api/context")
    log = page.log.read_text()
    for client in (viewer, editor):
        assert client.headers["Authorization"].removeprefix("Bearer ") not in log
    assert "made-up" not in log
