"""Which programs are used, and where they are found."""

import os
import platform
import shutil
from pathlib import Path

from dev.errors import StackError
from dev.paths import cache

KUBERNETES = "1.36.4"
ETCD = "3.6.8"
KUBECTL = "1.37.1"
MONGODB = "6.0.5"

FOLDERS = {
    "etcd": f"kubernetes-{KUBERNETES}",
    "kube-apiserver": f"kubernetes-{KUBERNETES}",
    "kubectl": f"kubectl-{KUBECTL}",
    "mongod": f"mongodb-{MONGODB}",
}


def cached(name: str) -> Path:
    """Where the cache folder keeps this program, whether it is there or not."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return cache() / "bin" / f"{platform.system().lower()}-{machine}" / FOLDERS[name] / name


def find(name: str) -> Path:
    """The program that is configured (ORDERSAGA_ETCD, …), or the cached one. Raises StackError if there is none."""
    if configured := os.environ.get(f"ORDERSAGA_{name.upper().replace('-', '_')}"):
        return Path(configured)
    path = cached(name)
    if path.exists():
        return path
    if found := shutil.which(name):
        return Path(found)
    raise StackError(f"{name} is missing: `make binaries` fetches or builds it")
