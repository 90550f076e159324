"""`kubectl saga` sees and steers sagas with the viewer's own kubeconfig: the real API server, operator and kubectl."""

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from ordersaga.saga.access import read_access
from ordersaga.saga.cluster import Cluster
from ordersaga.saga.operator_lease import unattended
from tests.operator.conftest import NAMESPACE, OperatorProcess, Sagas, wait_until
from tests.operator.requests.user_requests import DO, PATIENCE, UNDO
from tests.operator.scripted import ScriptedParticipants, refused


@pytest.fixture(autouse=True)
def nothing_stays_open(sagas: Sagas) -> Iterator[None]:
    """Others wait until the operator has nothing to do: what is suspended or stuck here would keep it for ever."""
    yield
    for item in sagas.listed()["items"]:
        name = item["metadata"]["name"]
        if name.startswith("o-cli") and (item.get("status") or {}).get("phase") not in ("Completed", "Compensated"):
            with suppress(ApiException):  # it has ended meanwhile
                sagas.delete(name)
                sagas.patch_metadata(name, finalizers=None)


def make_stuck(participants: ScriptedParticipants, sagas: Sagas, customer: str) -> list[str]:
    """Two sagas of this customer whose refund has failed too often."""
    names = [f"o-{customer}-1", f"o-{customer}-2"]
    for name in names:
        participants.say(name, UNDO["payment"], always=refused("bank_closed", "the bank is closed"))
        participants.say(name, DO["shipping"], refused("not_serviceable"))
        sagas.create(name, customerID=customer)
    for name in names:
        sagas.wait(name, "Failed", seconds=PATIENCE)
    return names


def test_what_is_wrong_is_seen_found_and_explained(
    saga: Any, operator: OperatorProcess, participants: ScriptedParticipants, sagas: Sagas
) -> None:
    stuck = make_stuck(participants, sagas, "cli-seen")
    listed = saga("list", "--customer", "cli-seen")
    assert sorted(line.split()[0] for line in listed.splitlines()[1:3]) == stuck, "the youngest first"
    assert "CompensationFailed   payment   2       1 " in listed, "how many customers it hits, too"
    assert "2 sagas of 1 customer: 2 Failed" in listed
    assert "LONGEST" in listed
    wide = saga("list", "--customer", "cli-seen", "-o", "wide", "--sort", "waiting")
    assert "WAITS" in wide.splitlines()[0]
    assert "CompensationFailed   payment   2       1 " in wide
    assert set(stuck) <= set(saga("list", "-A", "--id", "o-cli-seen", "-o", "name").split())
    assert "a person has to decide" in listed
    assert saga("list", "--customer", "cli-seen", "--sort", "name", "-o", "name").split() == stuck
    slip = ("--reason", "compensation faild")
    assert "did you mean CompensationFailed?" in saga("list", "--customer", "cli-seen", *slip)
    declined = saga("list", "--customer", "cli-seen", "--reason", "card declined")
    assert "--all looks at those that have ended" in declined, "an order that was declined is open for a moment only"
    assert "did you mean CompensationFailed?" in saga("cancel", "--customer", "cli-seen", *slip, status=1)
    items = json.loads(saga("list", "--customer", "cli-seen", "-o", "json"))["items"]
    assert [item["status"]["phase"] for item in items] == ["Failed", "Failed"]
    why = saga("why", stuck[0], status=3)
    assert "payment could not be undone" in why
    assert "the bank is closed" in why
    assert json.loads(saga("why", stuck[0], "-o", "json", status=3))["needsPerson"] is True
    shown = saga("show", stuck[0])
    assert "kubectl saga mark-compensated o-cli-seen-1 payment" in " ".join(shown.split())
    assert shown.count("BankClosed") >= 2, "each attempt is shown"


def test_a_filter_steers_many_only_if_a_person_has_said_how_many(
    saga: Any, operator: OperatorProcess, participants: ScriptedParticipants, sagas: Sagas
) -> None:
    stuck = make_stuck(participants, sagas, "cli-many")
    all_of_them = ("mark-compensated", "--customer", "cli-many", "--reason", "paid back in cash")
    assert "--count 2; nothing was changed" in saga(*all_of_them, status=2)
    assert "finds 2: nothing was changed" in saga(*all_of_them, "--count", "1", status=2)
    dry = saga(*all_of_them, "--dry-run")
    assert "nothing will undo it later" in dry
    assert ", as admin:" in dry
    again = saga("retry", "--customer", "cli-many", "--reason", "it is open again", "--dry-run")
    assert again.count("undo payment again at once") == 2, "the refund, and not the charge"
    assert "2 sagas would be marked" in dry
    assert "intervention" not in sagas.get(stuck[0])["spec"]
    done = saga(*all_of_them, "--count", "2")
    assert "2 sagas marked" in done
    for name in stuck:
        sagas.wait(name, "Compensated", seconds=PATIENCE)
        assert sagas.status(name)["intervention"]["by"] == "admin", "as the API server knows the caller"
    assert "Rolled back" in saga("why", stuck[0])
    assert "makes no sense, since it is Compensated" in saga("cancel", stuck[0], status=1)


def test_a_retry_is_carried_out_and_one_that_does_not_apply_is_refused(
    saga: Any, operator: OperatorProcess, participants: ScriptedParticipants, sagas: Sagas
) -> None:
    participants.say("o-cli-retry", UNDO["payment"], always=refused("bank_closed", "the bank is closed"))
    participants.say("o-cli-retry", DO["shipping"], refused("not_serviceable"))
    sagas.create("o-cli-retry")
    sagas.wait("o-cli-retry", "Failed", seconds=PATIENCE)
    participants.forget()
    assert "RetryNow payment was carried out" in saga("retry", "o-cli-retry", "--reason", "it is open again")
    sagas.wait("o-cli-retry", "Compensated", seconds=PATIENCE)
    for told in (saga("why", "o-cli-retry"), saga("list", "--all", "--id", "o-cli-retry", "-o", "wide")):
        assert "Last intervention: RetryNow payment by admin" in told
        assert "(it is open again)" in told


def test_suspended_resumed_and_cancelled(saga: Any, operator: OperatorProcess, participants: Any, sagas: Sagas) -> None:
    participants.say("o-cli-held", DO["payment"], always=refused("running", "wait"))
    sagas.create("o-cli-held")
    at_payment = lambda: sagas.status("o-cli-held").get("currentStep") == "payment" or None  # noqa: E731
    wait_until(at_payment, "payment to be called", PATIENCE)
    assert "suspended" in saga("suspend", "o-cli-held")
    sagas.wait("o-cli-held", "Suspended", seconds=PATIENCE)
    assert "Suspended by admin" in saga("why", "o-cli-held", status=3)
    assert "isn't suspended" not in saga("resume", "o-cli-held")
    sagas.wait("o-cli-held", "Running", seconds=PATIENCE)
    assert "it isn't suspended" in saga("resume", "o-cli-held", status=1)
    saga("cancel", "o-cli-held")
    sagas.wait("o-cli-held", "Compensated", seconds=PATIENCE)
    assert "It was cancelled by admin" in saga("why", "o-cli-held")
    assert "Compensated" in saga("watch", "o-cli-held", status=1)


def test_an_order_is_created_watched_to_its_end_and_not_created_twice(saga: Any, operator: OperatorProcess) -> None:
    order = (
        "create",
        "o-cli-new",
        "--customer",
        "c-17",
        "--item",
        "p-mug=2@1250",
        "--method",
        "test-ok",
        "--address",
        "a-17",
    )
    assert "would be placed" in saga(*order, "--dry-run")
    assert "placed" in saga(*order)
    assert "all of it happened" in saga("watch", "o-cli-new")
    assert "already exists" in saga(*order, status=1)
    assert "too large" not in saga(*order[:-1], "4242424242424242", status=1)


def test_doctor_says_who_works_and_that_nobody_does(saga: Any, operator: OperatorProcess) -> None:
    holds = lambda: "tests holds the Lease, renewed " in saga("doctor", status=None) or None  # noqa: E731
    wait_until(holds, "the operator to hold its Lease", PATIENCE)
    assert "none has ever worked" in saga("doctor", "--lease", "of-nobody", status=1)


def test_who_may_only_look_is_told_what_they_may_not(
    saga: Any, operator: OperatorProcess, control_plane: Any, sagas: Sagas
) -> None:
    sagas.create("o-cli-seen-only", state="Suspended")
    control_plane.kubectl("apply", "-f", "manifests/rbac/people.yaml")
    control_plane.kubectl("create", "serviceaccount", "cli-viewer", "-n", NAMESPACE)
    viewer = control_plane.identity("cli-viewer", NAMESPACE)
    control_plane.kubectl(
        *("create", "rolebinding", "cli-viewer", "--clusterrole", "ordersaga-viewer", "-n", NAMESPACE),
        *("--serviceaccount", f"{NAMESPACE}:cli-viewer"),
    )
    assert "o-cli-seen-only" in saga("list", "--all", "-o", "name", kubeconfig=viewer)
    assert "cannot patch" in saga("cancel", "o-cli-seen-only", status=1, kubeconfig=viewer)
    sagas.create("o-cli-seen-only-2", state="Suspended")
    for name in ("o-cli-seen-only", "o-cli-seen-only-2"):
        sagas.wait(name, "Suspended", seconds=PATIENCE)
    refused_ = saga("resume", "--id", "o-cli-seen-only", "--yes", status=1, kubeconfig=viewer)
    assert refused_.count("you may not patch ordersagas in namespace") == 1, "once, and not for each order"
    assert "cannot patch" not in refused_
    assert "0 sagas resumed, 2 not" in refused_
    said = saga("doctor", status=None, kubeconfig=viewer)  # other tests leave orders that are stuck
    assert "you may see orders, but not patch them" in said
    assert "you may not look" in said


def test_sagas_of_a_namespace_in_which_nobody_works_are_told_to_who_looks_into_another(
    control_plane: Any,
) -> None:
    other = "cli-nobody-works"
    control_plane.kubectl("create", "namespace", other)
    elsewhere = Sagas(control_plane.kubeconfig, other)
    elsewhere.create("o-cli-unattended", finalizer=False)
    try:
        with Cluster(read_access(str(control_plane.kubeconfig), namespace=NAMESPACE)) as cluster:
            assert other not in unattended(cluster, time.time()), "it may be begun any moment"
            assert unattended(cluster, time.time() + 60).endswith(f"namespace {other}, such as o-cli-unattended")
        with Cluster(read_access(str(control_plane.kubeconfig), namespace=other)) as cluster:
            assert other not in unattended(cluster, time.time() + 60), "its own are in the list"
    finally:
        control_plane.kubectl("delete", "osaga", "o-cli-unattended", "-n", other)


@pytest.mark.parametrize(
    ("arguments", "says", "status"),
    [
        (("why", "o-none"), "not found", 1),
        (("cancel",), "which orders?", 2),
        (("logs", "o-none"), "--folder .ordersaga/logs", 1),
        (("list", "--phase", "Broken"), "there is no phase", 2),
        (("list", "--context", "nowhere"), "no context 'nowhere'", 1),
        (("list", "--kubeconfig", "/nowhere"), "No such file", 1),
    ],
)
def test_what_can_not_be_done_is_one_line_that_says_what_to_do(
    saga: Any, arguments: tuple[str, ...], says: str, status: int
) -> None:
    said = saga(*arguments, status=status)
    assert says in said
    assert "Traceback" not in said
    assert len(said.strip().splitlines()) == 1
