"""The operator's port of probes and metrics speaks TLS where it has a certificate, and takes the next one."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import trustme
from prometheus_client import CollectorRegistry

import common.certificate
import saga_operator.health
from dev.stack.ports import free_ports
from saga_operator.health import Health
from saga_operator.heartbeats import Heartbeats
from saga_operator.settings import Settings
from tests.contract.tls.test_certificate import shown
from tests.support.secrets import MountedSecret, pair

TIME = "ordersaga_certificate_not_after_seconds"


async def answers() -> bool:
    return True


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secret(authority: trustme.CA, tmp_path: Path) -> MountedSecret:
    return MountedSecret(tmp_path / "tls", pair(authority, "localhost", days=30))


@pytest.fixture
async def port(secret: MountedSecret, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    monkeypatch.setattr(saga_operator.health, "REGISTRY", CollectorRegistry())
    monkeypatch.setattr(common.certificate, "LOOK_SECONDS", 0.0)  # each handshake looks
    (free,) = free_ports(1)
    health = Health(Settings(health_port=free, health_certificate=secret.folder), Heartbeats(), answers)
    await health.start()
    yield free
    await health.stop()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
async def test_it_speaks_tls_alone_and_shows_the_times_of_its_certificate(port: int, authority: trustme.CA) -> None:
    trust = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    async with httpx.AsyncClient(verify=trust) as client:
        assert (await client.get(f"https://localhost:{port}/healthz")).json()["status"] == "ok"
        assert f'{TIME}{{service="operator"}}' in (await client.get(f"https://localhost:{port}/metrics")).text
        with pytest.raises(httpx.HTTPError):
            await client.get(f"http://localhost:{port}/healthz")
    assert await shown(port, authority, version=ssl.TLSVersion.TLSv1_2)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await shown(port, authority, version=ssl.TLSVersion.TLSv1_1)


async def test_the_next_handshake_gets_the_new_certificate_and_none_that_can_not_be_used(
    port: int, authority: trustme.CA, secret: MountedSecret
) -> None:
    first = await shown(port, authority)
    made = pair(authority, "localhost")
    secret.replace({**made, "tls.key": b""})
    assert await shown(port, authority) == first
    secret.replace(made)
    assert await shown(port, authority) != first


async def test_without_a_certificate_it_speaks_plain_http() -> None:
    (free,) = free_ports(1)
    health = Health(Settings(health_port=free), Heartbeats(), answers)
    await health.start()
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"http://localhost:{free}/healthz")).status_code == 200
    await health.stop()


async def test_an_operator_does_not_start_with_a_certificate_that_can_not_be_used(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="can't be used"):
        await Health(Settings(health_certificate=tmp_path), Heartbeats(), answers).start()
