"""Plain HTTP to a process on this machine, for those who ask it again and again."""

import ssl
from typing import Any

import httpx

NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""httpx reads all of the internet's for each client, which takes longer than the request."""


def get(url: str, **options: Any) -> httpx.Response:
    """`httpx.get` of an address without TLS."""
    return httpx.get(url, verify=NO_AUTHORITIES, **options)
