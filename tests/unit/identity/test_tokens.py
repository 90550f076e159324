"""Which tokens are believed, and which aren't, however well they look."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from common.identity.keys import keys_in
from common.identity.tokens import LONGEST, NotAuthentic, identity_of, key_id
from tests.support.tokens import ISSUER, OPERATOR, Issuer

issuer = Issuer()
KEY = keys_in(issuer.key_set)["key-1"]


def judged(token: str, *, needs_pod: bool = True, now: float | None = None) -> Any:
    assert key_id(token) == "key-1"
    now = time.time() if now is None else now
    return identity_of(token, KEY, issuer=ISSUER, audience="payment.ordersaga.io", needs_pod=needs_pod, now=now)


def test_a_pods_token_for_this_participant_says_who_calls() -> None:
    identity = judged(issuer.token())
    assert (identity.subject, identity.pod) == (OPERATOR, "operator-0")
    assert 500 < identity.expires - time.time() <= 600


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"aud": ["inventory.ordersaga.io"]}, "Audience"),
        ({"aud": ["https://kubernetes.default.svc.cluster.local"]}, "Audience"),
        ({"aud": "payment.ordersaga.io.evil.example"}, "Audience"),
        ({"aud": []}, "aud"),
        ({"iss": "https://evil.example"}, "issuer"),
        ({"sub": None}, "sub"),
        ({"exp": None}, "exp"),
        ({"exp": "tomorrow"}, "exp"),
        ({"exp": True}, "exp"),
        ({"nbf": None}, "nbf"),
        ({"nbf": int(time.time()) + 3600}, "begins in"),
    ],
)
def test_a_token_that_says_something_else_is_not_believed(claims: dict[str, Any], why: str) -> None:
    with pytest.raises(NotAuthentic, match=why):
        judged(issuer.token(**claims))


def test_an_expired_token_is_not_believed_but_for_the_skew_of_clocks() -> None:
    token = issuer.token(lasts=600.0)
    assert judged(token, now=time.time() + 605)
    with pytest.raises(NotAuthentic, match="expired"):
        judged(token, now=time.time() + 615)


def test_a_token_that_is_bound_to_no_pod_counts_only_where_callers_are_processes() -> None:
    token = issuer.token(pod="")
    assert judged(token, needs_pod=False).subject == OPERATOR
    with pytest.raises(NotAuthentic, match="no pod"):
        judged(token)


def test_a_token_that_was_changed_is_not_believed() -> None:
    head, body, signature = issuer.token().split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["sub"] = "system:serviceaccount:shop:somebody"
    changed = _encoded(json.dumps(claims).encode())
    with pytest.raises(NotAuthentic, match="ignature"):
        judged(f"{head}.{changed}.{signature}")


def test_a_token_of_another_issuer_with_the_same_key_name_is_not_believed() -> None:
    with pytest.raises(NotAuthentic, match="ignature"):
        judged(Issuer("key-1").token())


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_a_token_is_not_believed_for_what_it_says_of_its_own_signature(algorithm: str) -> None:
    """The oldest attacks on tokens: no signature, and the public key taken for a shared secret (RFC 8725, 2.1)."""
    public = issuer.keys["key-1"].public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    head = _encoded(json.dumps({"alg": algorithm, "kid": "key-1"}).encode())
    message = f"{head}.{_encoded(json.dumps(issuer.claims()).encode())}"
    signature = b"" if algorithm == "none" else hmac.new(pem, message.encode(), hashlib.sha256).digest()
    token = f"{message}.{_encoded(signature)}"
    with pytest.raises(NotAuthentic, match="signed with"):
        key_id(token)
    with pytest.raises(NotAuthentic):
        identity_of(token, KEY, issuer=ISSUER, audience="payment.ordersaga.io", needs_pod=True, now=time.time())


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "token", ["", "x", "a.b.c", "." * 10, "é.é.é", "e30.e30.", "x" * (LONGEST + 1), "[[[[.e30.e30"]
)
def test_what_is_no_token_is_not_believed(token: str) -> None:
    with pytest.raises(NotAuthentic):
        key_id(token)


@pytest.mark.parametrize("document", [None, [], {}, {"keys": []}, {"keys": [{"kty": "oct", "k": "AAAA", "kid": "x"}]}])
def test_a_set_without_a_key_of_an_api_server_is_none(document: object) -> None:
    """A shared secret among the keys would make the file that it stands in worth a forgery."""
    with pytest.raises(ValueError, match="no key"):
        keys_in(document)
