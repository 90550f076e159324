"""Schemathesis on one service: requests made from its OpenAPI document, and what their answers have to be."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.identity.callers import Role
from common.web.app import Service
from dev.setup.paths import CHECKOUT

HOOKS = "tests.contract.described.hooks"
UNTRUE = "allow_header_conformance"
"""GET /api/orders/cancel is another route, which shows the order of that name: Allow is right to have both methods."""
REFUSALS = ("400", "404", "409", "412", "413", "422", "428", "429")
"""Right answers to what a document can't say all of: no such order, a product twice, a reason of the business."""


@dataclass(frozen=True, slots=True)
class Described:
    """One service on a socket, and a token for each role that is needed there."""

    app: Service
    url: str
    tokens: Mapping[Role, str]


def configuration(service: Described) -> Iterator[str]:
    """Lines of TOML: what is a right answer, and for each route a token of somebody who may call it."""
    yield f"hooks = {json.dumps(HOOKS)}"
    yield "cache.enabled = false"
    # Whether a token is asked for is a check of its own (ignored_auth). Generated requests have one in any case: where
    # it counts as left out, a query with a name too many, which a service may ignore, counts as one with mistakes.
    yield "generation.with-security-parameters = false"
    yield "[checks]"
    yield f"positive_data_acceptance.expected-statuses = {json.dumps(['2xx', *REFUSALS])}"
    yield f"negative_data_rejection.expected-statuses = {json.dumps(['401', '403', '405', '415', *REFUSALS])}"
    yield 'missing_required_header.expected-statuses = ["400", "401", "422"]'
    for name, roles in service.app.callers.items():
        token = next(token for role, token in service.tokens.items() if roles is None or role in roles)
        yield "[[operations]]"
        yield f"include-name = {json.dumps(name)}"
        yield f'headers = {{ Authorization = "Bearer {token}" }}'


async def judge(service: Described, folder: Path, *, examples: int, mode: Sequence[str]) -> tuple[int, str]:
    """Exit status and report. `examples`: for each operation and phase; `mode`: options that say which ones.

    One worker: of more, two parse sources at a time (`ast.parse`, for the names of lambdas), and CPython 3.11 raises
    "AST constructor recursion depth mismatch" now and then.
    """
    file = folder / f"{service.app.name}.toml"
    file.write_text("\n".join(configuration(service)))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(file), "run", f"{service.url}/openapi.json"),
        *("--checks", "all", "--exclude-checks", UNTRUE, "--continue-on-failure", "--no-color"),
        *("--max-examples", str(examples), *mode),
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "COLUMNS": "120"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode or 0, output.decode(errors="replace")
