"""The judges that are Go programs: which modules they come from, and how each is found, fetched and built.

Each comes from its pinned module through Go's module proxy, is built once, and is kept in the cache folder.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dev.setup import binaries, downloads, gobuild
from dev.setup.errors import StackError
from dev.setup.jobs import Job, run_all

FLAGS = ("-v", "-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false", "-ldflags=-s -w")


@dataclass(frozen=True, slots=True)
class GoModule:
    """A module at one version; its sum as the checksum database has it."""

    path: str
    version: str
    sum: str


@dataclass(frozen=True, slots=True)
class GoProgram:
    """A program, and the module that it is built from."""

    name: str
    module: str
    version: str
    package: str
    """The program's package, below the module."""
    sum: str = ""
    """With it, the program is built inside the module, by the module's own go.mod and go.sum. Without it, in a module
    that requires it: Go asks the checksum database."""
    replacement: str = ""
    """Where the module's sources are: not every module proxy follows a vanity name to its repository."""
    source: str = ""
    """A main.go to write into the package first, if upstream's program is more than we need."""
    tags: str = ""
    usually: str = "1 to 5 minutes, once (2 cores)"


OPERATOR_SDK = "github.com/operator-framework/operator-sdk"
# The `bundle` commands alone: the rest of operator-sdk (scaffolding, Ansible, Helm) needs half a gigabyte of modules
# more, and not every module proxy has all of them.
BUNDLE_ONLY = f"""\
package main

import (
	"os"

	"github.com/spf13/cobra"

	"{OPERATOR_SDK}/internal/cmd/operator-sdk/bundle"
)

func main() {{
	root := &cobra.Command{{Use: "operator-sdk", SilenceUsage: true}}
	root.AddCommand(bundle.NewCmd())
	if root.Execute() != nil {{
		os.Exit(1)
	}}
}}
"""
PROGRAMS = {
    program.name: program
    for program in (
        GoProgram("kubeconform", "github.com/yannh/kubeconform", "v0.7.0", "cmd/kubeconform"),
        GoProgram(
            "kube-linter",
            "golang.stackrox.io/kube-linter",
            "v0.8.3",
            "cmd/kube-linter",
            replacement="github.com/stackrox/kube-linter",
        ),
        GoProgram("actionlint", "github.com/rhysd/actionlint", "v1.7.12", "cmd/actionlint"),
        GoProgram("promtool", "github.com/prometheus/prometheus", "v0.307.3", "cmd/promtool"),
        GoProgram(
            "operator-sdk",
            OPERATOR_SDK,
            "v1.42.3",
            "cmd/bundle-only",
            sum="h1:eNdWDTUQdR90wp9326JPt1AxFuuW3gm6515jOEAzFCI=",
            source=BUNDLE_ONLY,
            tags="containers_image_openpgp",
            usually="5 minutes, once (2 cores)",
        ),
    )
}


def find(name: str) -> Path:
    """The program: the one that ORDERSAGA_{NAME} names, or ours, built if need be. Raises StackError."""
    if configured := os.environ.get(binaries.setting(name)):
        return Path(configured)
    program = PROGRAMS[name]
    target = binaries.cache_folder(f"{name}-{program.version}") / name
    if not target.exists():
        run_all([Job(f"{name} {program.version}", program.usually, lambda job: _build(job, program, target))])
    return target


def fetch(job: Job, module: GoModule, environment: Mapping[str, str]) -> Path:
    """The folder with the module's sources. Raises StackError when they can't be had, or aren't the pinned ones."""
    job.doing = f"downloading {module.path}"
    answer = subprocess.run(
        [gobuild.go(job), "mod", "download", "-json", f"{module.path}@{module.version}"],
        cwd="/",  # in no module of ours
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(answer.stdout or "{}")
    if answer.returncode or "Error" in found:
        raise StackError(
            f"{module.path} {module.version} can't be downloaded: {found.get('Error') or answer.stderr.strip()}"
        )
    if found["Sum"] != module.sum:
        raise StackError(
            f"{module.path} {module.version} isn't the pinned one: its sum is {found['Sum']}, not {module.sum}"
        )
    return Path(found["Dir"])


def _build(job: Job, program: GoProgram, target: Path) -> None:
    with downloads.workspace() as space:
        environment = gobuild.environment(space)
        source = space / "source"
        if program.sum:
            module = GoModule(program.module, program.version, program.sum)
            shutil.copytree(fetch(job, module, environment), source)
            package = f"./{program.package}"
        else:
            source.mkdir()
            requirement = f"module judge\n\ngo 1.26\n\nrequire {program.module} {program.version}\n"
            if program.replacement:
                requirement += f"replace {program.module} => {program.replacement} {program.version}\n"
            (source / "go.mod").write_text(requirement)
            package = f"{program.module}/{program.package}"
        if program.source:
            (source / program.package).mkdir()
            (source / program.package / "main.go").write_text(program.source)
        job.run(
            [
                *(gobuild.go(job), "build", *FLAGS, f"-mod={'readonly' if program.sum else 'mod'}"),
                *("-tags", program.tags, "-o", space / program.name, package),
            ],
            failure=f"{program.name} {program.version} could not be built",
            env=environment,
            cwd=source,
            on_line=lambda line: setattr(job, "doing", line if line.startswith("go: ") else f"compiling {line}"),
        )
        downloads.put(space / program.name, target)
