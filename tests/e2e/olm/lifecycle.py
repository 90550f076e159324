"""The Operator Lifecycle Manager's two controllers as processes, with a cluster administrator's rights, and a catalog.

OLM has nearly these rights itself: it may make any role.
"""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import yaml

from common.wire import Json
from dev.release import olm
from dev.release.judges import controllers
from dev.setup.errors import StackError
from dev.stack.parts.admin import Administrator
from dev.stack.processes import Process, free_port, is_listening, wait_ready
from dev.stack.waiting import wait_until

T = TypeVar("T")
NAMESPACE = "olm"
# Seconds. An installation takes fifteen on two idle cores.
PATIENCE = 180.0
CSV, PLAN = "clusterserviceversion.operators.coreos.com", "installplan.operators.coreos.com"


class Catalog:
    """`opm serve` with the bundle of this checkout, at versions of the test's choice, each replacing the one before."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._opm, self._folder = programs / "opm", folder
        self._bundles, self._content = folder / "bundles", folder / "content"
        self.port = free_port()
        self.process = Process(
            "opm",
            [
                *(self._opm, "serve", self._content, f"--port={self.port}", "--pprof-addr="),
                *(f"--cache-dir={folder / 'cache'}", "--cache-enforce-integrity=false"),
                f"--termination-log={folder / 'termination'}",
            ],
            log=folder / "opm.log",
            ready=lambda: is_listening(self.port),
            env={"HOME": str(folder), "TMPDIR": str(folder), "OPM_HOST": "127.0.0.1"},
        )

    def publish(self, *versions: str, image: str = "") -> None:
        """Serve these versions, the newest last, as a catalog with the bundles' whole content and no bundle image.

        `image`: the operator's, in place of one with the version's tag.
        """
        self.process.stop()
        shutil.rmtree(self._content, ignore_errors=True)
        self._content.mkdir(parents=True)
        rendered = [self._run("render", self._bundle(version, image)) for version in versions]
        entries = [
            {"name": name(version), **({"replaces": name(before)} if before else {})}
            for version, before in zip(versions, ("", *versions), strict=False)
        ]
        package, channel = yaml.safe_load_all((olm.OLM / "catalog" / "package.yaml").read_text())
        about = [package, {**channel, "entries": entries}]
        (self._content / "catalog.json").write_text("".join((*map(json.dumps, about), *rendered)))
        self._run("validate", self._content)
        self.process.start()
        wait_ready([self.process])

    def _bundle(self, version: str, image: str) -> Path:
        """The bundle as it would be in this version: other names and image, and otherwise this checkout's."""
        folder = self._bundles / version
        shutil.copytree(olm.BUNDLE, folder, dirs_exist_ok=True)
        file = folder / "manifests" / f"{olm.PACKAGE}.clusterserviceversion.yaml"
        csv: Json = yaml.safe_load(file.read_text())
        ours = csv["spec"]["version"]
        csv["metadata"]["name"] = name(version)
        csv["spec"]["version"] = version
        text = yaml.safe_dump(csv)
        file.write_text(text.replace(f"{olm.IMAGE}:{ours}", image or f"{olm.IMAGE}:{version}"))
        return folder

    def _run(self, *words: str | Path) -> str:
        done = subprocess.run([self._opm, *words], capture_output=True, text=True, check=False, cwd=self._folder)
        if done.returncode:
            raise StackError(f"opm {' '.join(map(str, words))} failed: {done.stderr or done.stdout}")
        return done.stdout


class OLM:
    """olm-operator and catalog-operator, and a catalog."""

    def __init__(self, programs: Path, administrator: Administrator, folder: Path) -> None:
        self.administrator, self._programs = administrator, programs
        folder.mkdir(parents=True)
        self.catalog = Catalog(programs, folder)
        kubeconfig = str(administrator.kubeconfig)
        env = {
            "KUBECONFIG": kubeconfig,
            "OPERATOR_NAMESPACE": NAMESPACE,
            "OPERATOR_NAME": "olm-operator",
            "HOME": str(folder),
            "TMPDIR": str(folder),
        }
        self.processes = [
            Process(
                program,
                [programs / program, "--namespace", NAMESPACE],
                log=folder / f"{program}.log",
                ready=lambda: True,  # they only say that they live
                env=env,
                cwd=folder,
            )
            for program in ("olm", "catalog")
        ]

    def start(self) -> None:
        """Their kinds, their namespace, and they."""
        kubectl = self.administrator.kubectl
        kubectl("apply", "--server-side", "-f", self._programs / controllers.DEFINITIONS)
        established = ("wait", "--for=condition=Established", "--timeout=10s", "crd", "--all")
        # It gives up on definitions so new that their conditions are null.
        wait_until("OLM's kinds are served", lambda: kubectl(*established, check=False).returncode == 0, PATIENCE)
        kubectl("create", "namespace", NAMESPACE)
        for process in self.processes:
            process.start()
        wait_ready(self.processes)

    def stop(self) -> None:
        for process in (*self.processes, self.catalog.process):
            process.stop()

    def get(self, kind: str, name: str, namespace: str) -> Json:
        """The object as the API server has it; empty if there is none."""
        answer = self.administrator.kubectl("get", kind, name, "-n", namespace, "-o", "json", "--ignore-not-found")
        found: Json = json.loads(answer.stdout or "{}")
        return found

    def list(self, kind: str, namespace: str) -> list[Json]:
        answer = self.administrator.kubectl("get", kind, "--namespace", namespace, "-o", "json")
        items: list[Json] = json.loads(answer.stdout)["items"]
        return items

    def subscribe(self, namespace: str, *, targets: Iterable[str] | None = None, **spec: Json) -> None:
        """Apply manifests/olm/subscription.yaml for this namespace and this catalog.

        `targets`: the OperatorGroup's namespaces, this one without it. `spec`: more of the Subscription's.
        """
        text = (olm.OLM / "subscription.yaml").read_text().replace("e-commerce-saga", namespace)
        objects = [each for each in yaml.safe_load_all(text) if each]
        source, group, subscription = objects
        source["spec"] = {"sourceType": "grpc", "address": f"127.0.0.1:{self.catalog.port}"}
        if targets is not None:
            group["spec"]["targetNamespaces"] = [*targets]
        subscription["spec"] |= spec
        self.administrator.kubectl(
            "apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        )

    def until_phase(self, version: str, namespace: str, phase: str = "Succeeded") -> Json:
        """Wait until the ClusterServiceVersion of this version is in this phase; the object."""
        return self.until(
            f"{name(version)} in {namespace} is {phase}",
            lambda: self.get(CSV, name(version), namespace),
            lambda found: found.get("status", {}).get("phase") == phase,
        )

    def until_installed(self, version: str, namespace: str) -> Json:
        """Wait until this version has Succeeded, and no InstallPlan of the namespace has anything left to do."""
        csv = self.until_phase(version, namespace)
        self.until(
            f"the InstallPlans of {namespace} are Complete",
            lambda: [plan.get("status", {}).get("phase") for plan in self.list(PLAN, namespace)],
            lambda phases: set(phases) == {"Complete"},
        )
        return csv

    def until(self, what: str, look: Callable[[], T], is_so: Callable[[T], bool]) -> T:
        """Look until it is so; what was seen then. Raises StackError with what was seen last, and the InstallPlans."""
        seen: list[T] = []

        def done() -> bool:
            seen[:] = [look()]
            return is_so(seen[0])

        def told() -> str:
            plans = json.loads(self.administrator.kubectl("get", PLAN, "-A", "-o", "json").stdout)["items"]
            return f"{what}: {short(seen[0])}; InstallPlans: {[short(plan) for plan in plans]}"

        wait_until(told, done, PATIENCE, pause_seconds=0.5)
        return seen[0]


def short(found: object) -> object:
    """What of an object's status says why."""
    status = found.get("status") if isinstance(found, dict) else None
    if not isinstance(status, dict):
        return found
    return {key: status.get(key) for key in ("phase", "reason", "message", "requirementStatus") if key in status}


def name(version: str) -> str:
    """Of the ClusterServiceVersion."""
    return f"{olm.PACKAGE}.v{version}"
