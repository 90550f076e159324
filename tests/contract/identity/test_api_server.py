"""Tokens of a real API server: verified with its keys, and judged by its own word."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator

import pytest

from common.identity.authenticator import Authenticator
from common.identity.keys import ClusterKeys, Keys
from common.identity.review import Reviewer
from common.identity.tokens import NotAuthentic
from common.kube import Forbidden, KubeClient
from dev.stack.pytest_plugin import TestControlPlane

AUDIENCE = "payment.ordersaga.io"
ACCOUNT = "ordersaga-operator"
SUBJECT = f"system:serviceaccount:shop:{ACCOUNT}"


@pytest.fixture
async def client(control_plane: TestControlPlane) -> AsyncIterator[KubeClient]:
    """As the payment service."""
    async with KubeClient.from_config(control_plane.identity("payment-service"), user_agent="tests") as client:
        yield client


def token(control_plane: TestControlPlane, *more: str, audience: str = AUDIENCE, account: str = ACCOUNT) -> str:
    words = ("create", "token", account, "--namespace", "shop", "--audience", audience)
    return control_plane.kubectl(*words, *more).stdout.strip()


@pytest.fixture
def pod(control_plane: TestControlPlane) -> str:
    name = f"operator-{uuid.uuid4().hex[:6]}"
    container = {"name": "operator", "image": "none"}
    spec = {"serviceAccountName": ACCOUNT, "automountServiceAccountToken": False, "containers": [container]}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop"}, "spec": spec}
    control_plane.kubectl("create", "-f", "-", input=json.dumps(manifest))
    return name


def bound_to(pod: str) -> tuple[str, ...]:
    return ("--bound-object-kind", "Pod", "--bound-object-name", pod)


def judge(client: KubeClient, *, strict: bool = True, needs_pod: bool = True) -> Authenticator:
    keys, reviewer = Keys(ClusterKeys(client)), Reviewer(client, AUDIENCE)
    return Authenticator(keys, audience=AUDIENCE, reviewer=reviewer, strict=strict, needs_pod=needs_pod)


async def test_a_pods_token_for_this_participant_is_believed(
    control_plane: TestControlPlane, client: KubeClient, pod: str
) -> None:
    identity = await judge(client).identify(token(control_plane, *bound_to(pod)))
    assert (identity.subject, identity.pod) == (SUBJECT, pod)


async def test_a_token_of_no_pod_or_for_another_audience_is_not(
    control_plane: TestControlPlane, client: KubeClient, pod: str
) -> None:
    authenticator = judge(client)
    with pytest.raises(NotAuthentic, match="no pod"):
        await authenticator.identify(token(control_plane))
    for audience in ("inventory.ordersaga.io", "https://kubernetes.default.svc.cluster.local"):
        with pytest.raises(NotAuthentic, match="udience"):
            await authenticator.identify(token(control_plane, *bound_to(pod), audience=audience))


async def test_the_token_of_a_deleted_pod_is_refused_at_the_next_review(
    control_plane: TestControlPlane, client: KubeClient, pod: str
) -> None:
    given = token(control_plane, *bound_to(pod))
    control_plane.kubectl("delete", "pod", pod, "--namespace", "shop", "--force", "--grace-period=0")
    with pytest.raises(NotAuthentic, match="gone"):
        await judge(client).identify(given)
    beside = judge(client, strict=False)
    await beside.identify(given)  # verified offline, while the API server is asked
    async with asyncio.timeout(10):
        while True:
            try:
                await beside.identify(given)
            except NotAuthentic:
                return
            await asyncio.sleep(0.05)


async def test_whoever_may_not_ask_for_reviews_verifies_offline(control_plane: TestControlPlane, pod: str) -> None:
    """The ServiceAccount of an installation whose owner has no rights on the cluster."""
    async with KubeClient.from_config(control_plane.identity("ordersaga-audit"), user_agent="tests") as client:
        with pytest.raises(Forbidden):
            await Reviewer(client, AUDIENCE).is_authentic("x", None)  # type: ignore[arg-type]
        given = token(control_plane, *bound_to(pod))
        assert (await judge(client, strict=False).identify(given)).subject == SUBJECT
