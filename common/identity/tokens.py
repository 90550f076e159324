"""What a token must say to be believed, and who its bearer is then. Pure: the key and the time are given."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt

ALGORITHMS: Final = ("RS256", "ES256", "ES384", "ES512")
"""What an API server signs with (`--service-account-signing-key-file`: RSA or ECDSA). Never a shared secret."""
LONGEST: Final = 8 * 1024
"""Characters of a token. A projected one has some 1,200."""
SKEW: Final = 10.0
"""Seconds by which the clocks of two nodes may differ."""
REQUIRED: Final = ("iss", "aud", "sub", "exp", "iat", "nbf")
CLUSTER: Final = "kubernetes.io"
"""The claim in which an API server says which pod and which account a token is bound to (KEP-1205)."""


class NotAuthentic(Exception):  # noqa: N818 - it reads as what happened
    """A token that isn't believed. The text is for our log: whoever sent it learns no more than that."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a token stands for."""

    subject: str
    """`system:serviceaccount:{namespace}:{name}`."""
    expires: float
    """Seconds since 1970."""
    pod: str = ""
    """The name of the pod that the token is bound to; empty if it isn't bound to one."""


def key_id(token: str) -> str:
    """The name of the key that a token says it was signed with. Raises NotAuthentic."""
    if not token or len(token) > LONGEST:
        raise NotAuthentic(f"it is no token: it has {len(token)} characters")
    try:
        head = jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, ValueError, RecursionError) as error:
        raise NotAuthentic(f"it is no token: {error}") from error
    if head.get("alg") not in ALGORITHMS:
        raise NotAuthentic(f"it is signed with {str(head.get('alg'))[:20]!r}, not with one of {', '.join(ALGORITHMS)}")
    return str(head.get("kid", ""))


def identity_of(token: str, key: jwt.PyJWK, *, issuer: str, audience: str, needs_pod: bool, now: float) -> Identity:
    """Who the bearer is, if the token is signed with this key, for this audience, by this issuer, and is valid now.

    `now`: seconds since 1970. `needs_pod`: whether a token counts only if it is bound to a pod, as those are that a
    kubelet mounts.

    Raises:
        NotAuthentic: the text says what is wrong with it.
    """
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            issuer=issuer,
            audience=audience,
            options={"require": list(REQUIRED), "verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )
    except (jwt.InvalidTokenError, ValueError, TypeError, RecursionError) as error:
        raise NotAuthentic(str(error) or type(error).__name__) from error
    expires, begins = _time(claims, "exp"), _time(claims, "nbf")
    if now >= expires + SKEW:
        raise NotAuthentic(f"it expired {now - expires:.0f} s ago")
    if now < begins - SKEW:
        raise NotAuthentic(f"it begins in {begins - now:.0f} s")
    bound = claims.get(CLUSTER)
    pod = bound.get("pod") if isinstance(bound, dict) else None
    name = pod.get("name") if isinstance(pod, dict) else None
    if needs_pod and not name:
        raise NotAuthentic("it is bound to no pod")
    return Identity(str(claims["sub"]), expires, name if isinstance(name, str) else "")


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotAuthentic(f"{name} is no time")
    return float(value)
