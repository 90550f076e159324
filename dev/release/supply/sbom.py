"""The Python packages of each image as CycloneDX 1.6: versions, sums, licences, what needs what (`make sbom`).

python -m dev.release.supply.sbom [FOLDER]      one file for each image, in dist/sbom unless another folder is named

The base image's own packages aren't in here: the release lets BuildKit list those of the built image
(docs/releasing.md). With SOURCE_DATE_EPOCH (seconds) as the time that they say, the same sources give the same files.
"""

import os
import sys
import tomllib
import uuid
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Final

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License, LicenseAcknowledgement
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from packageurl import PackageURL
from packaging.utils import NormalizedName

from dev.release.supply.packages import IMAGES, Contents, Package, contents, locked
from dev.setup.errors import StackError, exit_status
from dev.setup.paths import CHECKOUT

FOLDER: Final = CHECKOUT / "dist" / "sbom"
SPDX: Final = {
    "Apache 2.0": "Apache-2.0",
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
"""What older packages call their licence → its identifier."""


def document(image: str) -> str:
    """The list of that image as JSON. Raises StackError when it can't be made, or wouldn't be valid CycloneDX."""
    # It compiles a grammar, which takes seconds: who lists the packages alone needn't wait for that.
    from cyclonedx.validation.json import JsonStrictValidator  # noqa: PLC0415

    text: str = JsonV1Dot6(bom(image)).output_as_string(indent=2)
    if wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise StackError(f"the SBOM of {image} is no valid CycloneDX 1.6: {wrong}")
    return text + "\n"


def bom(image: str) -> Bom:
    """The list of that image. Raises StackError when the environment isn't that of the lock file."""
    found, pins = contents(image), locked()
    version = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["version"]
    made = Bom(version=1)
    if seconds := os.environ.get("SOURCE_DATE_EPOCH"):
        made.metadata.timestamp = datetime.fromtimestamp(int(seconds), UTC)
    container = Component(
        type=ComponentType.CONTAINER, name=f"e-commerce-saga/{image}", version=version, bom_ref=f"{image}@{version}"
    )
    ours = Component(
        type=ComponentType.APPLICATION,
        name="ordersaga",
        version=version,
        bom_ref=f"ordersaga@{version}",
        purl=PackageURL("pypi", name="ordersaga", version=version),
        licenses=[_license("MIT")],
    )
    made.metadata.component = container
    components = {name: component(pins[name]) for name in found.needs}
    made.components.update([ours, *components.values()])
    _relate(made, found, ours, components)
    made.register_dependency(container, [ours])
    # Of what is listed, so that the same list has the same number.
    made.serial_number = uuid.uuid5(
        uuid.NAMESPACE_URL,
        f"{image}@{version}:{sorted(each.purl.to_string() for each in components.values() if each.purl)}",
    )
    return made


def component(package: Package) -> Component:
    """One package of the lock file. Raises StackError when nothing says what its licence is."""
    purl = PackageURL("pypi", name=package.name, version=package.version)
    # The file itself is one of several, by the machine; each has its sum. Where files are is no matter of a package:
    # its address is that of the package.
    files = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=XsUri(purl.to_string()),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in package.sums],
    )
    return Component(
        type=ComponentType.LIBRARY,
        name=package.name,
        version=package.version,
        bom_ref=purl.to_string(),
        purl=purl,
        external_references=[files],
        licenses=[_license(licence(package.name))],
    )


def licence(name: NormalizedName) -> str:
    """What the package's metadata says: an SPDX expression where it has one, else its own words for one."""
    said = metadata.metadata(name)
    if "License-Expression" in said:
        return said["License-Expression"]
    classified = [each.rpartition(" :: ")[2] for each in said.get_all("Classifier") or [] if each.startswith("License")]
    words = said["License"].strip() if "License" in said else ""
    # Some have the whole licence in this field.
    if words and "\n" not in words and len(words) < 60:
        return SPDX.get(words, words)
    if not classified:
        raise StackError(f"nothing in the metadata of {name} says what its licence is")
    return " OR ".join(SPDX.get(each, each) for each in classified)


def _license(words: str) -> License:
    return LicenseFactory().make_from_string(words, license_acknowledgement=LicenseAcknowledgement.DECLARED)


def _relate(made: Bom, found: Contents, ours: Component, components: dict[NormalizedName, Component]) -> None:
    made.register_dependency(ours, [components[name] for name in found.direct])
    for name, needed in found.needs.items():
        made.register_dependency(components[name], [components[each] for each in needed])


def main(arguments: list[str]) -> int:
    """Write the lists of all images; the exit status."""
    folder = Path(arguments[0]) if arguments else FOLDER

    def work() -> int:
        folder.mkdir(parents=True, exist_ok=True)
        for image in IMAGES:
            path = folder / f"{image}.cdx.json"
            path.write_text(document(image))
            print(f"{path}: {len(contents(image).needs)} packages")
        return 0

    return exit_status(work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
