"""Orders with TLS everywhere: between operator, services and database, each service as its own user of the database.

While they are on their way, every certificate, its authority and every password is replaced: no order is lost, and none
has an effect twice.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import trustme

from common.services import SERVICES
from common.wire import Json
from dev.setup.errors import StackError
from dev.stack.demo.books import Books
from dev.stack.demo.shop import Shop, finished, phase
from dev.stack.parts.applications import Operator, Service, Wiring
from dev.stack.processes import free_port, wait_ready
from dev.stack.pytest_plugin import TestControlPlane
from tests.support.secrets import MountedSecret, pair
from tests.support.secured_mongod import PASSWORD, Secured, secured_mongod

NAMESPACE = "encrypted"
PREFIX = "ordersaga_"


class Encrypted:
    """The system, and the Secrets that its parts mount."""

    def __init__(self, database: Secured, plane: TestControlPlane, folder: Path) -> None:
        plane.administrator.install(NAMESPACE)
        self._database = database
        self.authorities = (trustme.CA(), trustme.CA())
        self.certificate = MountedSecret(folder / "tls", pair(self.authorities[0], "localhost"))
        self.known = folder / "known.crt"
        """What this test trusts."""
        self.known.write_bytes(b"".join(each.cert_pem.bytes() for each in self.authorities))
        self.addresses = {
            name: MountedSecret(folder / f"{name}-database", self._address(name, PASSWORD)) for name in SERVICES
        }
        wiring = Wiring(
            mongodb_url="mongodb://nowhere.invalid/",
            logs=folder,
            service_ports={name: free_port() for name in SERVICES},
            health_port=free_port(),
            namespace=NAMESPACE,
            certificate=self.certificate.folder,
        )
        administrator = plane.administrator
        services = [
            Service(
                name,
                replace(wiring, extra={"ORDERSAGA_MONGODB_URL_FILE": str(self.addresses[name] / "uri")}),
                kubeconfig=plane.identity(f"{name}-service", NAMESPACE),
                tokens=administrator.tokens(f"{name}-service", NAMESPACE, folder),
            )
            for name in SERVICES
        ]
        operator = Operator(
            wiring,
            kubeconfig=plane.identity("ordersaga-operator", NAMESPACE),
            tokens=administrator.tokens("ordersaga-operator", NAMESPACE, folder),
        )
        self.processes = [*services, operator]
        self.urls = {name: wiring.url(name) for name in SERVICES}
        self.tokens = administrator.tokens("ordersaga-staff", NAMESPACE, folder)
        self.books = Books(database.uri("audit", "admin"), PREFIX)

    def _address(self, service: str, password: str) -> dict[str, bytes]:
        uri = self._database.uri(service, f"{PREFIX}{service}", password)
        return {"uri": uri.encode(), "ca.crt": self._database.ca_file.read_bytes()}

    def renew(self, number: int) -> None:
        """New passwords, and new certificates: every other time from another authority, which nobody has heard of."""
        for service in SERVICES:
            password = f"password {number}"
            self._database.change_password(service, f"{PREFIX}{service}", password)
            self.addresses[service].replace(self._address(service, password))
        self.certificate.replace(pair(self.authorities[number % 2], "localhost"))


@pytest.fixture(scope="module")
def system(control_plane: TestControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Encrypted]:
    folder = tmp_path_factory.mktemp("encrypted")
    with contextlib.ExitStack() as undo:
        database = undo.enter_context(secured_mongod(folder / "mongod"))
        database.make_users(PREFIX)
        system = Encrypted(database, control_plane, folder)
        undo.enter_context(pytest.MonkeyPatch.context()).setenv("SSL_CERT_FILE", str(system.known))
        for process in system.processes:
            undo.callback(process.stop)
            process.start()
        wait_ready(system.processes)
        undo.enter_context(system.books)
        yield system


@pytest.mark.slow
def test_orders_are_carried_out_while_certificates_authorities_and_passwords_are_replaced(system: Encrypted) -> None:
    wanted: dict[str, str] = {}
    with Shop(system.urls, system.tokens) as shop:
        shop.seed()
        for number in range(1, 4):
            for each in range(8):
                for method, outcome in (("test-ok", "Completed"), ("test-declined", "Compensated")):
                    order_id = f"o-tls-{number}-{each}-{outcome.lower()}"
                    patiently(partial(shop.place, order_id, payment={"method_ref": method}))
                    wanted[order_id] = outcome
            system.renew(number)
        found = {name: phase(patiently(partial(shop.watch, name, finished))) for name in wanted}
    assert found == wanted
    assert system.books.audit(found) == []


def patiently(do: Callable[[], Json]) -> Json:
    """As a customer does: again, until it is answered."""
    until = time.monotonic() + 60
    while True:
        try:
            return do()
        except StackError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
