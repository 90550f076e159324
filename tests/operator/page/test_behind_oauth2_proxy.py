"""The page behind the real oauth2-proxy, with the chart's own arguments for it, and an API server that trusts the same
issuer: `make page-proxy-test`, which builds the program. ORDERSAGA_OAUTH2_PROXY names it.
"""

import contextlib
import json
import os
import re
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from dev.stack.parts.certificates import Authority, write_private
from dev.stack.parts.control_plane import ControlPlane
from dev.stack.processes import free_port
from tests.operator.conftest import Sagas, wait_until
from tests.operator.page.cluster_page import OWN, ApiServer, cluster_page
from tests.operator.page.issuer import CLIENT, SignIn
from tests.operator.page.told import PATIENCE, Events
from tests.packaging.chart.charts import rendered

PROGRAM = os.environ.get("ORDERSAGA_OAUTH2_PROXY", "")
NAMESPACE = "signed-in"
pytestmark = pytest.mark.skipif(not PROGRAM, reason="ORDERSAGA_OAUTH2_PROXY names no oauth2-proxy")
CHART = (
    *("--set", "page.enabled=true,page.secret=page-proxy,page.host=localhost,tls.enabled=true"),
    *("--set", "page.oauth2Proxy.issuer=https://localhost,page.oauth2Proxy.refresh=2s"),
)


@dataclass(frozen=True, slots=True)
class Site:
    url: str
    issuer: SignIn
    trust: ssl.SSLContext
    sagas: Sagas
    plane: ControlPlane
    logs: tuple[Path, Path]

    @contextlib.contextmanager
    def browser(
        self, who: str = "", *groups: str, lasts: float = 300.0, refreshes: bool = False
    ) -> Iterator[httpx.Client]:
        """A browser, in which somebody has signed in."""
        with httpx.Client(
            base_url=self.url, verify=self.trust, timeout=30, trust_env=False, follow_redirects=True
        ) as made:
            if who:
                self.issuer.who, self.issuer.groups, self.issuer.lasts = who, list(groups), lasts
                self.issuer.refreshes = refreshes
                assert made.get("").status_code == 200
            yield made


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    authority = Authority(folder / "authority")
    issuer = SignIn(authority, folder)
    plane = ControlPlane(folder / "plane")
    trusted = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "jwt": [
            {
                "issuer": {
                    "url": issuer.url,
                    "audiences": [CLIENT],
                    "certificateAuthority": authority.certificate_file.read_text(),
                },
                "claimMappings": {
                    "username": {"claim": "preferred_username", "prefix": "oidc:"},
                    "groups": {"claim": "groups", "prefix": "oidc:"},
                },
            }
        ],
    }
    (folder / "authentication.json").write_text(json.dumps(trusted))
    plane.apiserver.command += ["--authentication-config", str(folder / "authentication.json")]
    log, port = folder / "page.log", free_port()
    with plane.running(NAMESPACE) as administrator:
        for role, group in (
            ("ordersaga-viewer", "support"),
            ("ordersaga-viewer", "oncall"),
            ("ordersaga-editor", "oncall"),
        ):
            name = f"{group}-{role}"
            words = ("rolebinding", name, "--clusterrole", role, "--group", f"oidc:{group}", "-n", NAMESPACE)
            administrator.kubectl("create", *words)
        api = ApiServer.of(administrator.kubeconfig, folder)
        arguments = ("--check", "1", "--token-header", "authorization")
        with (
            cluster_page(api, NAMESPACE, log, *arguments) as page,
            oauth2_proxy(issuer, authority, folder, port, page.url),
        ):
            trust = ssl.create_default_context(cafile=authority.certificate_file)
            made = Site(
                f"https://localhost:{port}/",
                issuer,
                trust,
                Sagas(administrator.kubeconfig, NAMESPACE),
                plane,
                (log, folder / "proxy.log"),
            )
            with made.browser() as nobody:
                wait_until(lambda: answers(nobody), "the proxy", PATIENCE)
            yield made
    issuer.close()


class oauth2_proxy:  # noqa: N801 - a context manager
    def __init__(self, issuer: SignIn, authority: Authority, folder: Path, port: int, upstream: str) -> None:
        """As the chart runs it, but for the addresses."""
        certificate = authority.server("localhost")
        write_private(folder / "tls.crt", certificate.certificate)
        write_private(folder / "tls.key", certificate.key)
        pod = rendered(*CHART, namespace=NAMESPACE)("Deployment", "ordersaga-page")["spec"]["template"]["spec"]
        (proxy,) = [container for container in pod["containers"] if container["name"] == "proxy"]
        here = {
            "oidc-issuer-url": issuer.url,
            "redirect-url": f"https://localhost:{port}/oauth2/callback",
            "https-address": f"127.0.0.1:{port}",
            "upstream": upstream,
            "tls-cert-file": str(folder / "tls.crt"),
            "tls-key-file": str(folder / "tls.key"),
        }
        words = [re.sub(r"^--([\w-]+)=.*", lambda word: _with(here, word), each) for each in proxy["args"]]
        self._words = [PROGRAM, *words, f"--provider-ca-file={authority.certificate_file}"]
        self._environ = {
            **os.environ,
            "OAUTH2_PROXY_CLIENT_ID": CLIENT,
            "OAUTH2_PROXY_CLIENT_SECRET": "not-so-secret",
            "OAUTH2_PROXY_COOKIE_SECRET": "0123456789abcdef0123456789abcdef",
        }
        self._log = folder / "proxy.log"

    def __enter__(self) -> "oauth2_proxy":
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._words, env=self._environ, stdout=log, stderr=log)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()  # asked to end, it waits for the streams that are open
        self._process.wait()


def _with(here: dict[str, str], word: re.Match[str]) -> str:
    return f"--{word[1]}={here[word[1]]}" if word[1] in here else word[0]


def answers(client: httpx.Client) -> bool | None:
    try:
        return client.get("ping").status_code == 200 or None
    except httpx.TransportError:
        return None


def test_whoever_has_not_signed_in_is_sent_to_the_issuer_and_an_open_page_is_told(site: Site) -> None:
    with site.browser() as browser:
        sent = browser.get("", follow_redirects=False)
        assert sent.status_code == 302
        assert sent.headers["Location"].startswith(f"{site.issuer.url}/authorize?")
        assert browser.get("api/context", follow_redirects=False).status_code == 401
        assert browser.get("api/events", follow_redirects=False).status_code == 401


def test_each_is_known_to_the_api_server_by_their_own_name(site: Site) -> None:
    site.sagas.create("o-through", finalizer=False)
    with (
        site.browser("ann", "support") as ann,
        site.browser("bob", "oncall") as bob,
        site.browser("eve", "none") as eve,
    ):
        seen = ann.get("api/context").json()
        assert (seen["user"], seen["may"]) == ("oidc:ann", {"patch": False})
        assert bob.get("api/context").json()["user"] == "oidc:bob"
        for path in ("context", "sagas", "sagas/o-through", "events"):
            refused = eve.get(f"api/{path}")
            assert refused.status_code == 403
            assert 'User "oidc:eve" cannot list' in refused.json()["detail"]
        asked = {"action": "suspend", "orders": ["o-through"]}
        (not_done,) = ann.post("api/actions", json=asked, headers=OWN).json()["results"]
        assert 'User "oidc:ann" cannot patch' in not_done["says"]
        assert bob.post("api/actions", json=asked).status_code == 403, "another site, for all that is known"
        (done,) = bob.post("api/actions", json=asked, headers=OWN).json()["results"]
        assert done["ok"], done
    assert site.sagas.get("o-through")["spec"]["requestedBy"] == "oidc:bob"


def test_what_happens_comes_through_the_proxy_at_once(site: Site) -> None:
    with site.browser("ann", "support") as ann:
        events = Events(ann, q="o-streamed")
        events.until("list", lambda told: told["live"])
        begun = time.monotonic()
        site.sagas.create("o-streamed", finalizer=False)
        events.until("list", lambda told: told["total"] == 1)
        assert time.monotonic() - begun < 5
        events.close()


def test_the_proxy_takes_away_what_a_browser_says_of_itself(site: Site) -> None:
    administrator = site.plane.administrator
    token = administrator.kubectl("create", "token", "ordersaga-operator", "-n", NAMESPACE).stdout.strip()
    forged = {"Authorization": f"Bearer {token}", "X-Forwarded-User": "admin", "Impersonate-User": "admin"}
    with site.browser("ann", "support") as ann:
        assert ann.get("api/context", headers=forged).json()["user"] == "oidc:ann"
    with site.browser() as nobody:
        assert nobody.get("api/context", headers=forged).status_code == 401


def test_when_the_token_has_expired_the_page_says_so_and_one_signs_in_again(site: Site) -> None:
    with site.browser("ann", "support", lasts=12) as ann:
        events = Events(ann, q="o-none")
        events.until("list", lambda told: told["live"])
        over = events.until("over", lambda told: told)
        assert over["status"] == 401
        assert "sign-in" in over["why"]
        assert ann.get("api/context").status_code == 401
        site.issuer.lasts = 300
        back = ann.get("oauth2/start", params={"rd": "/?saga=o-1"})
        assert back.status_code == 200
        assert str(back.url).endswith("/?saga=o-1")
        assert ann.get("api/context").json()["user"] == "oidc:ann"


def test_a_token_is_renewed_before_it_expires_where_the_issuer_allows_it(site: Site) -> None:
    with site.browser("bob", "oncall", lasts=12, refreshes=True) as bob:
        until = time.monotonic() + 25
        while time.monotonic() < until:
            assert bob.get("api/context").json()["user"] == "oidc:bob"
            time.sleep(1)


def test_neither_the_page_nor_the_proxy_writes_a_token_down(site: Site) -> None:
    with site.browser("ann", "support") as ann:
        assert ann.get("api/context").status_code == 200
    for log in site.logs:
        assert not re.search(r"eyJ[\w-]+\.eyJ|code=code-", log.read_text()), log
