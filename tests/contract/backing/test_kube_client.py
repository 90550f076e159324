"""The API server client against a real API server."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from common.kube import (
    AlreadyExists,
    ApiUnavailable,
    Conflict,
    Events,
    Forbidden,
    KubeClient,
    Leases,
    ObjectInvalid,
    ObjectNotFound,
    OrderSagas,
)
from dev.stack.pytest_plugin import TestControlPlane
from tests.support.samples import order


@pytest.fixture
async def sagas(control_plane: TestControlPlane) -> AsyncIterator[OrderSagas]:
    async with KubeClient.from_config(control_plane.kubeconfig, user_agent="ordersaga-test/1") as client:
        yield OrderSagas(client, "shop")


async def test_what_is_created_can_be_read_patched_and_deleted(sagas: OrderSagas) -> None:
    created = await sagas.create(order("kube-1"))
    assert created["status"] == {"observedGeneration": -1}
    assert (await sagas.get("kube-1"))["metadata"]["uid"] == created["metadata"]["uid"]
    assert created["metadata"]["managedFields"][0]["manager"] == "ordersaga-test"

    patched = await sagas.patch("kube-1", {"metadata": {"annotations": {"ordersaga.io/correlation-id": "x"}}})
    version = patched["metadata"]["resourceVersion"]
    uid = created["metadata"]["uid"]
    noted = await sagas.replace_status("kube-1", uid, version, {"phase": "Running"})
    assert noted["status"] == {"phase": "Running"}

    last = noted["metadata"]["resourceVersion"]
    with pytest.raises(Conflict):
        await sagas.delete("kube-1", uid, version)
    with pytest.raises(Conflict):
        await sagas.delete("kube-1", "00000000-0000-0000-0000-000000000000", last)
    await sagas.delete("kube-1", uid, last)
    with pytest.raises(ObjectNotFound):
        await sagas.get("kube-1")


async def test_a_write_decided_on_an_old_version_is_a_conflict(sagas: OrderSagas) -> None:
    created = await sagas.create(order("kube-2"))
    version, uid = created["metadata"]["resourceVersion"], created["metadata"]["uid"]
    noted = await sagas.replace_status("kube-2", uid, version, {"phase": "Running"})
    with pytest.raises(Conflict) as late:
        await sagas.replace_status("kube-2", uid, version, {"phase": "Pending"})
    assert (late.value.status, late.value.reason) == (409, "Conflict")
    with pytest.raises(Conflict):
        await sagas.patch("kube-2", {"metadata": {"resourceVersion": version, "finalizers": []}})

    now = noted["metadata"]["resourceVersion"]
    with pytest.raises(Conflict):
        await sagas.replace_status("kube-2", "00000000-0000-0000-0000-000000000000", now, {"phase": "Pending"})


async def test_a_write_of_the_status_leaves_alone_all_else(sagas: OrderSagas) -> None:
    sample = order("kube-status")
    sample["metadata"] |= {"labels": {"team": "shop"}, "annotations": {"example.com/note": "x"}}
    created = await sagas.create(sample)
    metadata = created["metadata"]
    status = {"observedGeneration": 1, "phase": "Running"}
    after = await sagas.replace_status("kube-status", metadata["uid"], metadata["resourceVersion"], status)
    assert after["spec"] == created["spec"]
    assert after["status"] == status
    fields = ("labels", "annotations", "finalizers", "generation", "creationTimestamp")
    assert {name: after["metadata"].get(name) for name in fields} == {name: metadata.get(name) for name in fields}
    managers = {(each["manager"], each.get("subresource", "")): each["fieldsV1"] for each in metadata["managedFields"]}
    later = {
        (each["manager"], each.get("subresource", "")): each["fieldsV1"] for each in after["metadata"]["managedFields"]
    }
    assert later == {**managers, ("ordersaga-test", "status"): {"f:status": {}}}


async def test_refusals_say_what_and_where(sagas: OrderSagas) -> None:
    await sagas.create(order("kube-3"))
    with pytest.raises(AlreadyExists):
        await sagas.create(order("kube-3"))
    with pytest.raises(ObjectInvalid) as bad:
        await sagas.create(order("kube-4", currency="euro"))
    assert "spec.currency" in [field for field, _ in bad.value.causes]
    with pytest.raises(ObjectInvalid, match="colour"):  # not dropped silently
        await sagas.create(order("kube-4", colour="red"))
    with pytest.raises(ObjectNotFound):
        await sagas.client.get("/apis/ordersaga.io/v1alpha1/namespaces/shop/ordersagas/../../nothing")


async def test_a_list_comes_page_by_page_at_one_version(sagas: OrderSagas) -> None:
    names = {f"kube-list-{number}" for number in range(5)}
    await asyncio.gather(*(sagas.create(order(name, customerID="c-list")) for name in names))
    pages = [page async for page in sagas.list(field_selector="spec.customerID=c-list", limit=2)]
    assert [len(page.items) for page in pages] == [2, 2, 1]
    assert {item["metadata"]["name"] for page in pages for item in page.items} == names
    assert len({page.resource_version for page in pages}) == 1


async def test_events_and_leases_are_written(sagas: OrderSagas, control_plane: TestControlPlane) -> None:
    saga = await sagas.create(order("kube-5"))
    await Events(sagas.client, "ordersaga-test").create(saga, type_="Warning", reason="Tried", message="x" * 5000)
    described = control_plane.kubectl("describe", "osaga", "kube-5", "-n", "shop").stdout
    assert "Tried" in described

    leases = Leases(sagas.client, "shop")
    lease = await leases.create("kube-test", {"holderIdentity": "a", "leaseDurationSeconds": 15}, {"epoch": "1"})
    with pytest.raises(AlreadyExists):
        await leases.create("kube-test", {"holderIdentity": "b"})
    lease["spec"]["holderIdentity"] = "b"
    assert (await leases.update(lease))["spec"]["holderIdentity"] == "b"
    with pytest.raises(Conflict):
        await leases.update(lease)


async def test_the_role_of_the_order_service_cannot_delete(control_plane: TestControlPlane) -> None:
    identity = control_plane.identity("order-service")
    async with KubeClient.from_config(identity, user_agent="ordersaga-test/1") as client:
        mine = OrderSagas(client, "shop")
        saga = await mine.create(order("kube-6"))
        with pytest.raises(Forbidden):
            await mine.delete("kube-6", saga["metadata"]["uid"], saga["metadata"]["resourceVersion"])


def copy_identity(given: Path, kubeconfig: Path, token: Path) -> str:
    """The same identity with its token in another file, which isn't written yet; the token."""
    config = json.loads(given.read_text())
    user = config["users"][0]["user"]
    good = Path(user["tokenFile"]).read_text()
    user["tokenFile"] = str(token)
    kubeconfig.write_text(json.dumps(config))
    return good


async def test_a_rotated_token_is_read_when_the_old_one_is_refused(
    control_plane: TestControlPlane, tmp_path: Path
) -> None:
    kubeconfig, token = tmp_path / "kubeconfig", tmp_path / "token"
    good = copy_identity(control_plane.identity("order-service"), kubeconfig, token)
    token.write_text("stale")
    async with KubeClient.from_config(kubeconfig, user_agent="ordersaga-test/1") as client:
        sagas = OrderSagas(client, "shop")
        with pytest.raises(Forbidden) as refused:
            await sagas.get("nothing")
        assert refused.value.status == 401
        token.write_text(good)
        with pytest.raises(ObjectNotFound):
            await sagas.get("nothing")


async def test_a_silent_server_is_unavailable(control_plane: TestControlPlane, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"https://127.0.0.1:{unused.getsockname()[1]}"
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(control_plane.kubeconfig.read_text().replace(control_plane.url, closed))
    async with KubeClient.from_config(kubeconfig, user_agent="ordersaga-test/1") as client:
        with pytest.raises(ApiUnavailable, match="no answer") as silence:
            await OrderSagas(client, "shop").get("x")
    assert silence.value.status == 0


def test_without_a_configuration_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with pytest.raises(ApiUnavailable, match="set KUBECONFIG") as missing:
        KubeClient.from_config(user_agent="ordersaga-test/1")
    assert missing.value.reason == "NotConfigured"
    with pytest.raises(ApiUnavailable, match="nowhere"):
        KubeClient.from_config(tmp_path / "nowhere", user_agent="ordersaga-test/1")
