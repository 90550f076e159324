"""The chart of a release names each image by digest, and tells Artifact Hub what it really has."""

import re
from pathlib import Path
from typing import Any

import pytest

from common.services import SERVICES
from dev.release.render import CHART
from dev.release.supply import chart
from dev.setup.errors import StackError
from dev.setup.paths import CHECKOUT
from tests.packaging.chart.charts import EVERYTHING, HELMS, Manifests, rendered, run_helm
from tests.support import yamls

METADATA: dict[str, Any] = yamls.load((CHART / "Chart.yaml").read_text())
OURS = (*(f"{service}-service" for service in SERVICES), "operator")
DIGESTS = {name: f"sha256:{number:064x}" for number, name in enumerate((*OURS, "tools"), start=1)}
FLAGS = ("containsSecurityUpdates", "operator", "prerelease")
REGISTRY, SOURCE = "ghcr.io/some-owner", "https://github.com/some-owner/some-name"


def annotation(name: str, metadata: dict[str, Any] = METADATA) -> Any:
    return yamls.load(metadata["annotations"][f"artifacthub.io/{name}"])


def images(objects: Manifests) -> set[str]:
    """All that the pods of these objects run."""
    pods = [pod["spec"] for _, pod in objects.pods()]
    return {each["image"] for pod in pods for each in (*pod["containers"], *pod.get("initContainers", ()))}


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return chart.write(tmp_path_factory.mktemp("release"), REGISTRY, SOURCE, DIGESTS)


@pytest.mark.parametrize("program", HELMS)
def test_a_released_chart_runs_the_images_that_were_built_and_no_others(released: Path, program: str) -> None:
    result = run_helm("template", "shop", str(released), *EVERYTHING, program=program)
    assert result.returncode == 0, result.stderr
    found = images(Manifests.of(result.stdout))
    assert found - {"mongo:8.0", "quay.io/oauth2-proxy/oauth2-proxy:v7.15.6"} == {
        f"{REGISTRY}/e-commerce-saga/{name}@{DIGESTS[name]}" for name in OURS
    }


def test_a_released_chart_has_nothing_to_complain_about(released: Path) -> None:
    result = run_helm("lint", "--strict", str(released))
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_released_chart_has_no_placeholder_in_its_metadata(released: Path) -> None:
    text = (released / "Chart.yaml").read_text()
    assert "example.com/shop" not in text
    metadata = yamls.load(text)
    assert metadata["home"] == SOURCE
    listed = {each["name"]: each["image"] for each in annotation("images", metadata)}
    version = METADATA["version"]
    for name in OURS:
        assert listed[name] == f"{REGISTRY}/e-commerce-saga/{name}:{version}@{DIGESTS[name]}"


def test_there_is_no_release_with_an_image_that_was_not_built() -> None:
    for wrong in ("", "latest", "sha256:12"):
        with pytest.raises(StackError, match="the image operator has no digest"):
            chart.released(REGISTRY, SOURCE, {**DIGESTS, "operator": wrong})


def test_there_is_one_version_of_everything() -> None:
    assert len(set(chart.versions().values())) == 1
    assert chart.main(["--is", METADATA["version"]]) == 0
    assert chart.main(["--is", "9.9.9"]) == 1


def test_artifact_hub_is_told_the_images_that_run() -> None:
    where = ("--set", f"global.imageRegistry={chart.REGISTRY}", "--set", f"global.imageTag={METADATA['version']}")
    assert {each["image"] for each in annotation("images")} == images(rendered(*EVERYTHING, *where))


def test_artifact_hub_is_told_the_resources_as_they_are_defined() -> None:
    for listed, name in zip(annotation("crds"), ("ordersaga", "participant"), strict=True):
        definition = yamls.load((CHECKOUT / "crds" / f"{name}.yaml").read_text())
        assert listed["kind"] == definition["spec"]["names"]["kind"]
        assert listed["name"] == definition["metadata"]["name"]
        assert [listed["version"]] == [each["name"] for each in definition["spec"]["versions"]]
    sample = yamls.load((CHECKOUT / "manifests" / "samples" / "o-sample-mug.yaml").read_text())
    assert annotation("crdsExamples") == [sample]


def test_artifact_hub_is_told_nothing_that_it_does_not_know() -> None:
    names = {name.removeprefix("artifacthub.io/") for name in METADATA["annotations"]}
    known = {"category", "changes", "containsSecurityUpdates", "crds", "crdsExamples", "images", "license", "links"}
    assert names == known | {"operator", "operatorCapabilities", "prerelease"}
    assert annotation("category") == "integration-delivery"
    assert all(METADATA["annotations"][f"artifacthub.io/{name}"] in ("true", "false") for name in FLAGS)
    assert {each["kind"] for each in annotation("changes")} <= {
        *("added", "changed", "deprecated", "removed", "fixed", "security")
    }
    assert annotation("license") in (CHECKOUT / "LICENSE").read_text()


def test_the_chart_has_a_picture_of_ours_a_home_and_somebody_to_ask() -> None:
    address = METADATA["icon"].removeprefix(f"{chart.SOURCE}/raw/main/")
    assert (CHECKOUT / address).read_text().startswith("<svg")
    assert METADATA["home"] == chart.SOURCE
    assert METADATA["sources"] == [chart.SOURCE]
    assert all(each["name"] and "@" in each["email"] for each in METADATA["maintainers"])
    assert len(METADATA["keywords"]) >= 5


def test_the_links_lead_to_files_that_there_are() -> None:
    for link in annotation("links"):
        if found := re.fullmatch(rf"{re.escape(chart.SOURCE)}/blob/main/(.+)", link["url"]):
            assert (CHECKOUT / found[1]).is_file(), link
