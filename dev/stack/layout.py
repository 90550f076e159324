"""The local stack's folder and ports: defaults that rarely collide, each a setting.

Environment: ORDERSAGA_LOCAL_FOLDER, and ORDERSAGA_LOCAL_{ORDER,INVENTORY,PAYMENT,SHIPPING,NOTIFICATION,HEALTH,PAGE,
APISERVER,ETCD,ETCD_PEER,MONGOD}_PORT.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from common.services import SERVICES
from dev.setup.errors import StackError
from dev.setup.paths import STATE
from dev.stack.ports import describe_holders, in_use

# The services' ports are part of their public description; the three behind them are far from the usual ones
# (6443, 2379, 27017), where a developer's own cluster or database may listen.
PORTS = {
    **SERVICES,
    "health": 8080,
    "page": 8090,
    "apiserver": 16443,
    "etcd": 12379,
    "etcd_peer": 12380,
    "mongod": 17017,
}


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a stack keeps its things, and where its parts listen."""

    folder: Path
    ports: dict[str, int]

    @classmethod
    def from_environment(cls) -> "Layout":
        """The defaults, where the environment names no other folder or port."""
        folder = Path(os.environ.get("ORDERSAGA_LOCAL_FOLDER", STATE)).resolve()
        ports = {
            name: int(os.environ.get(f"ORDERSAGA_LOCAL_{name.upper()}_PORT", port)) for name, port in PORTS.items()
        }
        return cls(folder, ports)

    @property
    def data(self) -> Path:
        """What `--fresh` drops: the databases, the certificates."""
        return self.folder / "data"

    @property
    def logs(self) -> Path:
        """One log file per part."""
        return self.folder / "logs"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.folder / "kubeconfig"

    @property
    def kubectl(self) -> Path:
        """A script that runs kubectl with that kubeconfig."""
        return self.folder / "kubectl"

    def require_free_ports(self) -> None:
        """Raises StackError naming the holder of a port that we need."""
        for name, port in self.ports.items():
            if in_use(port):
                hint = "scripts/cleanup_ports.sh frees it if it is a leftover of ours; otherwise"
                if name not in SERVICES:
                    hint = "end it, or"
                raise StackError(
                    f"port {port} ({name.replace('_', ' ')}) is held by {describe_holders(port)}: {hint} name another "
                    f"one in ORDERSAGA_LOCAL_{name.upper()}_PORT"
                )
