"""A service with TLS: its certificate is replaced while calls go on, and nothing but a whole, fitting pair is taken."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import httpx
import pytest
import trustme

from common.exchange import Exchanges, NoAnswer
from tests.contract.tls.served import Served, served
from tests.support.secrets import MountedSecret, pair

PATIENCE = 20.0
ANYBODY = ssl._create_unverified_context()  # noqa: S323 - as a kubelet asks


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secret(authority: trustme.CA, tmp_path: Path) -> MountedSecret:
    return MountedSecret(tmp_path / "tls", pair(authority, "localhost"))


@pytest.fixture
async def service(secret: MountedSecret) -> AsyncIterator[Served]:
    async with served(secret) as running:
        yield running


async def shown(port: int, authority: trustme.CA, *, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> int:
    """The serial number of the certificate that a new connection gets."""
    trust = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    trust.set_ciphers("DEFAULT:@SECLEVEL=0")  # this side would take old versions
    trust.minimum_version = trust.maximum_version = version
    _, writer = await asyncio.open_connection("localhost", port, ssl=trust)
    found: dict[str, str] = writer.get_extra_info("peercert")
    writer.close()
    return int(found["serialNumber"], 16)


async def test_a_certificate_is_replaced_twice_under_load_and_no_call_is_lost(
    service: Served, secret: MountedSecret, authority: trustme.CA
) -> None:
    calls = Exchanges(service.url, timeout=PATIENCE, oldest=0.05, ca_file=secret / "ca.crt")  # ever new connections
    seen, answered = {await shown(service.port, authority)}, 0
    has_ended = asyncio.Event()

    async def customer(number: int) -> None:
        nonlocal answered
        while not has_ended.is_set():
            answer = await calls.exchange("POST", "/api/orders/echo", headers={}, body={"n": number})
            assert (answer.status, answer.body) == (200, b'{"n":%d}' % number)
            answered += 1

    async def many_more() -> None:
        until = answered + 100
        while answered < until and not any(each.done() for each in customers):  # noqa: ASYNC110 - all count
            await asyncio.sleep(0.01)

    customers = [asyncio.create_task(customer(number)) for number in range(16)]
    for _ in range(2):
        await many_more()
        secret.replace(pair(authority, "localhost"))
        assert service.certificate.look()
        seen |= {await shown(service.port, authority), await shown(service.public_port, authority)}
    await many_more()
    has_ended.set()
    await asyncio.gather(*customers)
    await calls.aclose()
    assert len(seen) == 3, "each port shows the newest one"
    assert answered >= 300


async def test_a_connection_that_is_open_outlives_its_certificate(
    service: Served, secret: MountedSecret, authority: trustme.CA
) -> None:
    trust = ssl.create_default_context(cafile=str(secret / "ca.crt"))
    async with httpx.AsyncClient(verify=trust, base_url=service.url) as client:
        assert (await client.get("/health")).status_code == 200
        secret.replace(pair(trustme.CA(), "localhost"))
        assert service.certificate.look()
        assert (await client.get("/health")).status_code == 200, "on the same connection"
    with pytest.raises(ssl.SSLCertVerificationError):
        await shown(service.port, authority)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
async def test_both_ports_refuse_what_is_older_than_tls_1_2(service: Served, authority: trustme.CA) -> None:
    for port in (service.port, service.public_port):
        assert await shown(port, authority, version=ssl.TLSVersion.TLSv1_2)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await shown(port, authority, version=ssl.TLSVersion.TLSv1_1)


@pytest.mark.parametrize("fault", ["half written", "another's key", "empty", "gone", "expired"])
async def test_a_pair_that_can_not_be_used_changes_nothing(
    fault: str, service: Served, secret: MountedSecret, authority: trustme.CA
) -> None:
    before, new = await shown(service.port, authority), pair(authority, "localhost")
    faulty = {
        "half written": {**new, "tls.crt": new["tls.crt"][:200]},
        "another's key": {**new, "tls.key": pair(authority, "localhost")["tls.key"]},
        "empty": dict.fromkeys(new, b""),
        "gone": {},
        "expired": pair(authority, "localhost", days=-1),
    }[fault]
    secret.replace(faulty)
    with pytest.raises(ValueError, match=r"tls\.crt"):
        service.certificate.look()
    assert await shown(service.port, authority) == before
    secret.replace(new)
    assert service.certificate.look()
    assert await shown(service.port, authority) != before


async def test_a_service_whose_certificate_has_expired_says_so_and_is_not_ready(
    secret: MountedSecret, authority: trustme.CA
) -> None:
    secret.replace(pair(authority, "localhost", days=-1))
    async with served(secret) as service, httpx.AsyncClient(verify=ANYBODY, base_url=service.url) as kubelet:
        ready = await kubelet.get("/ready")
        assert ready.status_code == 503
        assert "has expired at" in ready.json()["detail"]
        secret.replace(pair(authority, "localhost"))
        service.certificate.look()
        assert "expired" not in (await kubelet.get("/ready")).text


async def test_the_times_of_the_certificate_are_measured_and_its_renewal_is_watched(service: Served) -> None:
    async with httpx.AsyncClient(verify=ANYBODY, base_url=service.url) as prometheus:
        lines = (await prometheus.get("/metrics")).text.splitlines()
        times = [line.rpartition(" ")[2] for line in lines if line.startswith("ordersaga_certificate_not_")]
        assert [float(end) - float(begin) for begin, end in [sorted(times, key=float)]] == [31 * 24 * 3600]
        assert "certificate" in (await prometheus.get("/health")).json()["background"]


@pytest.mark.parametrize(
    ("certificate", "why"),
    [
        (lambda authority: pair(authority, "payment-service"), "not valid for 'localhost'"),
        (lambda authority: pair(authority, "localhost", days=-1), "certificate has expired"),
        (lambda _: pair(trustme.CA(), "localhost"), "unable to get local issuer certificate"),
    ],
    ids=["another's name", "expired", "another authority"],
)
async def test_who_is_not_believed_is_unavailable_and_it_is_said_why(
    certificate: object, why: str, authority: trustme.CA, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = certificate(authority)  # type: ignore[operator]
    authorities = tmp_path / "ca.crt"
    authorities.write_bytes(authority.cert_pem.bytes())
    async with (
        served(MountedSecret(tmp_path / "tls", made)) as service,
        aclosing(Exchanges(service.url, timeout=PATIENCE, ca_file=authorities)) as calls,
    ):
        for _ in range(3):
            with pytest.raises(NoAnswer, match=rf"the certificate of localhost:{service.port} isn't believed: .*{why}"):
                await calls.exchange("POST", "/api/orders/echo", headers={}, body={"n": 1})
    said = [record for record in caplog.records if "isn't believed" in record.getMessage()]
    assert [record.levelno for record in said] == [logging.WARNING], "once, not for each call"


async def test_a_new_authority_is_believed_at_once_without_a_lost_call(
    service: Served, secret: MountedSecret, tmp_path: Path
) -> None:
    authorities = tmp_path / "ca.crt"
    authorities.write_bytes((secret / "ca.crt").read_bytes())
    # its connections are renewed far later than it takes here, so that only the failure makes it look
    async with aclosing(Exchanges(service.url, timeout=PATIENCE, oldest=600, ca_file=authorities)) as calls:
        for at_once in (1, 20, 60):  # more than there are connections: new ones are opened
            other = trustme.CA()
            secret.replace(pair(other, "localhost"))
            service.certificate.look()
            authorities.write_bytes(other.cert_pem.bytes())
            many = [calls.exchange("POST", "/api/orders/echo", headers={}, body={"n": 1}) for _ in range(at_once)]
            assert {answer.status for answer in await asyncio.gather(*many)} == {200}


async def test_authorities_that_are_just_being_written_are_not_taken(
    service: Served, secret: MountedSecret, tmp_path: Path
) -> None:
    authorities = tmp_path / "ca.crt"
    authorities.write_bytes((secret / "ca.crt").read_bytes())
    async with aclosing(Exchanges(service.url, timeout=PATIENCE, oldest=0.0, ca_file=authorities)) as calls:
        for content in (None, b"", (secret / "ca.crt").read_bytes()[:100]):
            if content is not None:
                authorities.write_bytes(content)
            assert (await calls.exchange("POST", "/api/orders/echo", headers={}, body={"n": 1})).status == 200
