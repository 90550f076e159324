"""Who comes in: API keys and the tokens of the shop's identity provider, each client within its rate."""

import logging
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, Protocol

from common.errors import TooMany
from common.identity.callers import Caller, Role
from common.identity.keys import FileKeys, Keys, KeySource
from common.identity.tokens import NotAuthentic
from common.mongo import Database
from common.web.guard import OPEN_TO_CLIENTS
from services.order.door.allowance import Allowance
from services.order.door.api_keys import PREFIX, digest_of
from services.order.door.discovery import DiscoveredKeys
from services.order.door.keyring import ApiKeys, Keyring
from services.order.door.provider import ALGORITHMS, FRESH, Claims, Provider
from services.order.settings import OrderSettings

log = logging.getLogger("ordersaga.door")

REFUSALS: Final = 200.0
"""Refused credentials a second from each address: each costs a look into the database or a verification. Behind a
gateway all clients have its address, since what it says of them in X-Forwarded-For anybody could say: so those whose
credential was good before aren't held up by this.
"""
REFUSALS_AT_ONCE: Final = 400


class Judge(Protocol):
    """Judges one kind of credential."""

    def known(self, digest: str) -> Caller | None:
        """Who its bearer is, if that was found a moment ago."""

    def seen(self, digest: str) -> bool:
        """Whether it was good when it was last judged."""

    async def identify(self, token: str, digest: str) -> Caller:
        """Who its bearer is. Raises NotAuthentic, NotDecided."""


class Door:
    """The guard of the routes for clients asks it at each request (`common.web.guard`)."""

    def __init__(
        self,
        keyring: Judge,
        provider: Provider | None,
        *,
        customers: Allowance,
        staff: Allowance,
        refusals: Allowance,
    ) -> None:
        """`customers` and `staff`: requests of each client; `refusals`: requests of an address whose credentials
        aren't believed.
        """
        self._keyring, self._provider = keyring, provider
        self._allowances = {Role.CUSTOMER: customers, Role.STAFF: staff}
        self._refusals = refusals

    async def admit(self, token: str, address: str) -> Caller | None:
        """Whose credential this is; None if it is neither a key nor the provider's token.

        Raises:
            NotAuthentic, NotDecided, TooMany.
        """
        judge: Judge | None = self._keyring if token.startswith(PREFIX) else self._provider
        if judge is None:
            return None
        digest = digest_of(token)
        caller = judge.known(digest)
        if caller is None:
            if self._provider is judge and not self._provider.issued(token):
                return None
            caller = await self._identify(judge, token, digest, address)
        if wait := self._allowances[Role(caller.role or "")].take(caller.name):
            raise TooMany(f"you make too many requests: go on in {wait:.1f} s", retry_after=wait)
        return caller

    async def _identify(self, judge: Judge, token: str, digest: str, address: str) -> Caller:
        if not judge.seen(digest) and (wait := self._refusals.wait(address)):
            raise TooMany(
                f"too many credentials from your address were refused: go on in {wait:.1f} s", retry_after=wait
            )
        try:
            return await judge.identify(token, digest)
        except NotAuthentic:
            self._refusals.take(address)
            raise


@asynccontextmanager
async def door(settings: OrderSettings, database: Database) -> AsyncIterator[Door | None]:
    """As the settings say; None in development. Connections to the provider are closed at the end."""
    if not settings.guards_clients:
        log.warning("%s", OPEN_TO_CLIENTS)
        yield None
        return
    async with AsyncExitStack() as stack:
        provider = None
        if settings.clients_issuer:
            source: KeySource
            if settings.clients_keys is not None:
                source = FileKeys(settings.clients_keys, settings.clients_issuer, ALGORITHMS)
            else:
                source = DiscoveredKeys(settings.clients_issuer, ALGORITHMS)
                stack.push_async_callback(source.aclose)
            provider = Provider(
                Keys(source, fresh=FRESH),
                issuer=settings.clients_issuer,
                audience=settings.clients_audience,
                claims=Claims(
                    settings.clients_customer_claim, settings.clients_staff_claim, settings.clients_staff_value
                ),
            )
        yield Door(
            Keyring(ApiKeys(database)),
            provider,
            customers=Allowance(settings.clients_rate, settings.clients_burst, clock=time.monotonic),
            staff=Allowance(settings.clients_staff_rate, settings.clients_staff_burst, clock=time.monotonic),
            refusals=Allowance(REFUSALS, REFUSALS_AT_ONCE, clock=time.monotonic),
        )
