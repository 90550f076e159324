"""Asks every part of a running OrderSaga whether it is alive and ready; exit status 0 if all are.

    .ordersaga/venv/bin/python scripts/check_health.py [--json] [--timeout 3]

Asks the five services (/health: is it alive, /ready: can it work), the operator and the API server. Addresses come
from ORDERSAGA_{ORDER,INVENTORY,PAYMENT,SHIPPING,NOTIFICATION,OPERATOR}_URL; defaults are the local stack's.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from common.services import SERVICES

CHECKOUT = Path(__file__).resolve().parent.parent
DEFAULTS = {name: f"http://127.0.0.1:{port}" for name, port in {**SERVICES, "operator": 8080}.items()}


@dataclass(frozen=True)
class Health:
    """What one part answered."""

    part: str
    address: str
    alive: bool
    ready: bool
    milliseconds: float
    detail: str
    """What is wrong and what to do, or empty."""

    @property
    def well(self) -> bool:
        """Whether it works."""
        return self.alive and self.ready


def ask(http: httpx.Client, part: str) -> Health:
    """The health of a service or of the operator."""
    base = os.environ.get(f"ORDERSAGA_{part.upper()}_URL", DEFAULTS[part]).rstrip("/")
    alive_path, ready_path = ("/healthz", "/readyz") if part == "operator" else ("/health", "/ready")
    started = time.perf_counter()
    try:
        alive = http.get(base + alive_path)
        ready = http.get(base + ready_path)
    except httpx.HTTPError as error:
        return Health(part, base, False, False, _since(started), f"no answer ({type(error).__name__}): is it running?")
    detail = _failing(alive) if ready.is_success else _detail(ready)
    return Health(part, base, alive.is_success, ready.is_success, _since(started), detail)


def ask_api_server(seconds: float) -> Health | None:
    """The health of the API server that kubectl would talk to; None if there is no way to ask."""
    kubectl = Path(os.environ.get("ORDERSAGA_LOCAL_FOLDER", CHECKOUT / ".ordersaga")) / "kubectl"
    command = [str(kubectl)] if kubectl.exists() and "KUBECONFIG" not in os.environ else ["kubectl"]
    started = time.perf_counter()
    try:
        answer = subprocess.run(
            [*command, "get", "--raw", "/apis/ordersaga.io/v1alpha1", f"--request-timeout={seconds}s"],
            capture_output=True,
            text=True,
            timeout=seconds + 2,
            check=False,
        )
    except FileNotFoundError:
        return None
    except subprocess.TimeoutExpired:
        return Health("api server", "kubectl", False, False, _since(started), "no answer: is it running?")
    well = answer.returncode == 0
    lines = (answer.stderr.strip() or "no answer").splitlines()
    return Health("api server", "kubectl", well, well, _since(started), "" if well else lines[-1])


def _failing(alive: httpx.Response) -> str:
    """What fails beside the requests, which takes nobody their answers."""
    works: dict[str, dict[str, str]] = alive.json().get("background", {}) if alive.is_success else {}
    return "; ".join(f"{name}: {each.get('why')}" for name, each in works.items() if each["state"] == "failing")


def _detail(answer: httpx.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        return f"{answer.status_code} {answer.text[:200]}"
    return str(body.get("detail") or body) if isinstance(body, dict) else str(body)


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)


def _table(found: list[Health]) -> str:
    rows: list[tuple[str, ...]] = [("part", "alive", "ready", "ms", "address", "")]
    for health in found:
        yes_no = ["yes" if each else "NO" for each in (health.alive, health.ready)]
        rows.append((health.part, *yes_no, f"{health.milliseconds:.0f}", health.address, health.detail))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[5]]).rstrip()
        for row in rows
    )


def main() -> int:
    """Ask all parts at the same time; exit status 1 if one isn't alive and ready."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    options.add_argument("--json", action="store_true", help="for machines")
    options.add_argument("--timeout", type=float, default=3.0, help="seconds to wait for an answer (default 3)")
    asked = options.parse_args()
    with httpx.Client(timeout=asked.timeout) as http, ThreadPoolExecutor() as pool:
        api_server = pool.submit(ask_api_server, asked.timeout)
        found = list(pool.map(lambda part: ask(http, part), DEFAULTS))
    if (health := api_server.result()) is not None:
        found.append(health)
    well = all(health.well for health in found)
    if asked.json:
        print(
            json.dumps({"well": well, "parts": [{**asdict(health), "well": health.well} for health in found]}, indent=2)
        )
    else:
        print(_table(found))
        not_ready = "not ready: see the last column; the local stack's logs are in .ordersaga/logs"
        print(f"\n{'all parts are ready' if well else not_ready}")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
