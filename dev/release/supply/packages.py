"""The Python packages of each image: what the Dockerfile installs of requirements.lock, found without building.

The Dockerfile installs what pyproject.toml's groups ask for, from wheels that the lock file names. What asks for what
is read from the metadata of the same versions in this checkout's virtual environment.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from common.services import SERVICES
from dev.setup.errors import StackError
from dev.setup.paths import CHECKOUT

LOCK: Final = CHECKOUT / "requirements.lock"
IMAGES: Final = (*(f"{service}-service" for service in SERVICES), "operator", "tools")
"""All images of a release. The seven share the environment of services and operator; the tools have more."""

# What markers are compared with: the images' own Python on Linux; no package's marker asks for more than these.
THERE: Final = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.0",
    "python_version": "3.11",
    "sys_platform": "linux",
}


@dataclass(frozen=True, slots=True)
class Package:
    """One package of the lock file."""

    name: NormalizedName
    version: str
    sums: tuple[str, ...]
    """The sha256 of each of its files, of which an image has one: which one is a matter of the machine."""
    there: bool
    """Whether it is installed on such a machine as the images are of."""


@dataclass(slots=True)
class Contents:
    """The packages of one image, and which of them asks for which."""

    direct: set[NormalizedName] = field(default_factory=set)
    needs: dict[NormalizedName, set[NormalizedName]] = field(default_factory=dict)


def locked(lock: Path = LOCK) -> dict[NormalizedName, Package]:
    """The packages of a lock file. Raises StackError for one without a sum."""
    found = {}
    for entry in re.split(r"(?m)^(?=[A-Za-z0-9])", lock.read_text()):
        if named := re.match(r"([A-Za-z0-9._-]+)==([^\s;\\]+)(?: ; ([^\\]+))?", entry):
            sums = tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})", entry))
            if not sums:
                raise StackError(f"{lock.name} has no sum of {named[1]}: run `make lock`")
            name = canonicalize_name(named[1])
            there = named[3] is None or Marker(named[3].strip()).evaluate({**THERE})
            found[name] = Package(name, named[2], sums, there)
    return found


def contents(image: str, lock: Path = LOCK) -> Contents:
    """What the image of that name is made of. Raises StackError when the environment isn't that of the lock file."""
    project: dict[str, Any] = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    optional = project["project"]["optional-dependencies"]
    asked = [*project["project"]["dependencies"], *optional["services"], *optional["operator"]]
    if image == "tools":
        asked += [each for each in optional["stack"] if each not in project["build-system"]["requires"]]
    return _closure([Requirement(each) for each in asked], locked(lock))


def _closure(asked: list[Requirement], pins: dict[NormalizedName, Package]) -> Contents:
    found = Contents()
    seen: set[tuple[NormalizedName, str]] = set()
    todo: list[tuple[NormalizedName | None, Requirement]] = [(None, requirement) for requirement in asked]
    while todo:
        parent, requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        if parent is None:
            found.direct.add(name)
        else:
            found.needs[parent].add(name)
        found.needs.setdefault(name, set())
        for extra in ("", *requirement.extras):
            if (name, extra) not in seen:
                seen.add((name, extra))
                _same_version(name, pins)
                todo += [(name, each) for each in _requires(name, extra)]
    return found


def _requires(name: NormalizedName, extra: str) -> Iterator[Requirement]:
    """What a package asks for with this extra there, or with none ("")."""
    texts: Iterable[str] = metadata.distribution(name).requires or ()
    for requirement in map(Requirement, texts):
        if requirement.marker is None:
            if not extra:
                yield requirement
        elif requirement.marker.evaluate({**THERE, "extra": extra}):
            yield requirement


def _same_version(name: NormalizedName, pins: dict[NormalizedName, Package]) -> None:
    if name not in pins:
        raise StackError(f"{name} is asked for and not locked: run `make lock`")
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        version = "not there"
    if version != pins[name].version:
        raise StackError(f"{name} is {version} here and {pins[name].version} in the lock file: run `make venv`")
