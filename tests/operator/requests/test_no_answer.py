"""Of an API server that doesn't answer it is said which way: it hangs, nothing listens, or there is no such host."""

import socket
import threading
from collections.abc import Iterator

import pytest

from ordersaga.saga import cluster as module
from ordersaga.saga.access import Access
from ordersaga.saga.cluster import Cluster, ClusterError


def refused_by(server: str, seconds: float = 0.3) -> str:
    with Cluster(Access(server, "shop", None), seconds) as asked, pytest.raises(ClusterError) as found:
        asked.get("/version")
    assert found.value.status == 0
    return str(found.value)


@pytest.fixture
def silent() -> Iterator[str]:
    """Takes connections, and never answers: as a process that was stopped."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_one_that_hangs_has_taken_the_connection(silent: str) -> None:
    said = refused_by(silent)
    assert "has accepted the connection, but doesn't answer (0.3 s)" in said
    assert "--context" not in said, "another cluster wouldn't have helped"


def test_where_nothing_listens_it_may_be_another_cluster_that_was_meant() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    said = refused_by(f"http://127.0.0.1:{port}")
    assert "nothing listens there" in said
    assert "--context" in said


def test_a_host_that_does_not_exist_is_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "there is no such host" in refused_by("http://cluster.invalid:6443")


def test_whoever_looks_on_is_told_before_that_what_is_waited_for(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NOTED_SECONDS", 0.05)
    told = threading.Event()
    with Cluster(Access(silent, "shop", None), 0.5, told.set) as asked, pytest.raises(ClusterError):
        asked.get("/version")
    assert told.is_set()
