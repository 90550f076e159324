"""The published archive of the control plane: the real code in a fresh Python, against a local file server."""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest

from dev.setup.binaries import ENVTEST, cache_folder, find, this_platform
from dev.setup.paths import CHECKOUT
from dev.stack.processes import free_port

# What `make binaries` does before it builds, with each thing that it is doing as a line of its own.
ASK = """
import sys, threading, time
from dev.setup import downloads
from dev.setup.jobs import Job
from dev.setup.paths import cache

job = Job("archive", "", lambda job: print(f"answer: {downloads.envtest(job)}\\n", end="", flush=True))
job.log = cache() / "log"
thread = threading.Thread(target=job)
thread.start()
told = ""
while thread.is_alive():
    if job.doing != told:
        print(told := job.doing, flush=True)
    time.sleep(0.01)
if job.error is not None:
    sys.exit(str(job.error))
"""
ETCD = "etcd Version: 3.6.8"
APISERVER = f"Kubernetes v{ENVTEST}"
NAME = f"envtest-v{ENVTEST}-{'-'.join(this_platform())}.tar.gz"
PATIENCE = 90.0


def archive(**programs: str) -> bytes:
    """An archive as the Kubernetes project packs it, of programs that only say their version."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as files:
        for name, says in {"kubectl": "a third program", **programs}.items():
            content = f"#!/bin/sh\necho '{says}'\n#{os.urandom(4096).hex()}\n".encode()
            member = tarfile.TarInfo(f"controller-tools/envtest/{name.replace('_', '-')}")
            member.size, member.mode = len(content), 0o755
            files.addfile(member, io.BytesIO(content))
    return packed.getvalue()


class Mirror(ThreadingHTTPServer):
    """A file server; the first folder of the path says how it behaves."""

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.content = content
        self.sent: list[str] = []
        self.half_sent = Event()
        self.go_on = Event()

    def url(self, behaviour: str) -> str:
        """The mirror's address for ORDERSAGA_ENVTEST_URL."""
        return f"http://127.0.0.1:{self.server_port}/{behaviour}"


class Answer(BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:
        mirror, (_, behaviour, *rest) = self.server, self.path.split("/")
        mirror.sent.append(self.path)
        if behaviour.isdigit():
            self.send_error(int(behaviour))
        elif rest != ([] if behaviour == "mine.tar.gz" else [f"envtest-v{ENVTEST}", NAME]):
            self.send_error(404)
        elif behaviour == "silent":
            mirror.go_on.wait()
        elif behaviour == "babbling":
            self.wfile.write(b"that is no HTTP\r\n\r\n")
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(mirror.content)))
            self.end_headers()
            half = len(mirror.content) // 2
            self.wfile.write(mirror.content[:half])
            self.wfile.flush()
            mirror.half_sent.set()
            if behaviour == "stuck":
                mirror.go_on.wait()
            if behaviour != "cut":
                self.wfile.write(mirror.content[half:])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        pass


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with Mirror(archive(etcd=ETCD, kube_apiserver=APISERVER)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.go_on.set()
        server.shutdown()


class Machine:
    """A machine with an empty cache, and programs of other kinds already there."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self.cache.mkdir()

    def environment(self, url: str, sha512: str) -> dict[str, str]:
        """For a process on this machine that knows this mirror and this sum ("": the pinned one)."""
        foreign = ("ORDERSAGA_", "KUBEBUILDER_")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        return {
            **{name: value for name, value in clean.items() if not name.lower().endswith("_proxy")},
            "PATH": "/usr/bin:/bin",
            "ORDERSAGA_CACHE": str(self.cache),
            "ORDERSAGA_ENVTEST_URL": url,
            "ORDERSAGA_ENVTEST_SHA512": sha512,
        }

    def start(self, url: str, sha512: str = "") -> subprocess.Popen[str]:
        """Ask for the archive."""
        return subprocess.Popen(
            [sys.executable, "-c", ASK],
            cwd=CHECKOUT,
            env=self.environment(url, sha512),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ask(self, url: str, sha512: str = "") -> tuple[str, str]:
        """The answer, and what a person reads when it is refused."""
        with self.start(url, sha512) as process:
            return self.result(process)

    def result(self, process: subprocess.Popen[str]) -> tuple[str, str]:
        said, refused = process.communicate(timeout=PATIENCE)
        answer, _, _ = said.partition("answer: ")[2].partition("\n")  # what it was doing may be told after it
        return answer, refused.strip()

    def installed(self) -> dict[str, Path]:
        """Every file that isn't the cache's own bookkeeping, by its name."""
        return {path.name: path for path in self.cache.rglob("*") if path.is_file() and path.parent != self.cache}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "cache")


def sha512(content: bytes) -> str:
    return hashlib.sha512(content).hexdigest()


def bootstrap(machine: Machine, url: str, sum_: str) -> subprocess.CompletedProcess[str]:
    """`make binaries`, on a machine that lacks nothing but the control plane."""
    others = {f"ORDERSAGA_{name.upper()}": str(find(name)) for name in ("kubectl", "mongod")}
    return subprocess.run(
        [sys.executable, "-m", "dev.setup.bootstrap", "binaries"],
        cwd=CHECKOUT,
        env={**machine.environment(url, sum_), **others},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def test_the_right_archive_brings_both_programs(machine: Machine, mirror: Mirror) -> None:
    done = bootstrap(machine, mirror.url("well"), sha512(mirror.content))
    assert done.returncode == 0, done.stderr
    assert set(machine.installed()) == {"etcd", "kube-apiserver"}
    for name, says in (("etcd", ETCD), ("kube-apiserver", APISERVER)):
        question = f"from dev.setup.binaries import find; print(find({name!r}))"
        env = machine.environment("", "")
        found = subprocess.check_output([sys.executable, "-c", question], cwd=CHECKOUT, env=env, text=True).strip()
        assert found == str(machine.installed()[name])
        assert Path(found).parent.name == cache_folder(f"envtest-{ENVTEST}").name
        assert subprocess.check_output([found], text=True).strip() == says


def test_an_archive_of_ones_own_is_named_with_its_sum(machine: Machine, mirror: Mirror) -> None:
    assert machine.ask(mirror.url("mine.tar.gz"), sha512(mirror.content).upper()) == ("True", "")
    assert set(machine.installed()) == {"etcd", "kube-apiserver"}


def test_a_mirror_alone_still_has_to_meet_the_pinned_sum(machine: Machine, mirror: Mirror) -> None:
    refused = bootstrap(machine, mirror.url("well"), "")
    assert refused.returncode == 1
    assert refused.stderr.strip() == (
        f"{mirror.url('well')}/envtest-v{ENVTEST}/{NAME} is not the file that was pinned (its sha512 differs): "
        "nothing was installed"
    )
    assert machine.installed() == {}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<html>please log in</html>", "is not a .tar.gz that can be read"),
        (archive(etcd=ETCD, kube_apiserver=APISERVER)[:-3000], "is not a .tar.gz that can be read"),
        (archive(etcd=ETCD), "holds no kube-apiserver that can be used here"),
        (archive(etcd=ETCD, kube_apiserver="Kubernetes v1.30.2"), "holds no kube-apiserver that can be used here"),
    ],
    ids=["page", "torn", "incomplete", "old"],
)
def test_an_archive_that_is_of_no_use_installs_nothing(
    machine: Machine, mirror: Mirror, content: bytes, reason: str
) -> None:
    mirror.content = content
    answer, refused = machine.ask(mirror.url("well"), sha512(content))
    assert not answer
    assert reason in refused
    assert len(refused.splitlines()) == 1
    assert machine.installed() == {}


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("404", "404"),
        ("500", "500"),
        ("cut", "the connection ended after"),
        ("babbling", "that is no HTTP"),
    ],
)
def test_where_it_cannot_be_had_it_is_built(machine: Machine, mirror: Mirror, behaviour: str, reason: str) -> None:
    assert machine.ask(mirror.url(behaviour), sha512(mirror.content)) == ("False", "")
    assert machine.installed() == {}
    assert reason in (machine.cache / "log").read_text()


def test_where_nobody_listens_it_is_built(machine: Machine) -> None:
    assert machine.ask(f"http://127.0.0.1:{free_port()}") == ("False", "")
    assert machine.ask("no address at all") == ("False", "")
    assert machine.ask("http://127.0.0.1:http") == ("False", "")
    assert machine.ask("") == ("False", "")
    assert machine.installed() == {}


def test_a_server_that_falls_silent_is_left(tmp_path: Path, mirror: Mirror) -> None:
    machines = {behaviour: Machine(tmp_path / behaviour) for behaviour in ("silent", "stuck")}
    with ExitStack() as stack:  # both at once: each waits for some seconds
        asked = {
            name: stack.enter_context(each.start(mirror.url(name), sha512(mirror.content)))
            for name, each in machines.items()
        }
        for name, process in asked.items():
            assert machines[name].result(process) == ("False", "")
            assert machines[name].installed() == {}


def test_a_proxy_is_not_asked_for_what_it_is_not_for(machine: Machine, mirror: Mirror) -> None:
    proxied = {"http_proxy": f"http://127.0.0.1:{free_port()}", "no_proxy": "127.0.0.1"}
    env = {**machine.environment(mirror.url("well"), sha512(mirror.content)), **proxied}
    said = subprocess.check_output([sys.executable, "-c", ASK], cwd=CHECKOUT, env=env, text=True, timeout=PATIENCE)
    assert "answer: True" in said


def test_a_killed_download_leaves_nothing_that_is_taken_for_a_program(machine: Machine, mirror: Mirror) -> None:
    with machine.start(mirror.url("stuck"), sha512(mirror.content)) as process:
        assert mirror.half_sent.wait(PATIENCE)
        process.kill()
    assert not {"etcd", "kube-apiserver"} & set(machine.installed())
    assert machine.ask(mirror.url("well"), sha512(mirror.content)) == ("True", "")
    assert set(machine.installed()) == {"etcd", "kube-apiserver"}
    assert not list((machine.cache / "tmp").iterdir()), "what the killed one left is gone"


def test_two_at_the_same_time_download_once(machine: Machine, mirror: Mirror) -> None:
    url = mirror.url("stuck")
    with machine.start(url, sha512(mirror.content)) as first:
        assert mirror.half_sent.wait(PATIENCE)
        with machine.start(url, sha512(mirror.content)) as second:
            assert second.stdout is not None
            assert second.stdout.readline().startswith("waiting for another")
            mirror.go_on.set()
            assert machine.result(first) == ("True", "")
            assert machine.result(second) == ("True", "")
    assert len(mirror.sent) == 1
