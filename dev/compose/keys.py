"""Keys, certificates and kubeconfigs of the control plane, made by the same code as the local stack's."""

import json
import shutil
from pathlib import Path

from dev.compose.state import ADMINISTRATOR, AUTHORITY, CONTROL_PLANE, NAMESPACE, SERVER
from dev.stack.parts.certificates import Authority, Identity, token_keys, write_private
from dev.stack.parts.kubeconfig import write_kubeconfig

# The names under which the API server is reached: in the Compose network, on this machine, and inside a cluster.
SERVER_NAMES = ("kube-apiserver", "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")


def write_keys() -> None:
    """Make the authority and the token key if they are missing, and new certificates each time."""
    authority = Authority(AUTHORITY)
    CONTROL_PLANE.mkdir(exist_ok=True)
    trusted = CONTROL_PLANE / "authority.crt"
    shutil.copyfile(authority.certificate_file, trusted)
    token_keys(CONTROL_PLANE)
    server = authority.server(*SERVER_NAMES)
    (CONTROL_PLANE / "apiserver.crt").write_bytes(server.certificate)
    write_private(CONTROL_PLANE / "apiserver.key", server.key)

    def kubeconfig(path: Path, user: Identity) -> None:
        write_kubeconfig(path, url=SERVER, authority=trusted, user=user.kubeconfig(), namespace=NAMESPACE)

    kubeconfig(ADMINISTRATOR, authority.client("admin", "system:masters"))
    kubeconfig(CONTROL_PLANE / "controller-manager.kubeconfig", authority.client("system:kube-controller-manager"))


def administrators_kubeconfig(url: str) -> str:
    """The administrator's kubeconfig for a client that reaches the API server at `url`."""
    config = json.loads(ADMINISTRATOR.read_text())
    config["clusters"][0]["cluster"]["server"] = url
    return json.dumps(config, indent=2)
