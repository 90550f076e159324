"""The five services, the operator and the page as processes: their commands, environment, ports and questions."""

import os
import ssl
import sys
from dataclasses import dataclass, field
from pathlib import Path

from dev.setup.paths import CHECKOUT
from dev.stack.processes import Process, answers


@dataclass(frozen=True, slots=True)
class Wiring:
    """What the programs have to know of each other."""

    mongodb_url: str
    logs: Path
    service_ports: dict[str, int]
    """Port by service name."""
    health_port: int
    """Where the operator answers /healthz, /readyz and /metrics."""
    database_prefix: str = "ordersaga_"
    namespace: str = "shop"
    log_format: str = "text"
    certificate: Path | None = None
    """A folder with `tls.crt`, `tls.key` and `ca.crt`, for localhost: then the services speak TLS."""
    extra: dict[str, str] = field(default_factory=dict)
    """More environment, for all of them."""

    def url(self, service: str) -> str:
        """The base URL of a service."""
        if self.certificate is not None:
            return f"https://localhost:{self.service_ports[service]}"
        return f"http://127.0.0.1:{self.service_ports[service]}"

    def trust(self) -> ssl.SSLContext | None:
        """What the services' certificates are checked with."""
        return None if self.certificate is None else ssl.create_default_context(cafile=self.certificate / "ca.crt")

    def tls(self) -> dict[str, str]:
        """The environment for TLS."""
        if (folder := self.certificate) is None:
            return {}
        return {
            "UVICORN_SSL_CERTFILE": str(folder / "tls.crt"),
            "UVICORN_SSL_KEYFILE": str(folder / "tls.key"),
            "ORDERSAGA_CA_FILE": str(folder / "ca.crt"),
        }

    def env(self) -> dict[str, str]:
        """The environment that all of them get."""
        return {
            "ORDERSAGA_MONGODB_URL": self.mongodb_url,
            "ORDERSAGA_DATABASE_PREFIX": self.database_prefix,
            "ORDERSAGA_NAMESPACE": self.namespace,
            "ORDERSAGA_LOG_FORMAT": self.log_format,
            **{f"ORDERSAGA_{name.upper()}_URL": self.url(name) for name in self.service_ports},
            "PYTHONUNBUFFERED": "1",
            **self.tls(),
            **self.extra,
        }


class Service(Process):
    """One FastAPI service under uvicorn, one process."""

    def __init__(self, name: str, wiring: Wiring, *, kubeconfig: Path, tokens: Path) -> None:
        """`kubeconfig`: of the service's own account. It identifies its callers by what it reads there. `tokens`: a
        folder with its own for its neighbours.
        """
        self.port = wiring.service_ports[name]
        self.url = wiring.url(name)
        super().__init__(
            f"{name} service",
            [
                *(sys.executable, "-m", "uvicorn", f"services.{name}.main:app", "--host", "127.0.0.1"),
                *("--port", str(self.port), "--loop", "uvloop", "--no-access-log"),
                # longer than the operator keeps an idle connection (30 s): a call never meets one that is just closing
                *("--timeout-keep-alive", "75"),
            ],
            log=wiring.logs / f"{name}.log",
            ready=lambda: answers(f"{self.url}/ready", wiring.trust()),
            env={
                **wiring.env(),
                "KUBECONFIG": str(kubeconfig),
                "ORDERSAGA_AUTHENTICATION": os.environ.get("ORDERSAGA_AUTHENTICATION", "kubernetes"),
                "ORDERSAGA_AUTHENTICATION_PODS_ONLY": "false",  # here the callers are processes
                "ORDERSAGA_TOKENS": str(tokens),
            },
            cwd=CHECKOUT,
        )


class Operator(Process):
    """The operator, as the ServiceAccount of its kubeconfig."""

    def __init__(self, wiring: Wiring, *, kubeconfig: Path, tokens: Path, identity: str = "local") -> None:
        """`tokens`: a folder with one for each service. `identity`: stays the same over restarts, so that a killed one
        gets its Lease back at once.
        """
        self.health = f"http://127.0.0.1:{wiring.health_port}/healthz"
        super().__init__(
            "operator",
            [sys.executable, "-m", "saga_operator"],
            log=wiring.logs / "operator.log",
            ready=lambda: answers(self.health),
            env={
                **wiring.env(),
                "KUBECONFIG": str(kubeconfig),
                "ORDERSAGA_KUBECONFIG": str(kubeconfig),
                "ORDERSAGA_TOKENS": str(tokens),
                "ORDERSAGA_HEALTH_PORT": str(wiring.health_port),
                "ORDERSAGA_IDENTITY": identity,
            },
            cwd=CHECKOUT,
        )


class Page(Process):
    """`kubectl saga ui`, as the person who runs the stack: with their kubeconfig, at an address with a secret in it."""

    def __init__(self, wiring: Wiring, *, kubeconfig: Path, secret: Path, port: int) -> None:
        """`secret`: the file that keeps the address's secret, so that it stays the same over restarts."""
        self._secret, self._port = secret, port
        super().__init__(
            "page",
            [
                *(sys.executable, "-m", "ordersaga", "saga", "ui", "--no-browser", "--anyway"),
                *("--kubeconfig", kubeconfig, "--namespace", wiring.namespace),
                *("--port", str(port), "--secret-file", secret),
            ],
            log=wiring.logs / "page.log",
            ready=lambda: secret.exists() and answers(f"http://127.0.0.1:{port}/healthz"),
            cwd=CHECKOUT,
        )

    @property
    def url(self) -> str:
        """For a browser of this machine; known when the page is ready."""
        return f"http://127.0.0.1:{self._port}/{self._secret.read_text('ascii').strip()}/"
