"""When the keys are fetched and the API server is asked, and what holds while it doesn't answer."""

import asyncio
import time

import pytest

from common.identity import authenticator as module
from common.identity import keys as keys_module
from common.identity.authenticator import Authenticator, NotDecided
from common.identity.keys import Keys
from common.identity.tokens import Identity, NotAuthentic
from common.kube import ApiUnavailable, Forbidden, KubeError
from tests.support.tokens import OPERATOR, Issuer, Published

AUDIENCE = "payment.ordersaga.io"


class FakeReviewer:
    """An API server's word on tokens."""

    def __init__(self) -> None:
        self.asked = 0
        self.says: bool | KubeError = True
        self.answers = asyncio.Event()
        self.answers.set()

    async def is_authentic(self, token: str, identity: Identity) -> bool:
        self.asked += 1
        await self.answers.wait()
        if isinstance(self.says, KubeError):
            raise self.says
        return self.says


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def published(issuer: Issuer) -> Published:
    return Published(issuer)


@pytest.fixture
def reviewer() -> FakeReviewer:
    return FakeReviewer()


def judge(published: Published, reviewer: FakeReviewer | None = None, *, strict: bool = False) -> Authenticator:
    return Authenticator(Keys(published), audience=AUDIENCE, reviewer=reviewer, strict=strict)  # type: ignore[arg-type]


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_token_is_verified_and_reviewed_once_for_many_calls(
    issuer: Issuer, published: Published, reviewer: FakeReviewer
) -> None:
    authenticator, token = judge(published, reviewer), issuer.token()
    for _ in range(100):
        assert (await authenticator.identify(token)).subject == OPERATOR
        await settle()
    assert (published.asked, reviewer.asked) == (1, 1)


async def test_made_up_keys_are_fetched_once_in_ten_seconds(
    issuer: Issuer, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    authenticator = judge(published)
    await authenticator.identify(issuer.token())
    forger = Issuer()
    [key] = forger.keys.values()  # one for all: making fifty takes longer than ten seconds on a busy machine
    for number in range(50):
        forger.keys = {f"made-up-{number}": key}
        with pytest.raises(NotAuthentic, match="isn't the cluster's"):
            await authenticator.identify(forger.token())
        if number == 0:
            monkeypatch.setattr(keys_module, "AGAIN", 10.0)
    assert published.asked == 1


async def test_a_new_key_of_the_cluster_is_found(
    issuer: Issuer, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys_module, "AGAIN", 0.0)
    authenticator = judge(published)
    await authenticator.identify(issuer.token())
    issuer.rotate("key-2")
    assert (await authenticator.identify(issuer.token())).subject == OPERATOR


async def test_the_last_good_keys_are_kept_while_the_api_server_is_away(
    issuer: Issuer, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys_module, "AGAIN", 0.0)
    authenticator = judge(published)
    await authenticator.identify(issuer.token())
    published.is_down = True
    with pytest.raises(NotAuthentic):
        await authenticator.identify(Issuer("unknown").token())
    assert (await authenticator.identify(issuer.token(pod="another"))).pod == "another"


async def test_before_the_keys_are_known_nobody_is_let_in_and_may_try_again(
    issuer: Issuer, published: Published
) -> None:
    published.is_down = True
    with pytest.raises(NotDecided) as met:
        await judge(published).identify(issuer.token())
    assert (met.value.status, met.value.retryable, met.value.retry_after) == (503, True, 2)


async def test_a_known_token_expires(issuer: Issuer, published: Published) -> None:
    now = time.time()
    authenticator = Authenticator(Keys(published), audience=AUDIENCE, now=lambda: now)
    token = issuer.token(lasts=600.0)
    await authenticator.identify(token)
    now += 700
    with pytest.raises(NotAuthentic, match="expired"):
        await authenticator.identify(token)


async def test_a_token_that_the_api_server_denies_is_let_in_no_more(
    issuer: Issuer, published: Published, reviewer: FakeReviewer
) -> None:
    authenticator, token = judge(published, reviewer), issuer.token()
    reviewer.says = False
    await authenticator.identify(token)  # its word is asked for beside this call
    await settle()
    for _ in range(3):
        with pytest.raises(NotAuthentic, match="gone"):
            await authenticator.identify(token)
    assert reviewer.asked == 1


async def test_strict_waits_for_the_api_servers_word(
    issuer: Issuer, published: Published, reviewer: FakeReviewer
) -> None:
    authenticator, token = judge(published, reviewer, strict=True), issuer.token()
    reviewer.says = False
    with pytest.raises(NotAuthentic, match="gone"):
        await authenticator.identify(token)


@pytest.mark.parametrize("trouble", [ApiUnavailable(0, "NoAnswer", "away"), Forbidden(403, "Forbidden", "no right")])
async def test_without_the_api_servers_word_strict_lets_nobody_in_and_offline_goes_on(
    trouble: KubeError, issuer: Issuer, published: Published, reviewer: FakeReviewer
) -> None:
    reviewer.says = trouble
    token = issuer.token()
    assert await judge(published, reviewer).identify(token)
    with pytest.raises(NotDecided):
        await judge(published, reviewer, strict=True).identify(token)


async def test_strict_lets_in_for_a_minute_what_was_reviewed_and_then_asks_again(
    issuer: Issuer, published: Published, reviewer: FakeReviewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    authenticator, token = judge(published, reviewer, strict=True), issuer.token()
    await authenticator.identify(token)
    reviewer.says = ApiUnavailable(0, "NoAnswer", "away")
    await authenticator.identify(token)
    monkeypatch.setattr(module, "REVIEWED", 0.0)
    monkeypatch.setattr(module, "RENEW", 0.0)
    with pytest.raises(NotDecided):
        await authenticator.identify(token)


async def test_many_calls_with_a_new_token_wait_for_one_review(
    issuer: Issuer, published: Published, reviewer: FakeReviewer
) -> None:
    authenticator, token = judge(published, reviewer, strict=True), issuer.token()
    reviewer.answers.clear()
    calls = [asyncio.create_task(authenticator.identify(token)) for _ in range(20)]
    await settle()
    calls[0].cancel()  # who hangs up takes nobody along
    reviewer.answers.set()
    assert all(isinstance(found, Identity) for found in (await asyncio.gather(*calls, return_exceptions=True))[1:])
    assert reviewer.asked == 1


async def test_only_so_many_tokens_are_remembered(
    issuer: Issuer, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KNOWN", 3)
    authenticator = judge(published)
    for number in range(10):
        await authenticator.identify(issuer.token(pod=f"pod-{number}"))
    assert len(authenticator._known) == 3
