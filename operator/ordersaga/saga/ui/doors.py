"""Who comes in, and as whom they look: the viewer of this machine. `proxied` has the other door, that of a cluster."""

from collections.abc import Iterable
from typing import Final, Protocol
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from ordersaga.saga.access import Access
from ordersaga.saga.ui.links import Link
from ordersaga.saga.ui.live import Live
from ordersaga.saga.ui.viewer import Viewer

LOCAL: Final = frozenset({"127.0.0.1", "localhost", "::1"})
"""Names under which a browser of this machine comes."""


class Door(Protocol):
    """What the app asks of it."""

    prefix: str
    """Of every path; without a slash at its end."""
    sign_in: str
    """The address at which one signs in again; empty: there is none."""

    def start(self) -> None:
        """The server begins."""

    def stop(self) -> None:
        """It ends."""

    def refusal(self, request: HTTPConnection, method: str) -> tuple[int, str] | None:
        """Status and words, if such a request isn't looked at any further."""

    def viewer(self, request: HTTPConnection) -> Viewer:
        """Who asks.

        Raises:
            HTTPException: it doesn't say.
            ClusterError: the API server doesn't know them, or they may not see the list.
        """


class Own:
    """The one viewer of this machine, whose kubeconfig this is.

    Everything lies under a path with a secret, which keeps other users of this machine and other pages of the browser
    out. What comes to another path, or under another host's name, is answered 404.
    """

    sign_in = ""

    def __init__(self, access: Access, secret: str, links: Iterable[Link] = ()) -> None:
        self.prefix = f"/{secret}"
        self._live = Live(lambda: access)
        self._viewer = Viewer(access, self._live, links)

    def start(self) -> None:
        """Begin to list."""
        self._live.start()

    def stop(self) -> None:
        """End that."""
        self._live.stop()

    def refusal(self, request: HTTPConnection, method: str) -> tuple[int, str] | None:
        """Another page's script may find us under a name of its own (DNS rebinding)."""
        host = urlsplit(f"//{request.headers.get('host', '')}")
        return None if host.hostname in LOCAL else (404, "not found")

    def viewer(self, request: HTTPConnection) -> Viewer:
        """Whoever knows the secret."""
        return self._viewer
