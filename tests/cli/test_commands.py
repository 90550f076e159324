"""`ordersaga` as people type it: options, what it says, exit status."""

import asyncio
import io
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
import uvicorn

from ordersaga.audit.restore import write_manifest
from ordersaga.cli import main
from ordersaga.conformance.templates import BadBodyError, body_of, other_than, template
from ordersaga.phases import Phase
from tests.cli.broken import build
from tests.support import yamls

SEATS = ["--do", "/api/seats/take", "--undo", "/api/seats/free", "--rounds", "1"]
ROOT = Path(__file__).resolve().parents[2]
ALL = [
    *SEATS,
    *("--body", '{"row": 1}', "--refused-body", '{"row": 13}', "--slow-body", '{"row": 1, "pace": "slow"}'),
    *("--resource", "/api/seats/{order_id}", "--live", "state=taken", "--ledger", "/api/seats/{order_id}/ledger"),
]


@asynccontextmanager
async def listening(*mistakes: str) -> AsyncIterator[str]:
    # asyncio sends an answer at once (TCP_NODELAY) on what says that it is TCP, and else up to 40 ms later
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(build(*mistakes), log_config=None))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


async def ordersaga(*arguments: str) -> tuple[int, str, str]:
    """Exit status, output and errors; in a thread, since a new process costs a second of imports."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = await asyncio.to_thread(main, arguments)
    return status, out.getvalue(), err.getvalue()


async def test_a_participant_that_conforms() -> None:
    async with listening() as url:
        status, out, err = await ordersaga("conformance", url, *ALL)
    assert (status, err) == (0, "")
    assert "27 kept, 0 broken, 1 not tried" in out


async def test_a_participant_that_does_not() -> None:
    async with listening("no-tombstone-for-nothing") as url:
        status, out, _ = await ordersaga("conformance", url, *ALL, "--only", "do-twice", "late-do")
        machine = await ordersaga("conformance", url, *ALL, "--only", "late-do", "--json")
    assert status == 1
    assert [line.split()[:2] for line in out.splitlines() if line[:1].strip()] == [
        ["ok", "do-twice"],
        ["BROKEN", "late-do"],
        ["1", "kept,"],
        ["start", "with"],
    ]
    said = json.loads(machine[1])
    assert (machine[0], said["conforms"]) == (1, False)
    (claim,) = said["claims"]
    assert [call["label"] for call in claim["timeline"]] == ["undo", "do"]
    assert claim["timeline"][1]["response"]["status"] == 200


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([*SEATS], "--body is needed"),
        ([*SEATS, "--body", '{"row": 13}'], "a first do doesn't succeed"),
        ([*SEATS, "--body", "[]"], "neither a JSON object nor a file"),
        ([*SEATS, "--body", '{"row": 1', "--step", "seat"], "is not JSON"),
        ([*ALL, "--only", "nothing"], "there is no promise nothing"),
        ([*ALL, "--header", "x"], "--header takes NAME:VALUE"),
        (["--do", "/nowhere", "--undo", "/nowhere", "--body", "{}"], "give it with --step"),
    ],
)
async def test_what_can_not_be_tried_is_said(options: list[str], said: str) -> None:
    async with listening() as url:
        status, out, err = await ordersaga("conformance", url, *options)
    assert (status, out) == (2, "")
    assert said in err


async def test_a_participant_that_is_not_there() -> None:
    status, out, err = await ordersaga("conformance", "http://127.0.0.1:1", *ALL, "--step", "seat")
    assert (status, out) == (2, "")
    assert "a first do doesn't succeed" in err


def test_the_promises_can_be_listed() -> None:
    command = [sys.executable, "-m", "ordersaga", "conformance", "--list"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.split()[0]) == (0, "do-twice")


def test_a_body_is_a_template_for_any_order(tmp_path: Path) -> None:
    path = tmp_path / "body.json"
    path.write_text('{"id": "x-{order_id}", "lines": [{"count": 2, "gift": true}]}')
    given = template(str(path))
    assert body_of(given)("o-1") == {"order_id": "o-1", "id": "x-o-1", "lines": [{"count": 2, "gift": True}]}
    assert other_than(given) == {"id": "x-{order_id}", "lines": [{"count": 3, "gift": True}]}
    assert other_than({"name": "x"}) is None
    path.write_text("[]")
    with pytest.raises(BadBodyError, match="not an object"):
        template(str(path))


@pytest.mark.parametrize("command", [[], ["audit"], ["conformance"], ["drain"], ["smoke"]], ids=" ".join)
async def test_the_help_of_every_command_has_an_example(command: list[str]) -> None:
    with pytest.raises(SystemExit) as ended, redirect_stdout(io.StringIO()) as out:
        main([*command, "--help"])
    assert ended.value.code == 0
    assert f"ordersaga {' '.join(command)}".strip() in out.getvalue().partition("example: ")[2]
    assert not command or "exit status: 0 " in out.getvalue()


async def test_a_drain_that_can_not_ask_the_api_server_does_not_say_that_all_orders_have_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))
    status, out, _ = await ordersaga("drain", "--seconds", "0")
    assert status == 1
    assert "the API server can't be asked which orders are open" in out


async def test_a_smoke_order_that_no_service_takes_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERSAGA_INVENTORY_URL", "http://127.0.0.1:9")
    status, out, _ = await ordersaga("smoke", "--seconds", "0")
    assert status == 1
    assert "GET http://127.0.0.1:9/api/inventory/p-smoke: " in out


def test_the_command_knows_the_phases_of_the_resource() -> None:
    (version,) = yamls.load((ROOT / "crds" / "ordersaga.yaml").read_text())["spec"]["versions"]
    status = version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]
    assert [*Phase] == status["phase"]["enum"]


async def test_an_audit_without_an_api_server_is_blind(tmp_path: Path) -> None:
    status, out, err = await ordersaga("audit", "--kubeconfig", str(tmp_path / "nowhere"))
    assert (status, out) == (2, "")
    assert "nothing can be said" in err
    assert "KUBECONFIG" in err


async def test_over_rest_nothing_can_be_restored(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        "{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}], "
        "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}], users: [{name: u, user: {}}]}"
    )
    options = ("--kubeconfig", str(kubeconfig), "--via", "services", "--restore", str(tmp_path))
    status, _, err = await ordersaga("audit", *options)
    assert status == 2
    assert "--restore needs --via databases" in err


def test_a_manifest_is_written_where_it_is_asked_for(tmp_path: Path) -> None:
    order = {
        "order_id": "o-1",
        "customer_id": "c-17",
        "currency": "EUR",
        "items": [],
        "payment": {"method_ref": "test-ok"},
        "ship_to": {"address_ref": "a-17"},
        "notify": {"contact_ref": "c-17"},
    }
    path = write_manifest(tmp_path / "new", order, "shop")
    assert json.loads(path.read_text())["kind"] == "OrderSaga"
