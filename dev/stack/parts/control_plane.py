"""A real etcd and kube-apiserver on 127.0.0.1, and their administrator."""

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dev.setup.binaries import find
from dev.stack.parts import certificates
from dev.stack.parts.admin import Administrator
from dev.stack.parts.kubeconfig import write_kubeconfig
from dev.stack.ports import free_ports
from dev.stack.processes import Process, answers, wait_ready

# Not routed anywhere: only Services would take addresses from it, and we have none besides `kubernetes`.
SERVICE_RANGE = "198.19.0.0/24"
ISSUER = "https://kubernetes.default.svc.cluster.local"


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
            ready=lambda: answers(f"{self.url}/health"),
        )

    def start(self) -> None:
        """Start it; the data folder is made, readable by its owner only."""
        self._data.mkdir(parents=True, exist_ok=True, mode=0o700)
        super().start()


class KubeApiserver(Process):
    """The API server, with TLS under our own authority and RBAC as everywhere."""

    def __init__(self, binary: Path, *, etcd: Etcd, folder: Path, port: int, log: Path) -> None:
        self.url = f"https://127.0.0.1:{port}"
        self._folder = folder
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
            ready=lambda: answers(f"{self.url}/readyz", trust),
        )

    def rotate_token_key(self) -> None:
        """From the next start on tokens are signed with a new key; those of the keys before are still good."""
        at = self.command.index("--service-account-signing-key-file")
        known = self.command.count("--service-account-key-file")
        private, public = certificates.token_keys(self._folder, f"sa-{known + 1}")
        self.command[at : at + 2] = ["--service-account-key-file", str(public), self.command[at], str(private)]


class ControlPlane:
    """etcd and kube-apiserver with their data in one folder."""

    def __init__(
        self,
        folder: Path,
        *,
        ports: Sequence[int] | None = None,
        kubeconfig: Path | None = None,
        logs: Path | None = None,
        namespace: str = "shop",
        fsync: bool = True,
    ) -> None:
        """`ports`: of etcd's clients, of its peers, of the API server; any free ones if none are given.

        `kubeconfig`: where to write the administrator's; it and the logs are in `folder` unless told otherwise.
        Raises StackError when a program is missing.
        """
        ports, logs, kubeconfig = ports or free_ports(3), logs or folder, kubeconfig or folder / "kubeconfig"
        self.etcd = Etcd(
            find("etcd"),
            data=folder / "etcd",
            port=ports[0],
            peer_port=ports[1],
            log=logs / "etcd.log",
            fsync=fsync,
        )
        self.apiserver = KubeApiserver(
            find("kube-apiserver"),
            etcd=self.etcd,
            folder=folder / "certificates",
            port=ports[2],
            log=logs / "kube-apiserver.log",
        )
        self.url = self.apiserver.url
        write_kubeconfig(
            kubeconfig,
            url=self.url,
            authority=self.apiserver.authority.certificate_file,
            user=self.apiserver.authority.client("admin", "system:masters").kubeconfig(),
            namespace=namespace,
        )
        self.administrator = Administrator(find("kubectl"), kubeconfig)

    def start(self) -> None:
        """Start both; they find each other."""
        self.etcd.start()
        self.apiserver.start()

    @contextmanager
    def running(self, namespace: str = "shop", *, defined: bool = True) -> Iterator[Administrator]:
        """Its administrator, with both ready and what we ship installed in `namespace`; both are ended afterwards.

        `defined`: False leaves the resource definition out.
        """
        self.start()
        try:
            wait_ready([self.etcd, self.apiserver])
            self.administrator.install(namespace, defined=defined)
            if defined:
                self.administrator.wait_for_schema()
            yield self.administrator
        finally:
            self.stop()

    def stop(self) -> None:
        """End both, the API server first."""
        self.apiserver.stop()
        self.etcd.stop()
