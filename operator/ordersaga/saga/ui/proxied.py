"""The door in a cluster: an authenticating proxy stands before it, and passes on the token of whoever has signed in.

The page has no rights of its own. What is asked of the API server is asked with the token of the request; without one
nothing is asked. The list alone is kept for all, since a hundred thousand sagas for each viewer would be too much. It
is read and watched with the token of somebody who looks at it now, and it is shown to nobody before the API server has
answered a list of their own, and once more each minute. When nobody looks it is forgotten.
"""

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from ordersaga.saga.access import Access
from ordersaga.saga.cluster import Cluster, ClusterError
from ordersaga.saga.ui.links import Link
from ordersaga.saga.ui.live import Live
from ordersaga.saga.ui.viewer import Viewer

MOST_VIEWERS: Final = 1_000
"""Whose tokens are kept, a few kilobytes each; who comes beyond that takes the place of who was longest away."""
LONGEST_TOKEN: Final = 16 * 1024
"""Characters: far above any token of OIDC, whose groups make it long, and below what a request's head may have."""
TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""RFC 6750, section 2.1: nothing that could end a header or begin another."""
HEADERS: Final = ("authorization", "x-forwarded-access-token")
"""In which a proxy passes it: oauth2-proxy's ID token as a bearer, OpenShift's access token bare."""
OWN_FETCHES: Final = frozenset({"same-origin", "none"})
"""`Sec-Fetch-Site` of what the page itself asks, or a person who types the address."""
NEVER: Final = float("-inf")
REFUSED: Final = frozenset({401, 403})


@dataclass(frozen=True, slots=True)
class Times:
    """In seconds."""

    check: float = 60.0
    """How long an answer about a viewer's rights counts: so long who loses them sees the list at most."""
    looks: float = 90.0
    """After its last question a viewer still looks: a stream asks every fifteen seconds."""
    watch: int = 60
    """A watch lasts so long, and the next one begins with the token of somebody who looks then."""


TIMES: Final = Times()


class Guest(Viewer):
    """Somebody whom the proxy has signed in, by their token."""

    def __init__(self, access: Access, live: Live, links: Iterable[Link], times: Times) -> None:
        super().__init__(access, live, links)
        self._times = times
        self._asking = threading.Lock()
        self._known_at = NEVER
        self._seen_at = time.monotonic()

    def check(self) -> None:
        """Ask the API server, unless it has answered of late."""
        self._seen_at = time.monotonic()
        with self._asking:
            if time.monotonic() - self._known_at < self._times.check:
                return
            try:
                with Cluster(self.access) as cluster:
                    cluster.get(cluster.sagas(), {"limit": "1"})
                    if not cluster.may("watch"):
                        raise ClusterError(403, "Forbidden", "watching them is not allowed")
            except ClusterError as error:
                if error.status in REFUSED:
                    self.forget()
                raise self._worded(error) from error
            self._known_at = time.monotonic()

    def forget(self) -> None:
        """What the API server has said counts no more."""
        self._known_at = NEVER

    def looks(self, moment: float) -> bool:
        """Whether they look now."""
        return moment - self._seen_at < self._times.looks

    def may(self, moment: float) -> bool:
        """Whether the API server has said of late that they may."""
        return moment - self._known_at < self._times.check + self._times.looks

    @property
    def known_at(self) -> float:
        """When the API server said so."""
        return self._known_at

    def _worded(self, error: ClusterError) -> ClusterError:
        if error.status == 401:
            return ClusterError(401, error.reason, "your sign-in has expired, or this cluster doesn't know it")
        if error.status == 403:
            what = f"you may not see the orders of namespace {self.access.namespace}: {error}"
            return ClusterError(403, error.reason, what)
        return error


class Proxied:
    """All who come through the proxy."""

    prefix = ""

    def __init__(
        self,
        access: Access,
        *,
        header: str = HEADERS[0],
        links: Iterable[Link] = (),
        sign_in: str = "",
        times: Times = TIMES,
        most: int = MOST_VIEWERS,
    ) -> None:
        """`access`: the API server, without any authorization. `header`: the one that the proxy sets, and no other.

        `most`: of viewers whose tokens are kept.
        """
        if access.authorization is not None:
            raise ValueError("the page has no rights of its own")
        self.sign_in = sign_in
        self._access, self._header, self._links = access, header, list(links)
        self._times, self._most = times, most
        self._guests: OrderedDict[bytes, Guest] = OrderedDict()
        self._lock = threading.Lock()
        self._live = Live(self._carrier, self._refused, times.watch)

    def __len__(self) -> int:
        """Whose tokens are kept."""
        return len(self._guests)

    def start(self) -> None:
        """It lists nothing before somebody looks."""
        self._live.start()

    def stop(self) -> None:
        """End it."""
        self._live.stop()

    def refusal(self, request: HTTPConnection, method: str) -> tuple[int, str] | None:
        """The proxy's cookie goes with whatever a browser sends: what another site makes it send is refused."""
        if not request.url.path.startswith("/api/"):
            return None
        site = request.headers.get("sec-fetch-site")
        if site is None and method not in {"GET", "HEAD"}:
            origin = urlsplit(request.headers.get("origin", ""))
            is_own = bool(origin.netloc) and origin.netloc == request.headers.get("host")
        else:
            is_own = site is None or site in OWN_FETCHES
        return None if is_own else (403, "this comes from another site, and only the page itself may ask")

    def viewer(self, request: HTTPConnection) -> Viewer:
        """Who has this token, if they may see the list."""
        token = self._token(request)
        key = sha256(token.encode("ascii")).digest()
        with self._lock:
            guest = self._guests.get(key)
            if guest is None:
                access = replace(self._access, authorization=f"Bearer {token}")
                guest = Guest(access, self._live, self._links, self._times)
                self._guests[key] = guest
            self._guests.move_to_end(key)
            while len(self._guests) > self._most:
                self._guests.popitem(last=False)
        try:
            guest.check()
        except ClusterError as error:
            if error.status in REFUSED:
                with self._lock:
                    self._guests.pop(key, None)
            raise
        self._live.wake()
        return guest

    def _token(self, request: HTTPConnection) -> str:
        values = request.headers.getlist(self._header)
        if len(values) > 1:
            raise HTTPException(400, f"{self._header} is there {len(values)} times")
        value = values[0] if values else ""
        if self._header == HEADERS[0]:
            scheme, _, value = value.partition(" ")
            value = value if scheme.lower() == "bearer" else ""
        value = value.strip()
        if len(value) > LONGEST_TOKEN or not TOKEN.fullmatch(value):
            raise HTTPException(401, "the proxy has passed no token on: sign in")
        return value

    def _carrier(self) -> Access | None:
        """With whose rights the list is read and watched now; None: nobody looks. Their tokens needn't be kept then."""
        moment = time.monotonic()
        with self._lock:
            for key in [key for key, guest in self._guests.items() if not guest.looks(moment)]:
                del self._guests[key]
            looking = [guest for guest in self._guests.values() if guest.may(moment)]
        return max(looking, key=lambda guest: guest.known_at).access if looking else None

    def _refused(self, access: Access) -> None:
        """The API server lets this one list no more: it is another's turn."""
        with self._lock:
            guests = [guest for guest in self._guests.values() if guest.access is access]
        for guest in guests:
            guest.forget()
