"""Which programs the stack runs, of which versions, and where they are found.

In this order: what is configured (ORDERSAGA_ETCD, ORDERSAGA_KUBE_APISERVER, ORDERSAGA_KUBECTL, ORDERSAGA_MONGOD),
KUBEBUILDER_ASSETS, PATH, our cache folder. What is configured has to be usable; what is merely found is passed over
if it is too old. Standard library only.
"""

import functools
import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from dev.setup.errors import StackError
from dev.setup.paths import cache

KUBERNETES = "1.36.4"
ENVTEST = "1.36.2"
KUBECTL = "1.37.1"
MONGODB = "6.0.5"

Version = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Program:
    """What makes a program usable, and where the cache folder may hold it."""

    name: str
    oldest: Version
    """The oldest version that will do."""
    why: str
    """What an older one lacks."""
    version_command: tuple[str, ...]
    folders: tuple[str, ...]
    below: Version = (1000, 0)
    """The first version that is too new."""
    file: str = ""
    """The name of its file where that isn't its own name; on PATH it may have either."""

    def fits(self, path: Path) -> bool:
        """Whether the program there runs on this machine, and is of a version that will do."""
        return self.oldest <= (version_of(path, self) or (0, 0)) < self.below


PROGRAMS = {
    program.name: program
    for program in (
        Program(
            "kube-apiserver",
            (1, 32),
            "selectable fields of custom resources",
            ("--version",),
            (f"kubernetes-{KUBERNETES}", f"envtest-{ENVTEST}"),
        ),
        Program(
            "etcd",
            (3, 5),
            "what the API server needs of it",
            ("--version",),
            (f"kubernetes-{KUBERNETES}", f"envtest-{ENVTEST}"),
        ),
        Program(
            "kubectl",
            (1, 35),
            "support for an API server of the pinned version (one minor version off at most)",
            ("version", "--client"),
            (f"kubectl-{KUBECTL}",),
        ),
        Program("mongod", (6, 0), "what the services are tested with", ("--version",), (f"mongodb-{MONGODB}",)),
    )
}


def this_platform() -> tuple[str, str]:
    """Operating system and machine, in Go's words: ("linux", "amd64")."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return platform.system().lower(), machine


def cache_folder(folder: str) -> Path:
    """Where the cache keeps this folder's programs for this platform."""
    return cache() / "bin" / "-".join(this_platform()) / folder


def setting(name: str) -> str:
    """The setting in which a user names their own program: ORDERSAGA_KUBE_APISERVER for "kube-apiserver"."""
    return f"ORDERSAGA_{name.upper().replace('-', '_')}"


@functools.cache
def find(name: str) -> Path:
    """The program of this name. Raises StackError when there is none, or when the configured one is unusable."""
    if found := present(PROGRAMS[name]):
        return found
    raise StackError(f"{name} is missing: `make binaries` gets it (or name yours in {setting(name)})")


def present(program: Program) -> Path | None:
    """The program if this machine has it: configured, in KUBEBUILDER_ASSETS, on PATH, or in our cache folder.

    Raises:
        StackError: when the configured one is unusable.
    """
    if configured := os.environ.get(setting(program.name)):
        path = Path(configured)
        if program.fits(path):
            return path
        version = version_of(path, program)
        have = "can't be run" if version is None else f"is version {_text(version)}"
        needed = f"{_text(program.oldest)} or newer"
        if version and version >= program.below:
            needed = f"a version below {_text(program.below)}"
        raise StackError(f"{setting(program.name)}={path} {have}; {needed} is needed: {program.why}")
    names = dict.fromkeys((program.name, program.file or program.name))
    for folders in (os.environ.get("KUBEBUILDER_ASSETS") or "", None):  # None: PATH
        for found in (shutil.which(name, path=folders) for name in names):
            if found and program.fits(Path(found)):
                return Path(found)
    return cached(program)


def cached(program: Program) -> Path | None:
    """The program that the cache holds, if it does."""
    paths = (cache_folder(folder) / (program.file or program.name) for folder in program.folders)
    return next((path for path in paths if path.exists()), None)


def missing() -> list[str]:
    """The names of the programs that have to be fetched or built. Raises StackError as `present` does."""
    return [program.name for program in PROGRAMS.values() if present(program) is None]


def version_of(path: Path, program: Program) -> Version | None:
    """Major and minor version as the program itself says, or None if it can't be run."""
    try:
        # A program on PATH may be a wrapper that contacts a cluster or the internet first: it gets five seconds.
        answer = subprocess.run(
            [path, *program.version_command], capture_output=True, text=True, timeout=5, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"\bv?(\d+)\.(\d+)\.\d+", answer)
    return (int(match[1]), int(match[2])) if match else None


def _text(version: Version) -> str:
    return ".".join(str(part) for part in version)
