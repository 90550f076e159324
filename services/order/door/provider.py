"""The tokens of the shop's identity provider, and who their bearers are: customers, or the shop's own people."""

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt

from common.identity.authenticator import NotDecided
from common.identity.callers import Caller, Role
from common.identity.keys import Keys
from common.identity.tokens import LONGEST, SKEW, NotAuthentic, claims_of, key_id, time_in
from common.text import printable

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Those with a public key (RFC 8725, 3.1). Never a shared secret: whoever verifies could sign."""
REQUIRED: Final = ("iss", "aud", "exp")
FRESH: Final = 300.0
"""Seconds after which the provider's keys are read again: so long one that it has withdrawn still counts."""
AGAIN: Final = 60.0
"""Seconds after which a token is verified again, with the keys of then."""
KNOWN: Final = 10_000
"""Tokens that are remembered; some 500 bytes each."""
_CUSTOMER: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9._]{0,61}[A-Za-z0-9])?")
"""What an order takes as a customer_id."""


@dataclass(frozen=True, slots=True)
class Claims:
    """Which claims of a token say who its bearer is. One with dots leads into objects: `realm_access.roles`."""

    customer: str
    """Has the customer's id."""
    staff: str = ""
    """Has `staff_value` if the bearer is one of the shop's own people: as it is, in a list, or among words."""
    staff_value: str = ""

    def caller_of(self, claims: Mapping[str, Any]) -> Caller:
        """Who the bearer is. Raises NotAuthentic."""
        if self.staff and self.staff_value and _holds(_claim(claims, self.staff), self.staff_value):
            return Caller(f"staff:{printable(str(claims.get('sub', '')), 100)}", Role.STAFF)
        customer = _claim(claims, self.customer)
        if not isinstance(customer, str) or _CUSTOMER.fullmatch(customer) is None:
            raise NotAuthentic(f"its claim {self.customer} is no customer's id")
        return Caller(f"customer:{customer}", Role.CUSTOMER, customer)


@dataclass(frozen=True, slots=True)
class _Known:
    caller: Caller
    until: float
    """Seconds since 1970."""


class Provider:
    """Judges its tokens. Usable inside one event loop."""

    def __init__(
        self, keys: Keys, *, issuer: str, audience: str, claims: Claims, now: Callable[[], float] = time.time
    ) -> None:
        """`now`: seconds since 1970."""
        self._keys, self._issuer, self._audience, self._claims, self._now = keys, issuer, audience, claims, now
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def issued(self, token: str) -> bool:
        """Whether this token says that it is the provider's."""
        if len(token) > LONGEST:
            return False
        try:
            said = jwt.decode(token, options={"verify_signature": False}).get("iss")
        except (jwt.InvalidTokenError, ValueError, TypeError, RecursionError):
            return False
        return bool(said == self._issuer)

    def known(self, digest: str) -> Caller | None:
        """Who its bearer is, if it was verified a moment ago and hasn't expired."""
        known = self._known.get(digest)
        return known.caller if known is not None and self._now() < known.until else None

    def seen(self, digest: str) -> bool:
        """Whether this token was good when it was last verified."""
        return digest in self._known

    async def identify(self, token: str, digest: str) -> Caller:
        """Who its bearer is. Raises NotAuthentic, NotDecided."""
        self._known.pop(digest, None)
        name = key_id(token, ALGORITHMS)
        found = await self._keys.find(name)
        if found is None and not self._keys.are_known:
            raise NotDecided("the tokens of the identity provider can't be verified now: try again", retry_after=2)
        if found is None:
            raise NotAuthentic("it is signed with a key that isn't the identity provider's")
        issuer, key = found
        now = self._now()
        claims = claims_of(token, key, issuer=issuer, audience=self._audience, now=now, required=REQUIRED)
        caller = self._claims.caller_of(claims)
        self._known[digest] = _Known(caller, min(now + AGAIN, time_in(claims, "exp") + SKEW))
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)
        return caller


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """The claim of this name (many have one with dots: an URL), or the one that its dots lead to."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _holds(claim: Any, value: str) -> bool:
    if isinstance(claim, str):
        return value == claim or value in claim.split(" ")
    return isinstance(claim, list) and value in claim
