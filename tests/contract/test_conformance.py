"""Every claim of the conformance kit, at every participant, on both drivers."""

import uuid

import pytest

from ordersaga.conformance.claims import Claim
from ordersaga.conformance.kit import CLAIMS, Outcome, try_claim
from ordersaga.conformance.report import told
from ordersaga.conformance.trial import Trial
from tests.contract.conftest import Stage


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.name)
async def test_the_claim_is_kept(stage: Stage, claim: Claim) -> None:
    # A provider says Retry-After 1: nobody needs to be spared in here.
    trial = Trial(stage.subject, stage.replicas, run=f"k-{uuid.uuid4().hex[:8]}", longest_pause=0.05)
    result = await try_claim(claim, trial)
    if result.outcome is Outcome.NOT_TRIED:
        pytest.skip(result.message)
    assert result.outcome is Outcome.KEPT, "\n".join(told(result))
