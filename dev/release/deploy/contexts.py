"""Which cluster a script uses, and whether it is on this machine."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from dev.release.deploy.shell import Shell
from dev.setup.errors import StackError

# Clusters that these tools make on one's own machine, by the names that they give to their contexts.
LOCAL_NAMES = re.compile(
    r"kind-.+|k3d-.+|minikube|docker-desktop|rancher-desktop|colima(-.+)?|orbstack|microk8s|crc-.+|.*/api-crc-testing:.+"
)
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1", "host.docker.internal", "kubernetes.docker.internal", "api.crc.testing")


@dataclass(frozen=True, slots=True)
class Cluster:
    """A context of the kubeconfig: its name, the address of its API server."""

    kubectl: str
    context: str
    server: str

    @property
    def local(self) -> bool:
        """Whether it is on this machine, judged by the context's name and the server's address."""
        return bool(LOCAL_NAMES.fullmatch(self.context)) or urlsplit(self.server).hostname in LOCAL_HOSTS

    def command(self, *words: str) -> list[str]:
        """kubectl (or oc) against this cluster, even if the current context changes later."""
        return [self.kubectl, "--context", self.context, *words]

    def require_permission(self, *, allow_remote: bool) -> None:
        """Raises StackError for a cluster that isn't on this machine, unless `allow_remote`."""
        if not self.local and not allow_remote:
            raise StackError(
                f"context {self.context} ({self.server}) isn't a cluster on this machine: "
                "add --allow-remote if you mean it"
            )


def find(shell: Shell, kubectl: str, context: str | None) -> Cluster:
    """The given context, or the current one. Raises StackError when there is none."""
    name = context or shell.read([kubectl, "config", "current-context"])
    if not name:
        raise StackError(f"{kubectl} has no current context: make a cluster (`kind create cluster`), or log in to one")
    server = shell.read(
        [kubectl, "--context", name, "config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}"]
    )
    if not server:
        raise StackError(f"{kubectl} knows no context {name}: `{kubectl} config get-contexts` lists them")
    return Cluster(kubectl, name, server)
