"""What a token must say to be believed, and who its bearer is then. Pure: the key and the time are given."""

from collections.abc import Collection, Container, Mapping
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


def key_id(token: str, algorithms: Collection[str] = ALGORITHMS) -> str:
    """The name of the key that a token says it was signed with, by one of these algorithms. Raises NotAuthentic."""
    if not token or len(token) > LONGEST:
        raise NotAuthentic(f"it is no token: it has {len(token)} characters")
    try:
        head = jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, ValueError, RecursionError) as error:
        raise NotAuthentic(f"it is no token: {error}") from error
    if head.get("alg") not in algorithms:
        raise NotAuthentic(f"it is signed with {str(head.get('alg'))[:20]!r}, not with one of {', '.join(algorithms)}")
    return str(head.get("kid", ""))


def audiences_of(token: str) -> tuple[str, ...]:
    """Whom a token says that it is for, unverified: for its own bearer. Empty if it says nothing, or is no token."""
    try:
        found = jwt.decode(token, options={"verify_signature": False}).get("aud")
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        return ()
    named = found if isinstance(found, list) else [found]
    return tuple(each for each in named if isinstance(each, str))


def identity_of(
    token: str,
    key: jwt.PyJWK,
    *,
    issuer: str,
    audience: str,
    needs_pod: bool,
    now: float,
    people: Container[str] = (),
) -> Identity:
    """Who the bearer is, if the token is signed with this key, for this audience, by this issuer, and is valid now.

    `now`: seconds since 1970. `needs_pod`: whether a token counts only if it is bound to a pod, as those are that a
    kubelet mounts. That isn't asked of these `people` (subjects), whose tokens come from `kubectl create token`.

    Raises:
        NotAuthentic: the text says what is wrong with it.
    """
    claims = claims_of(token, key, issuer=issuer, audience=audience, now=now, required=REQUIRED)
    bound = claims.get(CLUSTER)
    pod = bound.get("pod") if isinstance(bound, dict) else None
    name = pod.get("name") if isinstance(pod, dict) else None
    if needs_pod and not name and claims["sub"] not in people:
        raise NotAuthentic("it is bound to no pod")
    return Identity(str(claims["sub"]), time_in(claims, "exp"), name if isinstance(name, str) else "")


def claims_of(
    token: str, key: jwt.PyJWK, *, issuer: str, audience: str, now: float, required: Collection[str]
) -> dict[str, Any]:
    """What a token says that is signed with this key, for this audience, by this issuer, and is valid now.

    `now`: seconds since 1970; `required`: the claims that it must have, `exp` among them.

    Raises:
        NotAuthentic: the text says what is wrong with it.
    """
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            issuer=issuer,
            audience=audience,
            options={"require": list(required), "verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )
    except (jwt.InvalidTokenError, ValueError, TypeError, RecursionError) as error:
        raise NotAuthentic(str(error) or type(error).__name__) from error
    expires = time_in(claims, "exp")
    if now >= expires + SKEW:
        raise NotAuthentic(f"it expired {now - expires:.0f} s ago")
    if "nbf" in claims and now < (begins := time_in(claims, "nbf")) - SKEW:
        raise NotAuthentic(f"it begins in {begins - now:.0f} s")
    return claims


def time_in(claims: Mapping[str, Any], name: str) -> float:
    """The time that this claim says, in seconds since 1970. Raises NotAuthentic."""
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotAuthentic(f"{name} is no time")
    return float(value)
