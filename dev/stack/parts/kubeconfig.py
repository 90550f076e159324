"""Kubeconfig files: for people with a client certificate, for programs with their ServiceAccount's token in a file."""

import base64
import json
from pathlib import Path

from dev.stack.parts.certificates import write_private


def write_kubeconfig(path: Path, *, url: str, authority: Path, user: dict[str, str], namespace: str) -> None:
    """Write a kubeconfig with one cluster, one user and one context. JSON is YAML, and every client reads it."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "ordersaga",
                "cluster": {
                    "server": url,
                    "certificate-authority-data": base64.b64encode(authority.read_bytes()).decode(),
                },
            }
        ],
        "users": [{"name": "ordersaga", "user": user}],
        "contexts": [
            {"name": "ordersaga", "context": {"cluster": "ordersaga", "user": "ordersaga", "namespace": namespace}}
        ],
        "current-context": "ordersaga",
    }
    write_private(path, json.dumps(config, indent=2).encode())
