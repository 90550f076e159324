"""What a browser tab is told by the page's server."""

import contextlib
import json
import queue
import threading
from typing import Any

import httpx

PATIENCE = 60.0
"""Seconds that a busy machine may take."""


class Events:
    """What a browser tab is told, as it comes."""

    def __init__(self, client: httpx.Client, **params: str) -> None:
        self.told: queue.Queue[tuple[str, Any]] = queue.Queue()
        self._client, self._params = client, params
        self._over = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def until(self, kind: str, wanted: Any, seconds: float = PATIENCE) -> Any:
        """The data of the first event of this kind of which it is true."""
        while True:
            found, data = self.told.get(timeout=seconds)
            if found == kind and wanted(data):
                return data

    def close(self) -> None:
        self._over.set()

    def _read(self) -> None:
        kind = ""
        # the server, or its client, ends in the middle of it
        with (
            contextlib.suppress(httpx.HTTPError),
            self._client.stream("GET", "api/events", params=self._params) as answer,
        ):
            for line in answer.iter_lines():
                if self._over.is_set():
                    return
                if line.startswith("event: "):
                    kind = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    self.told.put((kind, json.loads(line.removeprefix("data: "))))
