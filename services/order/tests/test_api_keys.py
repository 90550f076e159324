"""API keys: made and revoked by a command, kept as a hash, good for their client and for clients' routes alone."""

import asyncio
import stat
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from common.identity.callers import Role
from common.settings import ServiceSettings
from dev.stack.pytest_plugin import TestControlPlane
from services.order import keys as command
from services.order.door import keyring
from services.order.settings import OrderSettings
from services.order.tests.doors import ORDER, Shop, guarded
from tests.support.service_client import code, fresh

STEPS = ("create", "confirm", "reject", "cancel")


@pytest.fixture(scope="module")
async def shop(settings: ServiceSettings, control_plane: TestControlPlane) -> AsyncIterator[Shop]:
    async with guarded(settings, control_plane) as shop:
        yield shop


async def run(shop: Shop, *words: str) -> str:
    """The command beside the service, on the same database."""
    assert isinstance(shop.app.settings, OrderSettings)
    return await command.run(command.parser().parse_args(words), shop.app.settings)


async def test_a_key_that_was_made_is_good_until_it_is_revoked(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    customer = fresh("c")
    secret = await run(shop, "create", "--customer", customer, "--expires", "30d")
    visitor = shop.visitor(secret, customer)
    order_id = await visitor.placed()
    [row] = [line for line in (await run(shop, "list")).splitlines() if customer in line]
    assert secret not in row
    assert secret[-4:] in row
    assert "good until" in row
    monkeypatch.setattr(keyring, "GOOD", 0.2)  # seconds: ten are meant
    monkeypatch.setattr(keyring, "AGAIN", 0.1)
    assert "is revoked" in await run(shop, "revoke", row.split()[0])
    await asyncio.sleep(0.25)
    assert code(await visitor.get(f"/api/orders/{order_id}")) == (401, "unauthenticated")
    assert "revoked" in await run(shop, "list")


async def test_a_revoked_key_is_found_out_beside_the_calls_of_a_client_that_keeps_calling(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = await shop.customer()
    assert (await visitor.get("/api/orders")).status_code == 200
    monkeypatch.setattr(keyring, "AGAIN", 0.0)
    [key] = [each for each in await shop.keys.listed() if each.client == visitor.customer_id]
    await shop.keys.revoke(key.key_id)
    async with asyncio.timeout(5):
        while (await visitor.get("/api/orders")).status_code != 401:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.05)


async def test_of_a_key_a_hash_is_kept(shop: Shop) -> None:
    secret, key = await shop.keys.make(Role.CUSTOMER, fresh("c"))
    document = await shop.app.database[keyring.COLLECTION].find_one({"_id": key.key_id})
    assert document is not None
    assert secret not in str(document)
    assert secret[4:-4] not in str(document)
    assert len(secret) == 47, "256 random bits"


async def test_a_key_that_is_made_up_or_has_expired_is_not_good(shop: Shop) -> None:
    expired, _ = await shop.keys.make(Role.CUSTOMER, "c-17", timedelta(seconds=-1))
    good, _ = await shop.keys.make(Role.CUSTOMER, "c-17")
    for secret in (
        expired,
        "osk_",
        "osk_" + "A" * 43,
        good[:-1],
        good + "A",
        good.upper(),
        "osk_\x00",
        "osk_" + "é" * 43,
    ):
        answer = await shop.visitor(secret.encode("latin-1").decode("latin-1")).http.get(
            "/api/orders", headers=[(b"authorization", b"Bearer " + secret.encode("latin-1"))]
        )
        assert code(answer) == (401, "unauthenticated")
        assert "expired" not in answer.text.replace("or have expired", ""), "not what is wrong with it"


async def test_a_key_is_good_for_no_step_of_a_saga_on_neither_port(shop: Shop) -> None:
    customer, clerk = await shop.customer(), await shop.staff()
    order_id = await customer.placed()
    for visitor in (customer, clerk):
        inside = shop.visitor(visitor.headers["Authorization"].removeprefix("Bearer "), public=False)
        for step in STEPS:
            body = ORDER | {"order_id": order_id, "customer_id": customer.customer_id}
            assert code(await inside.call("POST", f"/api/orders/{step}", json=body)) == (401, "unauthenticated")
            assert (await visitor.call("POST", f"/api/orders/{step}", json=body)).status_code in {404, 405}
        assert code(await inside.call("PUT", f"/api/orders/{order_id}/saga", json={})) == (401, "unauthenticated")
        assert (await visitor.call("PUT", f"/api/orders/{order_id}/saga", json={})).status_code in {404, 405}


async def test_the_log_says_who_and_with_which_key_and_never_the_key(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    visitor = await shop.customer()
    secret = visitor.headers["Authorization"].removeprefix("Bearer ")
    caplog.set_level("INFO", "ordersaga")
    await visitor.get("/api/orders")
    callers = [getattr(record, "caller", "") for record in caplog.records]
    assert any(caller.startswith(f"customer:{visitor.customer_id} k-") for caller in callers)
    assert not any(secret in str(record.__dict__) for record in caplog.records)


async def test_a_file_keeps_its_key_as_long_as_that_is_good(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "keys" / "staff.key"
    await run(shop, "create", "--staff", "local", "--into", str(file))
    first = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "already" in await run(shop, "create", "--staff", "local", "--into", str(file))
    assert file.read_text() == first
    [key] = [each for each in await shop.keys.listed() if each.client == "local"]
    await run(shop, "revoke", key.key_id)
    await run(shop, "create", "--staff", "local", "--into", str(file))
    assert file.read_text() != first


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create",), "required"),
        (("create", "--customer", "a b"), "is no id"),
        (("create", "--customer", "c-17", "--staff", "ada"), "not allowed with"),
        (("create", "--customer", "c-17", "--expires", "soon"), "is no period"),
    ],
)
def test_the_command_says_what_it_takes(words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(words)
    assert said in capsys.readouterr().err


async def test_a_key_that_is_not_there_can_not_be_revoked(shop: Shop) -> None:
    with pytest.raises(ValueError, match="there is no key k-0"):
        await run(shop, "revoke", "k-0")


async def test_keys_are_made_where_the_mounted_address_says(shop: Shop, tmp_path: Path) -> None:
    settings = shop.app.settings
    assert isinstance(settings, OrderSettings)
    file = tmp_path / "uri"
    file.write_text(settings.mongodb_url)
    mounted = settings.model_copy(update={"mongodb_url": "mongodb://nowhere.invalid/", "mongodb_url_file": file})
    await command.run(command.parser().parse_args(["create", "--customer", "c-mounted"]), mounted)
    assert "c-mounted" in await run(shop, "list")


def test_a_database_that_is_away_is_told_within_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ORDERSAGA_MONGODB_URL", "mongodb://127.0.0.1:9/?directConnection=true")
    monkeypatch.setattr(command, "SECONDS", 0.5)
    assert command.main(["list"]) == command.FAILED
    assert "the database doesn't answer (nothing within 0.5 s)" in capsys.readouterr().err
