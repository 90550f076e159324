"""A real Prometheus that reads the running stack every second, with the shipped rules in a hurry: each of their minutes
is a second.
"""

import os
import re
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from common.wire import Json
from dev.setup.paths import CHECKOUT
from dev.stack.processes import Process, answers, free_port
from dev.stack.waiting import wait_until

RULES = CHECKOUT / "helm" / "files" / "alerts.yaml"
PROGRAM = "ORDERSAGA_PROMETHEUS"
UNITS = {"s": 1, "m": 60, "h": 3600}
PATIENCE = 90.0
"""Seconds. The longest window is an hour in the rules, and a minute here."""


def program() -> str | None:
    """The Prometheus to use, if there is one and somebody asks for it (`make alerts-test`)."""
    return shutil.which(os.environ.get(PROGRAM) or "/nowhere")


def hurried(rules: str, namespace: str) -> str:
    """The rules for this namespace, a minute of theirs as a second: windows, patience, and what they compare with."""

    def seconds(found: re.Match[str]) -> str:
        return f"{found[1]}{int(found[2]) * UNITS[found[3]] // 60}s{found[4]}"

    text = rules.replace("NAMESPACE", namespace)
    text = re.sub(r"(\[)(\d+)([smh])(\])", seconds, text)
    text = re.sub(r"( for: )(\d+)([smh])()$", seconds, text, flags=re.MULTILINE)
    text = text.replace('le="60.0"', 'le="1.0"')
    # Each other holder is a start of the operator, which takes some seconds however much hurry there is.
    text = re.sub(r"(ordersaga_lease_transitions\{[^}]*\})\[30s\]", r"\1[60s]", text)
    return re.sub(r"(?<=> )(1800|600|300)\b", lambda found: str(int(found[0]) // 60), text)


class Prometheus(Process):
    """It keeps what it reads in `folder`."""

    def __init__(self, binary: str, folder: Path, targets: dict[str, str], namespace: str) -> None:
        """`targets`: the processes' names and URLs; a name becomes the label `pod`."""
        self.port, self._folder, self._namespace = free_port(), folder, namespace
        (folder / "rules.yaml").write_text(hurried(RULES.read_text(), namespace))
        scraped = [
            {"targets": [httpx.URL(url).netloc.decode()], "labels": {"namespace": namespace, "pod": name}}
            for name, url in targets.items()
        ]
        self._config: Json = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(folder / "rules.yaml")],
            "scrape_configs": [{"job_name": "ordersaga", "static_configs": scraped}],
        }
        self._write_config()
        super().__init__(
            "prometheus",
            [
                *(binary, f"--config.file={folder / 'prometheus.yaml'}", f"--storage.tsdb.path={folder / 'data'}"),
                *(f"--web.listen-address=127.0.0.1:{self.port}", "--enable-feature=exemplar-storage"),
                "--log.level=warn",
            ],
            log=folder / "prometheus.log",
            ready=lambda: answers(f"http://127.0.0.1:{self.port}/-/ready"),
        )

    @contextmanager
    def watching(self, name: str, url: str, authority: Path) -> Iterator[None]:
        """It reads one more process, which speaks TLS, until the block ends; `authority`: of its certificate."""
        target = httpx.URL(url).netloc.decode()
        job = {
            "job_name": name,
            "scheme": "https",
            "tls_config": {"ca_file": str(authority)},
            "static_configs": [{"targets": [target], "labels": {"namespace": self._namespace, "pod": name}}],
        }
        self._config["scrape_configs"].append(job)
        self._read_again()
        try:
            yield
        finally:
            self._config["scrape_configs"].remove(job)
            self._read_again()

    def _read_again(self) -> None:
        self._write_config()
        os.kill(self.pid, signal.SIGHUP)

    def _write_config(self) -> None:
        (self._folder / "prometheus.yaml").write_text(yaml.safe_dump(self._config))

    def asked(self, path: str, **parameters: str) -> Any:
        """The data that its API answers with."""
        answer = httpx.get(f"http://127.0.0.1:{self.port}/api/v1/{path}", params=parameters, timeout=10)
        said: Json = answer.json()
        assert said["status"] == "success", said
        return said["data"]

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """What an expression is now: labels and value of each series."""
        return [(each["metric"], float(each["value"][1])) for each in self.asked("query", query=expression)["result"]]

    def firing(self, alert: str, **labels: str) -> list[Json]:
        """The alerts of that name that fire now, with these labels among theirs."""
        wanted = {"alertname": alert, **labels}.items()
        found: list[Json] = self.asked("alerts")["alerts"]
        return [each for each in found if each["state"] == "firing" and wanted <= each["labels"].items()]

    def until_fires(self, alert: str, *, seconds: float = PATIENCE, **labels: str) -> Json:
        """Wait until it fires; the alert, which says what to do."""
        fired = wait_until(f"{alert} {labels} to fire", lambda: self.firing(alert, **labels), seconds)[0]
        annotations = fired["annotations"]
        assert annotations["summary"]
        assert not {"<no value>", "%!"} & set(re.findall(r"<no value>|%!", str(annotations))), annotations
        return fired

    def until_ends(self, alert: str, *, seconds: float = PATIENCE, **labels: str) -> None:
        """Wait until it doesn't fire any more."""
        wait_until(f"{alert} {labels} to end", lambda: not self.firing(alert, **labels), seconds)
