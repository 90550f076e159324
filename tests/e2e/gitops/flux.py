"""Flux' three controllers as processes, with the rights that Flux gives them: a cluster administrator's."""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common.wire import Json
from dev.release.judges import controllers
from dev.stack.parts.admin import Administrator
from dev.stack.ports import free_ports
from dev.stack.processes import Process, answers, wait_ready
from dev.stack.waiting import wait_until

NAMESPACE = "flux-system"
# kustomize-controller no longer waits for what one commit has made once there is another: off unless it is asked for.
NEWER_COMMIT = "--feature-gates=CancelHealthCheckOnNewRevision=true"
# Seconds. Everything is done within ten on two idle cores; a rollback takes a release's time-out first.
PATIENCE = 120.0
# Of one test with its fixtures, which install the shop and put everything back: five commits, each a release.
TEST_SECONDS = 600


class Controller(Process):
    """One of them, with its files in `folder`."""

    def __init__(self, name: str, programs: Path, folder: Path, kubeconfig: Path, *more: str) -> None:
        health, metrics = free_ports(2)
        super().__init__(
            name,
            [
                *(programs / name, f"--health-addr=127.0.0.1:{health}", f"--metrics-addr=127.0.0.1:{metrics}"),
                "--watch-all-namespaces",
                *more,
            ],
            log=folder / f"{name}.log",
            ready=lambda: answers(f"http://127.0.0.1:{health}/readyz"),
            env={
                "KUBECONFIG": str(kubeconfig),
                "RUNTIME_NAMESPACE": NAMESPACE,
                "HOME": str(folder),
                "TMPDIR": str(folder),
            },
        )


class Flux:
    """The controllers, and what a person does with `flux reconcile` and `flux get`."""

    def __init__(self, programs: Path, administrator: Administrator, folder: Path) -> None:
        self._administrator, self._programs = administrator, programs
        (storage,) = free_ports(1)
        artifacts = folder / "artifacts"
        artifacts.mkdir(parents=True)
        address = f"127.0.0.1:{storage}"
        kubeconfig = administrator.kubeconfig
        # Half a minute between two looks at a dependency that isn't ready is Flux' own default.
        hurry = "--requeue-dependency=1s"
        self.processes = [
            Controller(
                "source-controller",
                programs,
                folder,
                kubeconfig,
                *(f"--storage-path={artifacts}", f"--storage-addr={address}", f"--storage-adv-addr={address}"),
                hurry,
            ),
            Controller("kustomize-controller", programs, folder, kubeconfig, hurry, NEWER_COMMIT),
            Controller("helm-controller", programs, folder, kubeconfig, hurry),
        ]

    def start(self) -> None:
        """Their kinds, their namespace, and they."""
        apply = ("apply", "--server-side", "-f")
        self._administrator.kubectl(*apply, self._programs / controllers.DEFINITIONS)
        established = ("wait", "--for=condition=Established", "--timeout=10s", "crd", "--all")
        # It gives up on definitions so new that their conditions are null.
        wait_until(
            "Flux' kinds are served",
            lambda: self._administrator.kubectl(*established, check=False).returncode == 0,
            PATIENCE,
        )
        self._administrator.kubectl("create", "namespace", NAMESPACE)
        for process in self.processes:
            process.start()
        wait_ready(self.processes)

    def stop(self) -> None:
        for process in self.processes:
            process.stop()

    @contextlib.contextmanager
    def as_it_comes(self) -> Iterator[None]:
        """Meanwhile kustomize-controller runs without the feature gate."""
        (kustomize,) = (each for each in self.processes if each.name == "kustomize-controller")
        asked_for = kustomize.command
        for command in ([word for word in asked_for if word != NEWER_COMMIT], asked_for):
            kustomize.stop()
            kustomize.command = command
            kustomize.start()
            wait_ready([kustomize])
            if command is not asked_for:
                yield

    def apply(self, folder: Path) -> None:
        """Flux' own objects, by hand, as docs/gitops.md has it."""
        self._administrator.kubectl("apply", "-f", folder)

    def get(self, kind: str, name: str, namespace: str = NAMESPACE) -> Json:
        answer = self._administrator.kubectl("get", kind, name, "--namespace", namespace, "-o", "json")
        found: Json = json.loads(answer.stdout)
        return found

    def events(self, name: str) -> list[str]:
        """What Flux has said of this object of its own namespace."""
        words = (
            "get",
            "events",
            "--namespace",
            NAMESPACE,
            f"--field-selector=involvedObject.name={name}",
            "-o",
            "json",
        )
        return [each["message"] for each in json.loads(self._administrator.kubectl(*words).stdout)["items"]]

    def reconcile(self, kind: str, name: str, namespace: str = NAMESPACE) -> None:
        """Now, rather than when the interval is over."""
        now = f"reconcile.fluxcd.io/requestedAt={time.time()}"
        self._administrator.kubectl("annotate", kind, name, "--namespace", namespace, "--overwrite", now)

    def fetch(self, commit: str) -> str:
        """Have the repository read until this commit is there; its revision in Flux' words."""
        self.reconcile("gitrepository", "ordersaga")
        revision = f"main@sha1:{commit}"

        def seen() -> bool:
            artifact = self.get("gitrepository", "ordersaga").get("status", {}).get("artifact") or {}
            return artifact.get("revision") == revision

        wait_until(f"source-controller has fetched {commit}", seen, PATIENCE)
        return revision

    def until_applied(self, kustomization: str, revision: str) -> None:
        """Wait until Flux has applied all of this Kustomization at this revision, and waits for its health."""
        last: Json = {}

        def waits() -> bool:
            nonlocal last
            last = condition(self.get("kustomization", kustomization), "Reconciling")
            return str(last.get("message")).startswith(f"Running health checks for revision {revision}")

        wait_until(lambda: f"{kustomization} is applied at {revision}: {last}", waits, PATIENCE)

    def until_judged(self, kustomization: str, revision: str, seconds: float = PATIENCE) -> Json:
        """Wait until Flux has a verdict on this Kustomization at this revision; its condition Ready."""
        last: Json = {}

        def judged() -> Any:
            nonlocal last
            found = self.get("kustomization", kustomization)
            last = condition(found)
            attempted = found.get("status", {}).get("lastAttemptedRevision") == revision
            return attempted and last.get("status") != "Unknown" and last.get("reason") != "DependencyNotReady"

        wait_until(lambda: f"{kustomization} is judged at {revision}: {last}", judged, seconds)
        return last

    def until_ready(self, kustomization: str, revision: str, seconds: float = PATIENCE) -> None:
        """Wait until Flux says that this Kustomization is Ready at this revision."""
        last: Json = {}

        def is_ready() -> bool:
            nonlocal last
            found = self.get("kustomization", kustomization)
            last = condition(found)
            applied = found.get("status", {}).get("lastAppliedRevision") == revision
            return applied and last.get("status") == "True"

        wait_until(lambda: f"{kustomization} is Ready at {revision}: {last}", is_ready, seconds)

    def until_released(self, name: str, commit: str, *, status: str = "True", seconds: float = PATIENCE) -> Json:
        """Wait until helm-controller has this verdict on this commit's chart; the HelmRelease, of its own namespace."""
        found: Json = {}

        def judged() -> bool:
            nonlocal found
            found = self.get("helmrelease", name, name)
            attempted = found.get("status", {}).get("lastAttemptedRevision", "")
            return attempted.endswith(f"+{commit[:12]}") and condition(found).get("status") == status

        wait_until(lambda: f"the release of {commit[:12]} is Ready={status}: {condition(found)}", judged, seconds)
        return found


def condition(resource: Json, kind: str = "Ready") -> Json:
    """Its condition Ready, or another one; empty if it has none yet."""
    conditions = resource.get("status", {}).get("conditions") or []
    return next((each for each in conditions if each["type"] == kind), {})
