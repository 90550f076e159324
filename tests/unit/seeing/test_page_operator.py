"""The page says that no operator works only if that is known."""

from typing import Any

import pytest

from ordersaga.saga.access import Access
from ordersaga.saga.cluster import ClusterError
from ordersaga.saga.output import now
from ordersaga.saga.ui import viewer as module
from ordersaga.saga.ui.live import Live
from ordersaga.saga.ui.rows import View, wire
from ordersaga.saga.ui.viewer import Viewer

ACCESS = Access(server="https://cluster", namespace="shop", tls=None)


class Clusters:
    """Stands for `Cluster`: one with this Lease, or with this refusal of it."""

    def __init__(self) -> None:
        self.age, self.status, self.holder, self.access = 1.0, 0, "operator-1", ACCESS
        self.looks = 0
        self.renewed = ""

    def __call__(self, _: Access) -> "Clusters":
        return self

    def __enter__(self) -> "Clusters":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def get(self, path: str) -> dict[str, Any]:
        if "/leases/" not in path:
            return {"items": []}
        self.looks += 1
        if self.status:
            raise ClusterError(self.status, "Refused", "refused")
        spec = {"holderIdentity": self.holder, "leaseDurationSeconds": 10}
        return {"spec": spec | {"renewTime": self.renewed or wire(now() - self.age)}}

    def stops(self) -> None:
        """It renewed its Lease for the last time 40 s ago."""
        self.renewed = wire(now() - 40)


@pytest.fixture
def clusters(monkeypatch: pytest.MonkeyPatch) -> Clusters:
    made = Clusters()
    monkeypatch.setattr(module, "Cluster", made)
    monkeypatch.setattr(module, "participants_of", lambda _: ())
    return made


@pytest.fixture
def viewer() -> Viewer:
    return Viewer(ACCESS, Live(lambda: ACCESS))


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each list looks again."""
    monkeypatch.setattr(module, "PARTICIPANTS_SECONDS", -1.0)


def told(viewer: Viewer) -> dict[str, Any]:
    operator: dict[str, Any] = viewer.list(View())["operator"]
    return operator


def test_one_that_works_is_said_so(clusters: Clusters, viewer: Viewer) -> None:
    assert told(viewer)["works"] is True


def test_one_that_has_died_is_said_with_the_time_and_what_to_do(clusters: Clusters, viewer: Viewer) -> None:
    clusters.stops()
    said = told(viewer)
    assert said["works"] is False
    assert said["since"] == clusters.renewed
    assert said["to_do"]


def test_it_is_looked_at_every_few_seconds_however_often_the_list_is_asked_for(
    clusters: Clusters, viewer: Viewer
) -> None:
    for _ in range(10):
        told(viewer)
    assert clusters.looks == 1


@pytest.mark.usefixtures("at_once")
def test_who_may_not_see_the_lease_is_told_nothing(clusters: Clusters, viewer: Viewer) -> None:
    clusters.status = 403
    assert told(viewer) == {"works": None, "since": None, "why": "", "to_do": ""}


@pytest.mark.usefixtures("at_once")
def test_an_operator_that_renews_works_though_our_clock_is_ahead_of_its(clusters: Clusters, viewer: Viewer) -> None:
    clusters.age = 40
    told(viewer)
    clusters.age = 38
    assert told(viewer)["works"] is None


@pytest.mark.usefixtures("at_once")
def test_after_an_outage_of_the_api_server_an_old_lease_says_nothing_until_it_could_be_renewed(
    clusters: Clusters, viewer: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    clusters.stops()
    clusters.status = 500
    assert told(viewer)["works"] is None
    clusters.status = 0
    assert told(viewer)["works"] is None
    monkeypatch.setattr(module, "BACK_SECONDS", -1.0)
    assert told(viewer)["works"] is False


@pytest.mark.usefixtures("at_once")
def test_an_api_server_of_which_nothing_is_heard_is_not_waited_for(clusters: Clusters, viewer: Viewer) -> None:
    clusters.stops()
    viewer.live.trouble = "no answer"
    assert told(viewer)["works"] is None
    assert clusters.looks == 0
