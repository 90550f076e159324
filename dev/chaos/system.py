"""The whole system, on ports and in a folder of its own, with parts that can be killed, paused and started again."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from common.services import NEIGHBOURS, SERVICES
from dev.chaos.network.proxy import CLIENTS
from dev.chaos.plan.faults import APISERVER, ETCD, MONGOD, OPERATOR, SECOND, Fault, FaultKind
from dev.stack.parts.applications import Operator, Service, Wiring
from dev.stack.parts.certificates import write_private
from dev.stack.parts.control_plane import ControlPlane
from dev.stack.parts.mongod import Mongod
from dev.stack.ports import free_ports
from dev.stack.processes import Process, wait_ready

NAMESPACE = "shop"
RESTART_SECONDS = 1.0
"""After which a part that has ended by itself is started again."""


@dataclass
class Part:
    """A process, and what was done to it. Times: monotonic seconds."""

    process: Process
    wanted: bool = True
    """Whether it should run; the second operator should only now and then."""
    may_end: bool = False
    """Whether it may end by itself: an operator without its Lease does, an API server without etcd may."""
    down_until: float | None = None
    paused_until: float | None = None
    ends_by_kill: bool = False
    """Whether a part that is not wanted is killed at `down_until`, or told to stop."""


class System:
    """All parts. Use it from the main thread only: a child process ends with the thread that started it."""

    def __init__(self, folder: Path, *, relayed: bool = True, env: Mapping[str, str] | None = None) -> None:
        """`relayed`: our programs reach the API server through the relay; `env`: more environment for them."""
        ports = iter(free_ports(8 + len(SERVICES) * 2))
        logs = folder / "logs"
        self.mongod = Mongod(data=folder / "mongod", port=next(ports), log=logs / "mongod.log")
        self.plane = ControlPlane(
            folder / "control-plane",
            kubeconfig=folder / "kubeconfig",
            logs=logs,
            ports=(next(ports), next(ports), next(ports)),
            namespace=NAMESPACE,
        )
        self.wiring = Wiring(
            mongodb_url=self.mongod.url,
            logs=logs,
            service_ports={name: next(ports) for name in SERVICES},
            health_port=next(ports),
            namespace=NAMESPACE,
            extra=dict(env or {}),
        )
        self.proxy_ports = {name: next(ports) for name in (*SERVICES, CLIENTS)}
        self.relay_port = next(ports)
        """Of the relay, through which the operators and the order service reach the API server."""
        self.apiserver_port = int(self.plane.url.rpartition(":")[2])
        self._folder = folder
        self._relayed = relayed
        self._second_health = next(ports)
        self.staff_tokens = folder / "ordersaga-staff.tokens"
        """A token for each service, with which products and orders are made; there once it has started."""
        self.parts: dict[str, Part] = {}
        self.kills: Counter[str] = Counter()
        self.ended_by_themselves: list[str] = []
        """Parts that ended without a fault and may not."""
        self.restarts: Counter[str] = Counter()
        """How often parts that may end by themselves did, by name and how."""

    def start(self) -> None:
        """Start everything and wait until it is ready."""
        self.plane.start()
        self.mongod.start()
        self.parts = {
            ETCD: Part(self.plane.etcd),
            APISERVER: Part(self.plane.apiserver, may_end=True),
            MONGOD: Part(self.mongod),
        }
        wait_ready([part.process for part in self.parts.values()])
        self.plane.administrator.install(NAMESPACE)
        for name in SERVICES:
            account = f"{name}-service"
            tokens = self.plane.administrator.tokens(account, NAMESPACE, self._folder, NEIGHBOURS[name])
            self.parts[name] = Part(Service(name, self.wiring, kubeconfig=self._identity(account), tokens=tokens))
        proxied = replace(self.wiring, service_ports={name: self.proxy_ports[name] for name in SERVICES})
        identity = self._identity("ordersaga-operator")
        tokens = self.plane.administrator.tokens("ordersaga-operator", NAMESPACE, self._folder)
        self.plane.administrator.tokens("ordersaga-staff", NAMESPACE, self._folder)
        first = Operator(proxied, kubeconfig=identity, tokens=tokens, identity="first")
        apart = replace(proxied, logs=self.wiring.logs / "second", health_port=self._second_health)
        second = Operator(apart, kubeconfig=identity, tokens=tokens, identity="second")
        second.name = SECOND
        self.parts[OPERATOR] = Part(first, may_end=True)
        self.parts[SECOND] = Part(second, wanted=False, may_end=True)
        started = [part.process for part in self.parts.values() if part.wanted and not part.process.running()]
        for process in started:
            process.start()
        wait_ready(started)

    def inject(self, fault: Fault) -> None:
        """Do it now, if it concerns a process; see Load.inject for connections."""
        now = time.monotonic()
        if fault.kind in (FaultKind.KILL, FaultKind.OUTAGE):
            self.kill(fault.part, fault.seconds)
        elif fault.kind is FaultKind.PAUSE:
            self.pause(fault.part, fault.seconds)
        elif fault.kind in (FaultKind.JOIN, FaultKind.OVERLAP):
            second = self.parts[SECOND]
            if not second.process.running():
                second.process.start()
            # It is stopped a while after the overlap, so that it also works alone for a moment.
            second.down_until = now + fault.seconds * 1.3
            second.ends_by_kill = fault.kind is FaultKind.OVERLAP
            if fault.kind is FaultKind.OVERLAP:
                self.pause(OPERATOR, fault.seconds)

    def kill(self, name: str, seconds: float) -> None:
        """kill -9, and start it again after this time."""
        part = self.parts[name]
        if not part.process.running():
            return
        self.kills[name] += 1
        part.paused_until = None
        part.down_until = time.monotonic() + seconds
        part.process.kill()

    def pause(self, name: str, seconds: float = float("inf")) -> None:
        """SIGSTOP, and SIGCONT after this time, or when it is resumed."""
        part = self.parts[name]
        if part.process.running():
            part.paused_until = time.monotonic() + seconds
            os.killpg(part.process.pid, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """SIGCONT if it is paused."""
        part = self.parts[name]
        if part.paused_until is not None and part.process.running():
            os.killpg(part.process.pid, signal.SIGCONT)
        part.paused_until = None

    def tick(self) -> None:
        """Start, resume and stop the parts whose time has come. To be called every few milliseconds."""
        now = time.monotonic()
        for name, part in self.parts.items():
            if part.paused_until is not None and now >= part.paused_until:
                self.resume(name)
            if not part.wanted:
                if part.down_until is not None and now >= part.down_until:
                    part.down_until = None
                    if part.ends_by_kill:
                        self.kills[name] += part.process.running()
                        part.process.kill()
                    else:
                        part.process.ask_to_stop()
            elif not part.process.running():
                if part.down_until is None:
                    if part.may_end:
                        self.restarts[f"{name} {part.process.how_it_ended()}"] += 1
                    else:
                        self.ended_by_themselves.append(f"{name} {part.process.how_it_ended()}; see {part.process.log}")
                    part.down_until = now + RESTART_SECONDS
                if now >= part.down_until:
                    part.down_until = None
                    part.process.start()

    def calm(self) -> None:
        """End all faults: parts that are down or paused come back at once."""
        for name, part in self.parts.items():
            self.resume(name)
            if part.down_until is not None:
                part.down_until = 0.0

    def wanted(self) -> list[Process]:
        """The parts that should run."""
        return [part.process for part in self.parts.values() if part.wanted]

    def complete(self) -> bool:
        """Whether exactly the parts run that should."""
        return all(part.process.running() is part.wanted for part in self.parts.values())

    def stop(self) -> None:
        """End everything."""
        groups = ([OPERATOR, SECOND], list(SERVICES), [APISERVER], [MONGOD, ETCD])
        for group in groups:
            names = [name for name in group if name in self.parts]
            for name in names:
                self.resume(name)
                self.parts[name].process.ask_to_stop()
            for name in names:
                self.parts[name].process.wait_until_stopped()

    def _identity(self, account: str) -> Path:
        """A kubeconfig of this ServiceAccount."""
        path = self.plane.administrator.identity(account, NAMESPACE, self._folder)
        if not self._relayed:
            return path
        config = json.loads(path.read_text())
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{self.relay_port}"
        write_private(path, json.dumps(config).encode())
        return path
