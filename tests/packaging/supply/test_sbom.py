"""The list of what each image consists of: what pip installs there, by the Dockerfile's own commands."""

import functools
import json
import re
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from dev.release.supply import packages, sbom
from dev.setup.errors import StackError
from dev.setup.paths import CHECKOUT

pytestmark = pytest.mark.slow

DOCKERFILE = (CHECKOUT / "Dockerfile").read_text()


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Empty wheels of everything in the lock file, with the packages' own metadata: what pip decides by."""
    folder = tmp_path_factory.mktemp("wheels")
    for package in packages.locked().values():
        stem = f"{package.name.replace('-', '_')}-{package.version}"
        with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
            wheel.writestr(
                f"{stem}.dist-info/METADATA", metadata.distribution(package.name).read_text("METADATA") or ""
            )
            wheel.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{stem}.dist-info/RECORD", "")
    return folder


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the requirement files that the Dockerfile's build stage writes, by its own program."""
    folder = tmp_path_factory.mktemp("build")
    (folder / "pyproject.toml").write_text((CHECKOUT / "pyproject.toml").read_text())
    program = re.search(r'python -c "(import tomllib.*?)" \\', DOCKERFILE, re.DOTALL)
    assert program
    subprocess.run([sys.executable, "-c", program[1].replace("\\\n", "")], cwd=folder, check=True)
    return folder


def installed(requirements: Path, wheels: Path) -> dict[str, str]:
    """Package → version, as pip would install them in an empty environment."""
    report = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--isolated", "install", "--quiet", "--dry-run", "--ignore-installed"),
            *("--no-index", "--find-links", wheels, "--requirement", requirements, "--report", "-"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    found = [each["metadata"] for each in json.loads(report.stdout)["install"]]
    return {canonicalize_name(each["name"]): each["version"] for each in found}


@functools.cache
def document(image: str) -> dict[str, Any]:
    """The list of that image; making one checks it against CycloneDX' own schema."""
    made: dict[str, Any] = json.loads(sbom.document(image))
    return made


def listed(image: str) -> dict[str, dict[str, Any]]:
    """Package → what its image's list has of it, without our own."""
    return {each["name"]: each for each in document(image)["components"] if each["name"] != "ordersaga"}


def versions(image: str) -> dict[str, str]:
    return {name: each["version"] for name, each in listed(image).items()}


def test_the_dockerfile_still_installs_by_these_files() -> None:
    assert DOCKERFILE.count("--requirement runtime.txt") == 1
    assert DOCKERFILE.count("--requirement tools.txt") == 1
    assert re.findall(r"^COPY --from=build /opt/(\w+)", DOCKERFILE, re.MULTILINE) == ["venv", "tools"]


def test_services_and_operator_list_what_their_environment_gets(wheels: Path, asked: Path) -> None:
    expected = installed(asked / "runtime.txt", wheels)
    assert len(expected) > 30
    for image in packages.IMAGES:
        if image != "tools":
            assert versions(image) == expected, image


def test_the_tools_list_what_they_get_besides(wheels: Path, asked: Path) -> None:
    expected = installed(asked / "runtime.txt", wheels) | installed(asked / "tools.txt", wheels)
    assert versions("tools") == expected
    assert expected.keys() > versions("operator").keys()


def test_every_package_has_its_sums_its_address_and_its_licence() -> None:
    pins = packages.locked()
    for name, component in listed("tools").items():
        (files,) = component["externalReferences"]
        assert {each["content"] for each in files["hashes"]} == set(pins[canonicalize_name(name)].sums)
        assert component["purl"] == f"pkg:pypi/{name}@{component['version']}"
        (licence,) = component["licenses"]
        assert licence.get("expression") or licence["license"]["id"], f"{name}: {licence} is no SPDX identifier"


def test_every_package_is_there_because_another_one_needs_it() -> None:
    for image in packages.IMAGES:
        made = document(image)
        needs = {each["ref"]: set(each.get("dependsOn", ())) for each in made["dependencies"]}
        reached: set[str] = set()
        waiting = [made["metadata"]["component"]["bom-ref"]]
        while waiting:
            if (one := waiting.pop()) not in reached:
                reached.add(one)
                waiting += needs[one]
        assert {each["bom-ref"] for each in made["components"]} < reached


def test_the_same_sources_give_the_same_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795910400")
    text = sbom.document("operator")
    assert sbom.document("operator") == text
    assert json.loads(text)["metadata"]["timestamp"] == "2026-11-29T00:00:00+00:00"
    numbers = {document(image)["serialNumber"] for image in packages.IMAGES}
    assert len(numbers) == len(packages.IMAGES)


def test_an_environment_of_other_versions_makes_no_list(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(
        packages.LOCK.read_text().replace(f"starlette=={metadata.version('starlette')}", "starlette==0.0.1")
    )
    with pytest.raises(StackError, match=r"starlette is .* here and 0\.0\.1 in the lock file"):
        packages.contents("operator", lock)
