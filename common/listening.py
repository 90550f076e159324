"""Sockets to listen on, for pods whose network has IPv4, IPv6 or both."""

import socket
from typing import Final

EVERYWHERE: Final = "::"
"""As an address to listen at: all addresses of this host. Elsewhere it may mean those of IPv6 alone."""
BACKLOG: Final = 2048
"""Connections that wait to be accepted, as many as uvicorn has."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens at this address; at `::` to IPv4 as well, and to that alone where there is no IPv6.

    Raises:
        OSError: the port is taken, or the address isn't one of this host.
    """
    everywhere = host == EVERYWHERE
    both = everywhere and socket.has_dualstack_ipv6()
    address = ("" if everywhere else host, port)
    family = socket.AF_INET6 if both or ":" in address[0] else socket.AF_INET
    made = socket.create_server(address, family=family, dualstack_ipv6=both, backlog=BACKLOG)
    # asyncio sends an answer at once (TCP_NODELAY) on what says that it is TCP, and else up to 40 ms later.
    return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=made.detach())
