"""A real etcd and kube-apiserver on 127.0.0.1, with our resource, our Roles and a kubeconfig for each user."""

import json
import ssl
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from dev import certificates
from dev.errors import StackError
from dev.kubeconfig import write_kubeconfig
from dev.paths import CHECKOUT
from dev.processes import Process

# Not routed anywhere: only Services would take addresses from it, and we have none besides `kubernetes`.
SERVICE_RANGE = "198.19.0.0/24"
ISSUER = "https://kubernetes.default.svc.cluster.local"
# A token outlives a working day by far; the supervisor writes new ones each day, and each start does.
TOKEN_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True)
class Binaries:
    """Paths of the programs."""

    etcd: Path
    kube_apiserver: Path
    kubectl: Path


class Etcd(Process):
    """The API server's database."""

    def __init__(self, binary: Path, *, data: Path, port: int, peer_port: int, log: Path, fsync: bool = True) -> None:
        self.url = f"http://127.0.0.1:{port}"
        peer = f"http://127.0.0.1:{peer_port}"
        self._data = data
        super().__init__(
            "etcd",
            [
                binary,
                *("--data-dir", data, "--listen-client-urls", self.url, "--advertise-client-urls", self.url),
                *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
                *("--initial-cluster", f"default={peer}", "--log-level", "warn"),
                *(() if fsync else ("--unsafe-no-fsync",)),
            ],
            log=log,
            ready=lambda: _answers(f"{self.url}/health"),
        )

    def start(self) -> None:
        """Start it; the data folder is made, readable by its owner only."""
        self._data.mkdir(parents=True, exist_ok=True, mode=0o700)
        super().start()


class KubeApiserver(Process):
    """The API server, with TLS under our own authority and RBAC as everywhere."""

    def __init__(self, binary: Path, *, etcd: Etcd, folder: Path, port: int, log: Path) -> None:
        self.url = f"https://127.0.0.1:{port}"
        self.authority = certificates.Authority(folder)
        private, public = certificates.token_keys(folder)
        server = self.authority.server("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
        certificate_file, key_file = folder / "apiserver.crt", folder / "apiserver.key"
        certificate_file.write_bytes(server.certificate)
        certificates.write_private(key_file, server.key)
        trust = ssl.create_default_context(cafile=self.authority.certificate_file)
        super().__init__(
            "kube-apiserver",
            [
                binary,
                *("--etcd-servers", etcd.url, "--secure-port", str(port), "--bind-address", "127.0.0.1"),
                *("--tls-cert-file", certificate_file, "--tls-private-key-file", key_file, "--cert-dir", folder),
                *("--client-ca-file", self.authority.certificate_file, "--authorization-mode", "RBAC"),
                *("--service-cluster-ip-range", SERVICE_RANGE, "--service-account-issuer", ISSUER),
                *("--service-account-key-file", public, "--service-account-signing-key-file", private),
            ],
            log=log,
            ready=lambda: _answers(f"{self.url}/readyz", trust),
        )


class ControlPlane:
    """etcd and kube-apiserver in one folder, and what is done to them from outside."""

    def __init__(
        self,
        binaries: Binaries,
        *,
        folder: Path,
        logs: Path,
        ports: tuple[int, int, int],
        kubeconfig: Path | None = None,
        namespace: str = "shop",
        fsync: bool = True,
    ) -> None:
        """`ports`: of etcd's clients, of its peers, and of the API server."""
        self.folder = folder
        self.namespace = namespace
        self.binaries = binaries
        self.etcd = Etcd(
            binaries.etcd,
            data=folder / "etcd",
            port=ports[0],
            peer_port=ports[1],
            log=logs / "etcd.log",
            fsync=fsync,
        )
        self.apiserver = KubeApiserver(
            binaries.kube_apiserver,
            etcd=self.etcd,
            folder=folder / "certificates",
            port=ports[2],
            log=logs / "kube-apiserver.log",
        )
        self.url = self.apiserver.url
        self.kubeconfig = kubeconfig or folder / "kubeconfig"
        self._write_kubeconfig(self.kubeconfig, self.apiserver.authority.client("admin", "system:masters").kubeconfig())

    def start(self) -> None:
        """Start both; they find each other."""
        self.etcd.start()
        self.apiserver.start()

    def stop(self) -> None:
        """End both, the API server first."""
        self.apiserver.stop()
        self.etcd.stop()

    def kubectl(
        self,
        *args: str | Path,
        input: str | None = None,  # noqa: A002 - the name it has in subprocess.run
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as administrator in our namespace. Raises StackError with its message if `check` and it fails."""
        return run_kubectl(self.binaries.kubectl, self.kubeconfig, *args, input=input, check=check)

    def install(self) -> None:
        """Apply the namespace, the resource definition and the ServiceAccounts, Roles and bindings that we ship."""
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        apply = ("apply", "--server-side", "--force-conflicts", "-f")
        self.kubectl(*apply, "-", input=json.dumps(namespace))
        shipped = [path for path in (CHECKOUT / "crds", CHECKOUT / "manifests" / "rbac") if any(path.glob("*.yaml"))]
        if shipped:
            self.kubectl(*apply, ",".join(str(path) for path in shipped))
            self.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd/ordersagas.ordersaga.io")

    def identity(self, account: str) -> Path:
        """A kubeconfig for this ServiceAccount, with a fresh token in a file beside it (mode 0600)."""
        self.renew_token(account)
        return self.identity_file(account)

    def identity_file(self, account: str) -> Path:
        """The kubeconfig of this ServiceAccount; it works once `renew_token` was called."""
        path = self.folder / f"{account}.kubeconfig"
        self._write_kubeconfig(path, {"tokenFile": str(self.folder / f"{account}.token")})
        return path

    def renew_token(self, account: str) -> None:
        """Put a fresh token for this ServiceAccount into its file."""
        token = self.kubectl("create", "token", account, f"--duration={TOKEN_SECONDS}s").stdout.strip()
        certificates.write_private(self.folder / f"{account}.token", token.encode())

    def _write_kubeconfig(self, path: Path, user: dict[str, str]) -> None:
        authority = self.apiserver.authority.certificate_file
        write_kubeconfig(path, url=self.url, authority=authority, user=user, namespace=self.namespace)


def run_kubectl(
    binary: Path,
    config: Path,
    *args: str | Path,
    input: str | None = None,  # noqa: A002 - subprocess's own name
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run kubectl with this kubeconfig. Raises StackError with kubectl's own message if `check` and it fails."""
    command = [str(binary), "--kubeconfig", str(config), *(str(arg) for arg in args)]
    result = subprocess.run(command, input=input, capture_output=True, text=True, check=False)
    if check and result.returncode:
        raise StackError(f"kubectl {' '.join(command[3:])} failed: {result.stderr.strip() or result.stdout.strip()}")
    return result


def _answers(url: str, trust: ssl.SSLContext | None = None) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2, context=trust) as answer:  # noqa: S310 - our own addresses
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
