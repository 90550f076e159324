"""A first installation that fails, by real Flux: a release of its own in a namespace of its own."""

import json
from collections.abc import Iterator

import pytest
import yaml

from common.wire import Json
from dev.stack.waiting import wait_until
from tests.e2e.gitops.conftest import Site
from tests.e2e.gitops.flux import PATIENCE, TEST_SECONDS, condition
from tests.e2e.gitops.test_flux_shop import RELEASE
from tests.e2e.workloads import BROKEN

pytestmark = pytest.mark.timeout(TEST_SECONDS)

NAME = "first-shop"


class First:
    """The release that is shipped, under this name, told of trouble after ten seconds and tried again after two."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def apply(self, **values: Json) -> None:
        release = yaml.safe_load(self.site.repository.read(RELEASE))
        release["metadata"] = {"name": NAME, "namespace": NAME}
        spec = release["spec"]
        spec |= {"releaseName": NAME, "timeout": "10s", "values": {**spec["values"], **values}}
        for action in ("install", "upgrade"):
            if "retryInterval" in spec[action].get("strategy", {}):
                spec[action]["strategy"]["retryInterval"] = "2s"
        self.site.plane.kubectl("apply", "-f", "-", input=json.dumps(release))

    @property
    def release(self) -> Json:
        return self.site.flux.get("helmrelease", NAME, NAME)

    def until(self, what: str, status: str, reason: str, kind: str = "Ready") -> None:
        last: Json = {}

        def said() -> bool:
            nonlocal last
            last = condition(self.release, kind)
            return (last.get("status"), last.get("reason")) == (status, reason)

        wait_until(lambda: f"{what}: {last}", said, PATIENCE)

    def uid(self, kind: str, name: str) -> str:
        path = "jsonpath={.metadata.uid}"
        return self.site.plane.kubectl("get", kind, name, "--namespace", NAME, "-o", path).stdout


@pytest.fixture
def first(installed: Site) -> Iterator[First]:
    installed.plane.kubectl("create", "namespace", NAME)
    yield First(installed)
    # One that is suspended goes without an uninstallation.
    installed.plane.kubectl("patch", "helmrelease", NAME, "-n", NAME, "--type=merge", "-p", '{"spec":{"suspend":true}}')
    installed.plane.kubectl("delete", "helmrelease", NAME, "--namespace", NAME, "--timeout=60s")


def test_a_first_installation_that_fails_is_tried_again_as_it_stands(first: First) -> None:
    first.apply(operator={"image": {"repository": BROKEN}})
    first.until("the installation has failed", "False", "InstallFailed")
    database = first.uid("pvc", "mongodb")
    first.until("it was tried again", "False", "UpgradeFailed")
    first.until("that was the last time", "True", "MissingRollbackTarget", "Stalled")
    first.apply()
    first.until("the mended one is ready", "True", "UpgradeSucceeded")
    assert first.uid("pvc", "mongodb") == database
