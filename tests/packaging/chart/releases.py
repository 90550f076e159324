"""Releases of the chart on a real API server, by either version of Helm."""

import json
from pathlib import Path

from common.wire import Json
from dev.release import render
from dev.stack.pytest_plugin import TestControlPlane
from tests.packaging.chart.charts import run_helm

NAME = "e-commerce-saga"


class Release:
    """One release, in a namespace that is its own."""

    def __init__(
        self, plane: TestControlPlane, program: str, namespace: str, *, name: str = NAME, chart: Path = render.CHART
    ) -> None:
        self.name, self.namespace, self.chart = name, namespace, chart
        self._plane, self._program = plane, program

    def tried(self, *words: str) -> str:
        """`helm WORDS`; what it says, or "" and what is wrong if it fails."""
        where = ("--namespace", self.namespace, "--kubeconfig", str(self._plane.kubeconfig))
        result = run_helm(*words, *where, program=self._program)
        return result.stdout if result.returncode == 0 else f"Error: {result.stderr}"

    def helm(self, *words: str) -> str:
        """`helm WORDS`; raises AssertionError with what it says if it fails."""
        said = self.tried(*words)
        assert not said.startswith("Error: "), said
        return said

    def install(self, *arguments: str) -> None:
        """Install it, with its namespace."""
        self.helm("install", self.name, str(self.chart), "--create-namespace", *arguments)

    def upgrade(self, *arguments: str) -> None:
        """Upgrade it to these values, or to the defaults."""
        self.helm("upgrade", self.name, str(self.chart), *arguments)

    def uninstall(self) -> None:
        """Uninstall it; the hook is a Job, and nothing runs Jobs here."""
        self.helm("uninstall", self.name, "--no-hooks")

    def names(self, kinds: str) -> set[str]:
        """What there is of these kinds in the namespace."""
        return set(self._plane.kubectl("get", kinds, "-n", self.namespace, "-o", "name").stdout.split())

    def found(self, kind: str, name: str) -> Json:
        """One object."""
        found: Json = json.loads(self._plane.kubectl("get", kind, name, "-n", self.namespace, "-o", "json").stdout)
        return found

    def replicas(self, name: str) -> int:
        """Of a Deployment."""
        wanted: int = self.found("deployment", name)["spec"]["replicas"]
        return wanted
