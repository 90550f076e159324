"""The chart of a release: the chart as it is, with its images named by digest, and its placeholders filled in.

python -m dev.release.supply.chart FOLDER --registry REGISTRY --source ADDRESS --digests DIGESTS
    the chart comes into FOLDER/e-commerce-saga; DIGESTS is a folder with a file for each image, which has its digest
python -m dev.release.supply.chart --is 0.1.0
    exit status 1 unless that is the version of everything: project, chart, images
"""

import argparse
import re
import shutil
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import yaml

from common.services import SERVICES
from dev.release.render import CHART
from dev.setup.errors import StackError, exit_status
from dev.setup.paths import CHECKOUT

REGISTRY: Final = "registry.example.com/shop"
SOURCE: Final = "https://git.example.com/shop/e-commerce-saga"
"""What stands in the chart's metadata for a registry and for a repository, until a release says which they are."""


def versions() -> dict[str, str]:
    """Where a version is written, and which."""
    metadata = yaml.safe_load((CHART / "Chart.yaml").read_text())
    image = re.search(r"^ARG VERSION=(\S+)$", (CHECKOUT / "Dockerfile").read_text(), re.MULTILINE)
    return {
        "pyproject.toml": tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["version"],
        "helm/Chart.yaml (version)": metadata["version"],
        "helm/Chart.yaml (appVersion)": metadata["appVersion"],
        "Dockerfile": image[1] if image else "",
    }


def released(registry: str, source: str, digests: Mapping[str, str]) -> dict[str, str]:
    """Chart.yaml and values.yaml of a release: file name → text. `digests` has "sha256:…" by image ("operator").

    Raises StackError for an image without a digest, and when a file has no place for one.
    """
    for name in (*(f"{service}-service" for service in SERVICES), "operator"):
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", digests.get(name, "")):
            raise StackError(f"the image {name} has no digest: {digests.get(name)!r}")
    values = (CHART / "values.yaml").read_text()
    version = versions()["pyproject.toml"]
    values = _put(values, '  imageRegistry: ""\n', f"  imageRegistry: {registry}\n")
    values = _put(values, "  imageTag: latest\n", f'  imageTag: "{version}"\n')
    for service, port in SERVICES.items():
        place = f"  {service}:\n    port: {port}\n"
        values = _put(values, place, f'{place}    image: {{digest: "{digests[f"{service}-service"]}"}}\n')
    operator = "  replicas: 0\n  image: {}\n"
    values = _put(values, operator, operator.replace("{}", f'{{digest: "{digests["operator"]}"}}'))
    metadata = (CHART / "Chart.yaml").read_text()
    for name, digest in digests.items():
        metadata = metadata.replace(f"/{name}:{version}\n", f"/{name}:{version}@{digest}\n")
    return {"Chart.yaml": metadata.replace(REGISTRY, registry).replace(SOURCE, source), "values.yaml": values}


def write(folder: Path, registry: str, source: str, digests: Mapping[str, str]) -> Path:
    """Write the chart of a release into a new folder e-commerce-saga in there, and return that one."""
    target = folder / "e-commerce-saga"
    files = released(registry, source, digests)
    shutil.copytree(CHART, target)
    for name, text in files.items():
        (target / name).write_text(text)
    return target


def _put(text: str, old: str, new: str) -> str:
    if text.count(old) != 1:
        raise StackError(f"helm/values.yaml has {text.count(old)} places like {old!r}, and a release needs one")
    return text.replace(old, new)


def main(arguments: list[str]) -> int:
    """What the usage above says; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m dev.release.supply.chart")
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--registry")
    parser.add_argument("--source")
    parser.add_argument("--digests", type=Path)
    parser.add_argument("--is", dest="version", metavar="VERSION")
    given = parser.parse_args(arguments)

    def work() -> int:
        if given.version:
            for place, version in versions().items():
                if version != given.version:
                    raise StackError(f"{place} says {version!r}, and the release is {given.version!r}")
            return 0
        if not (given.folder and given.registry and given.source and given.digests):
            parser.error("FOLDER, --registry, --source and --digests belong together")
        digests = {path.name: path.read_text().strip() for path in given.digests.iterdir()}
        print(write(given.folder, given.registry, given.source, digests))
        return 0

    return exit_status(work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
