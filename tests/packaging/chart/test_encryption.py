"""`make cluster-test` finds out from an installation how its parts are reached: with the chart's own objects."""

import base64
import json
import ssl
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import trustme

from dev.release.clustertest.encryption import Encryption
from tests.packaging.chart.charts import OPENSHIFT, rendered

AUTHORITY = trustme.CA().cert_pem.bytes().decode()
TLS = ("--set", "tls.enabled=true")
SERVING = (*OPENSHIFT, *TLS, "--set", "tls.openshift=true")
URI = "mongodb://audit:secret@mongodb:27017/admin?directConnection=true"


class Cluster:
    """What kubectl says where this chart is installed, and somebody has made its Secrets."""

    def __init__(self, *arguments: str, authority: str = AUTHORITY) -> None:
        self._chart = rendered(*arguments)
        self._authority = authority

    def kubectl(self, *words: str) -> str:
        match words:
            case ("get", "service", name, "-o", _):
                return str(self._chart("Service", name)["spec"]["ports"][0]["appProtocol"])
            case ("get", "deployments", "-o", "json"):
                return json.dumps({"items": self._chart.all("Deployment")})
            case ("get", "secret", "order-service-tls", "-o", "json"):
                data = {"ca.crt": base64.b64encode(self._authority.encode()).decode()} if self._authority else {}
                return json.dumps({"data": data})
            case ("get", "configmap", "ordersaga-service-ca", "-o", "json"):
                return json.dumps({"data": {"service-ca.crt": self._authority}})
        raise AssertionError(words)


def test_one_without_tls_is_reached_in_the_clear(tmp_path: Path) -> None:
    found = Encryption.of(Cluster().kubectl, "shop")
    assert (found.scheme, found.database, found.authority) == ("http", False, "")
    assert found.database_url("mongodb://mongodb/", 4711, tmp_path) == "mongodb://127.0.0.1:4711/?directConnection=true"


@pytest.mark.parametrize("arguments", [TLS, SERVING], ids=["own", "OpenShift"])
def test_one_with_tls_is_believed_for_its_authority_alone(arguments: tuple[str, ...], tmp_path: Path) -> None:
    found = Encryption.of(Cluster(*arguments).kubectl, "shop")
    assert (found.scheme, found.host("payment"), found.database) == ("https", "payment-service.shop.svc", True)
    assert isinstance(found.trust, ssl.SSLContext)
    assert found.trust.verify_mode is ssl.CERT_REQUIRED
    assert found.trust.check_hostname
    assert len(found.trust.get_ca_certs()) == 1
    url = urlsplit(found.database_url(URI, 4711, tmp_path))
    assert (url.netloc, url.path) == ("audit:secret@127.0.0.1:4711", "/admin")
    options = parse_qs(url.query)
    assert options["tls"] == ["true"]
    assert Path(options["tlsCAFile"][0]).read_text() == AUTHORITY


def test_without_an_authority_of_its_own_the_systems_count(tmp_path: Path) -> None:
    found = Encryption.of(Cluster(*TLS, authority="").kubectl, "shop")
    assert found.trust is True
    assert "tlsCAFile" not in found.database_url("mongodb://mongodb/", 4711, tmp_path)
