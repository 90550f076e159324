"""The five services: the one list of their names and ports, for the product, the tools and the tests."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

SERVICES: Final[Mapping[str, int]] = MappingProxyType(
    {"order": 8000, "inventory": 8001, "payment": 8002, "shipping": 8003, "notification": 8004}
)
"""The port that each service listens on by default; the ports are part of the services' public description."""

NEIGHBOURS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "order": ("inventory", "payment", "shipping", "notification"),
        "inventory": ("order",),
        "payment": (),
        "shipping": ("order",),
        "notification": ("order",),
    }
)
"""Which services each of them calls: it has a token of its own for each of those, and for no other."""


def default_url(service: str) -> str:
    """Where that service listens on this machine if nothing else is said: `http://127.0.0.1:8000`."""
    return f"http://127.0.0.1:{SERVICES[service]}"
