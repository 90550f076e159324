"""What kube-state-metrics tells of the audit's jobs. The local control plane has no controllers, and so no jobs: here
each is a run of the command.
"""

import time
from itertools import count
from types import TracebackType
from typing import Self

from prometheus_client import CollectorRegistry, Gauge, start_http_server

from dev.stack.processes import free_port
from tests.e2e.test_audit import Auditor

NAME = "ordersaga-audit"


class Jobs:
    """Names and labels as in kube-state-metrics' docs/metrics/workload."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self._numbers = count(1)
        self._started = Gauge("kube_job_status_start_time", "Of a job.", ["job_name"], registry=registry)
        self._failed = Gauge("kube_job_failed", "Of a job.", ["job_name", "condition"], registry=registry)
        self._owner = Gauge("kube_job_owner", "Of a job.", ["job_name", "owner_kind", "owner_name"], registry=registry)
        self._succeeded = Gauge(
            "kube_cronjob_status_last_successful_time", "Of a CronJob.", ["cronjob"], registry=registry
        )
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._server, self._thread = start_http_server(port, addr="127.0.0.1", registry=registry)

    def run(self, auditor: Auditor) -> int:
        """Run the audit once, as its CronJob would; the exit status."""
        name = f"{NAME}-{next(self._numbers)}"
        began = time.time()
        status = auditor.run().returncode
        self._started.labels(name).set(began)
        self._owner.labels(name, "CronJob", NAME).set(1)
        self._failed.labels(name, "true").set(status != 0)
        if status == 0:
            self._succeeded.labels(NAME).set(time.time())
        return status

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
