"""An issuer of tokens for tests, which signs as an API server does."""

import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from common.identity.keys import KeySet, keys_in

ISSUER = "https://kubernetes.default.svc.cluster.local"
OPERATOR = "system:serviceaccount:shop:ordersaga-operator"


class Issuer:
    """Keys, and tokens that are signed with them."""

    def __init__(self, key_id: str = "key-1") -> None:
        self.keys = {key_id: rsa.generate_private_key(public_exponent=65537, key_size=2048)}

    def rotate(self, key_id: str) -> None:
        """From now on another key signs, and the old one isn't known any more."""
        self.keys = {key_id: rsa.generate_private_key(public_exponent=65537, key_size=2048)}

    @property
    def key_set(self) -> dict[str, Any]:
        """As an API server publishes it."""
        algorithm = jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256)
        public = {name: json.loads(algorithm.to_jwk(key.public_key())) for name, key in self.keys.items()}
        return {"keys": [{**key, "kid": name, "alg": "RS256", "use": "sig"} for name, key in public.items()]}

    def claims(self, *, lasts: float = 600.0, pod: str = "operator-0", **other: Any) -> dict[str, Any]:
        """What an API server says of a token that is mounted in a pod."""
        now = int(time.time())
        bound: dict[str, Any] = {"namespace": "shop", "serviceaccount": {"name": "ordersaga-operator", "uid": "u-1"}}
        if pod:
            bound["pod"] = {"name": pod, "uid": "u-2"}
        return {
            "iss": ISSUER,
            "aud": ["payment.ordersaga.io"],
            "sub": OPERATOR,
            "iat": now,
            "nbf": now,
            "exp": now + lasts,
            "kubernetes.io": bound,
            **other,
        }

    def token(self, *, lasts: float = 600.0, pod: str = "operator-0", **other: Any) -> str:
        """Signed with the key of now."""
        [(key_id, key)] = self.keys.items()
        return jwt.encode(self.claims(lasts=lasts, pod=pod, **other), key, "RS256", {"kid": key_id})


class Published:
    """A source of the issuer's keys that counts how often it is asked, and may be down."""

    def __init__(self, issuer: Issuer) -> None:
        self.issuer = issuer
        self.asked = 0
        self.is_down = False

    async def load(self) -> KeySet:
        """The keys of now."""
        self.asked += 1
        if self.is_down:
            raise OSError("the API server is away")
        return KeySet(ISSUER, keys_in(self.issuer.key_set))
