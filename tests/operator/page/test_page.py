"""The page's server: live, with the viewer's own rights, and closed to everybody else."""

import contextlib
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from kubernetes import client

from dev.stack.parts.control_plane import ControlPlane
from dev.stack.processes import wait_ready
from ordersaga.saga.access import read_access
from ordersaga.saga.operator_lease import LEASE
from ordersaga.saga.ui.live import Live
from ordersaga.saga.ui.viewer import Viewer
from tests.operator.conftest import Sagas, wait_until
from tests.operator.page.told import PATIENCE, Events
from tests.support import asking
from tests.support.samples import ended

pytestmark = pytest.mark.slow

PROGRAM = Path(sys.executable).parent / "kubectl-saga"
NAMESPACE = "seen"


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """An API server of its own, which is killed."""
    plane = ControlPlane(tmp_path_factory.mktemp("plane"))
    with plane.running(NAMESPACE):
        yield plane


@pytest.fixture(scope="module")
def shown(plane: ControlPlane) -> Sagas:
    return Sagas(plane.administrator.kubeconfig, NAMESPACE)


@contextlib.contextmanager
def served(kubeconfig: Path) -> Iterator[httpx.Client]:
    command = [PROGRAM, "ui", "--no-browser", "--kubeconfig", str(kubeconfig), "-n", NAMESPACE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
                client.get("api/sagas")  # whoever opens the address as soon as it is printed isn't refused
                wait_until(lambda: client.get("api/sagas").json()["live"] or None, "the page to be live", PATIENCE)
                yield client
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def page(plane: ControlPlane) -> Iterator[httpx.Client]:
    with served(plane.administrator.kubeconfig) as client:
        yield client


@contextlib.contextmanager
def an_operator(shown: Sagas) -> Iterator[None]:
    """One that holds the Lease, as far as anybody can see."""
    leases = client.CoordinationV1Api(shown.api.api_client)
    spec = {
        "holderIdentity": "one",
        "leaseDurationSeconds": 3600,
        "renewTime": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
    }
    leases.create_namespaced_lease(NAMESPACE, {"metadata": {"name": LEASE}, "spec": spec})
    try:
        yield
    finally:
        leases.delete_namespaced_lease(LEASE, NAMESPACE)


def names(answer: dict[str, Any]) -> list[str]:
    return [row["name"] for row in answer["items"]]


def test_what_happens_is_told_without_being_asked(page: httpx.Client, shown: Sagas) -> None:
    events = Events(page, q="o-live-", finished="1", saga="o-live-1")
    shown.create("o-live-1", finalizer=False)
    events.until("list", lambda told: names(told) == ["o-live-1"])
    assert events.until("saga", lambda told: told)["row"]["phase"] == "Pending"
    shown.patch_status("o-live-1", **ended("Completed"))
    events.until("list", lambda told: told["totals"] == {"Completed": 1})
    events.until("saga", lambda told: told and told["sentence"]["state"].startswith("Completed"))
    shown.delete("o-live-1")
    events.until("list", lambda told: told["total"] == 0)
    events.until("saga", lambda told: told is None)
    events.close()


def test_a_filter_is_applied_by_the_server_and_the_list_is_cut_there(page: httpx.Client, shown: Sagas) -> None:
    for number in range(5):
        shown.create(f"o-cut-{number}", finalizer=False, customerID=f"c-cut-{number % 2}")
    answer = lambda **wanted: page.get("api/sagas", params={"q": "o-cut-", **wanted}).json()  # noqa: E731
    wait_until(lambda: answer()["total"] == 5 or None, "all five to be seen", PATIENCE)
    assert names(answer(sort="name", limit="2", skip="2")) == ["o-cut-2", "o-cut-3"]
    assert names(answer(sort="name", reverse="1", limit="1")) == ["o-cut-4"]
    assert answer(customer="c-cut-1")["total"] == 2
    failed = answer(phase="Failed")
    assert failed["total"] == failed["needing"] == 0
    assert failed["totals"] == {"Pending": 5}, "where else to look"
    assert answer(older="1h")["total"] == 0
    assert page.get("api/sagas", params={"older": "soon"}).status_code == 422
    assert page.get("api/sagas", params={"limit": "100000"}).status_code == 422


def test_while_the_api_server_is_away_it_says_since_when_nothing_is_known(
    page: httpx.Client, shown: Sagas, plane: ControlPlane
) -> None:
    shown.create("o-away-1", finalizer=False)
    events = Events(page, q="o-away-")
    events.until("list", lambda told: names(told) == ["o-away-1"])
    plane.apiserver.kill()
    since = events.until("live", lambda told: not told["live"])["since"]
    assert since
    assert names(page.get("api/sagas", params={"q": "o-away-"}).json()) == ["o-away-1"], "what was known is still shown"
    assert page.get("api/sagas/o-away-1").status_code == 502
    opened = Events(page, saga="o-away-1")
    known = opened.until("saga", lambda told: told)
    assert (known["item"]["metadata"]["name"], known["actions"]) == ("o-away-1", []), "one that is opened now, too"
    assert known["as_of"] == since
    assert known["trouble"]
    plane.apiserver.start()
    wait_ready([plane.apiserver])
    shown.create("o-away-2", finalizer=False)
    events.until("list", lambda told: told["total"] == 2)
    events.until("list", lambda told: told["live"])
    opened.until("saga", lambda told: told and not told.get("trouble"))
    opened.close()
    events.close()


def test_an_api_server_that_has_stopped_answering_is_noticed_though_its_connections_stand(
    plane: ControlPlane, shown: Sagas
) -> None:
    access = read_access(str(plane.administrator.kubeconfig), namespace=NAMESPACE)
    live = Live(lambda: access, ask_seconds=0.5, answer_seconds=1.0)
    live.start()
    wait_until(lambda: live.is_live or None, "the list to be live", PATIENCE)
    os.kill(plane.apiserver.pid, signal.SIGSTOP)
    try:
        wait_until(lambda: (not live.is_live) or None, "the silence to be noticed", PATIENCE)
        assert "doesn't answer" in live.trouble
    finally:
        os.kill(plane.apiserver.pid, signal.SIGCONT)
    wait_until(lambda: live.is_live or None, "the list to be live again", PATIENCE)
    shown.create("o-after-silence", finalizer=False)
    wait_until(lambda: live.has("o-after-silence") or None, "what happened since", PATIENCE)
    live.stop()


def test_who_may_only_look_sees_everything_and_is_offered_nothing(
    plane: ControlPlane, shown: Sagas, tmp_path: Path
) -> None:
    kubectl = plane.administrator.kubectl
    kubectl("apply", "-f", "manifests/rbac/people.yaml")
    kubectl("create", "serviceaccount", "looks-on", "-n", NAMESPACE)
    account = f"{NAMESPACE}:looks-on"
    kubectl(
        *("create", "rolebinding", "looks-on", "--clusterrole", "ordersaga-viewer", "-n", NAMESPACE),
        *("--serviceaccount", account),
    )
    shown.create("o-looked-at", finalizer=False)
    with served(plane.administrator.identity("looks-on", NAMESPACE, tmp_path)) as page:
        assert page.get("api/context").json()["may"] == {"patch": False}
        assert page.get("api/context").json()["user"] == f"system:serviceaccount:{account}"
        assert page.get("api/sagas/o-looked-at").json()["actions"] == []
        asked = {"action": "cancel", "orders": ["o-looked-at"]}
        (result,) = page.post("api/actions", json=asked).json()["results"]
        assert not result["ok"]
        assert "cannot patch" in result["says"]
        assert page.get("api/sagas").json()["operator"]["works"] is False, "nobody has a Lease here"
        with an_operator(shown):
            works = lambda: page.get("api/sagas").json()["operator"]["works"] or None  # noqa: E731
            wait_until(works, "whoever may look to see that one works", PATIENCE)


def test_a_right_that_is_given_or_taken_shows_without_a_new_start(
    plane: ControlPlane, shown: Sagas, tmp_path: Path
) -> None:
    kubectl = functools.partial(plane.administrator.kubectl, "-n", NAMESPACE)
    kubectl("apply", "-f", "manifests/rbac/people.yaml")
    kubectl("create", "serviceaccount", "promoted")
    access = read_access(str(plane.administrator.identity("promoted", NAMESPACE, tmp_path)))
    promoted = Viewer(access, Live(lambda: access), may_seconds=0.0)

    def bound(role: str) -> None:
        kubectl("create", "rolebinding", role, f"--clusterrole={role}", f"--serviceaccount={NAMESPACE}:promoted")

    bound("ordersaga-viewer")
    shown.create("o-promoted", finalizer=False)
    assert promoted.context()["may"] == {"patch": False}
    bound("ordersaga-editor")
    wait_until(lambda: promoted.context()["may"]["patch"] or None, "the right to be known", PATIENCE)
    assert "cancel" in [action["name"] for action in promoted.saga("o-promoted")["actions"]]
    kubectl("delete", "rolebinding", "ordersaga-editor")
    wait_until(lambda: promoted.saga("o-promoted")["actions"] == [] or None, "the right to be gone", PATIENCE)


def test_an_action_is_shown_first_and_then_done_under_the_viewer_s_own_name(page: httpx.Client, shown: Sagas) -> None:
    for name in ("o-acted-1", "o-acted-2"):
        shown.create(name, finalizer=False)
    wait_until(lambda: page.get("api/sagas?q=o-acted-").json()["total"] == 2 or None, "both to be seen", PATIENCE)
    actions = {action["name"] for action in page.get("api/sagas/o-acted-1").json()["actions"]}
    assert {"cancel", "suspend"} <= actions
    assert not actions & {"resume", "skip", "mark-compensated"}
    many = {"action": "suspend", "filter": {"q": "o-acted-"}}
    dry = page.post("api/actions", json={**many, "dry_run": True}).json()
    assert [result["ok"] for result in dry["results"]] == [True, True]
    assert shown.get("o-acted-1")["spec"]["state"] == "Active"
    assert page.post("api/actions", json={**many, "count": 3}).status_code == 409
    assert shown.get("o-acted-1")["spec"]["state"] == "Active"
    page.post("api/actions", json={**many, "count": 2})
    for name in ("o-acted-1", "o-acted-2"):
        assert shown.get(name)["spec"]["state"] == "Suspended"
        assert shown.get(name)["spec"]["requestedBy"] == "admin"
    assert page.post("api/actions", json={"action": "retry", "orders": ["o-acted-1"]}).status_code == 422, "no reason"


def test_nobody_else_gets_in(page: httpx.Client) -> None:
    root = str(page.base_url).rsplit("/", 2)[0]
    for path in ("/", "/api/sagas", "/wrong/api/sagas", "/docs", "/openapi.json"):
        assert asking.get(root + path).status_code == 404
    assert page.get("api/sagas", headers={"Host": "evil.example"}).status_code == 404, "another name for this machine"
    form = page.post(
        "api/actions", content="action=cancel", headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert form.status_code == 415, "what another page can send without asking"
    assert page.get("..%2f..%2fcommand.py").status_code == 404
    policy = page.get("api/context").headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
