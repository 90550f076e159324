"""The API server's own word on a token: it knows that a pod or an account is gone before the token expires."""

from typing import Final

from common.identity.tokens import Identity
from common.kube import KubeClient

REVIEWS: Final = "/apis/authentication.k8s.io/v1/tokenreviews"


class Reviewer:
    """Asks for one audience. Whoever asks needs the right to (`system:auth-delegator`)."""

    def __init__(self, client: KubeClient, audience: str) -> None:
        self._client, self._audience = client, audience

    async def is_authentic(self, token: str, identity: Identity) -> bool:
        """Whether the API server takes it, for this audience, as this identity. Raises KubeError."""
        answer = await self._client.post(
            REVIEWS,
            {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenReview",
                "spec": {"token": token, "audiences": [self._audience]},
            },
        )
        status = answer.get("status") or {}
        user = status.get("user") or {}
        return (
            status.get("authenticated") is True
            and user.get("username") == identity.subject
            and self._audience in (status.get("audiences") or ())
        )
