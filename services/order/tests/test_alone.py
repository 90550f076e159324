"""The service starts alone, from its own folder, with nothing around it."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import httpx

FOLDER = Path(__file__).parents[1]


def test_no_module_shadows_the_standard_library() -> None:
    """`cd services/order && python -m uvicorn main:app` puts this folder in front of everything else."""
    assert not {path.stem for path in FOLDER.glob("*.py")} & set(sys.stdlib_module_names)


async def test_it_starts_with_neither_database_nor_api_server_and_says_what_is_missing() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KUBE")}
    environment |= {"ORDERSAGA_MONGODB_URL": "mongodb://127.0.0.1:1/", "ORDERSAGA_MONGODB_TIMEOUT_MS": "200"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uvicorn", "main:app", "--port", str(port)),
        cwd=FOLDER,
        env=environment,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            async with asyncio.timeout(30):
                while not await answers(client):  # noqa: ASYNC110 - another process can't set an event
                    await asyncio.sleep(0.1)
            assert (await client.get("/")).json()["name"] == "order-service"
            ready = await client.get("/ready")
            assert ready.status_code == 503
            assert "ORDERSAGA_MONGODB_URL" in ready.json()["detail"]
            assert "/api/orders/{order_id}/cancel" in (await client.get("/openapi.json")).json()["paths"]
    finally:
        process.terminate()
        await process.wait()
    assert process.returncode == -signal.SIGTERM  # uvicorn shuts down, then ends as it was told


async def answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/health")).is_success
    except httpx.TransportError:
        return False
