"""The caller's own token, which is replaced while it is used."""

from pathlib import Path

import jwt
import pytest

from common.identity.bearer import LOOK, Bearer


def test_a_replaced_token_is_used_within_ten_seconds(tmp_path: Path) -> None:
    now, path = 0.0, tmp_path / "payment"
    path.write_text("first\n")
    bearer = Bearer(path, now=lambda: now)
    assert bearer.header() == "Bearer first"
    path.write_text("second")
    assert bearer.header() == "Bearer first"
    now = LOOK
    assert bearer.header() == "Bearer second"


def test_a_refused_token_is_read_again_at_once(tmp_path: Path) -> None:
    path = tmp_path / "payment"
    path.write_text("first")
    bearer = Bearer(path, now=lambda: 0.0)
    assert bearer.header() == "Bearer first"
    path.write_text("second")
    bearer.read()
    assert bearer.header() == "Bearer second"


def test_a_file_that_is_away_or_just_being_written_leaves_the_token_from_before(tmp_path: Path) -> None:
    now, path = 0.0, tmp_path / "payment"
    bearer = Bearer(path, now=lambda: now)
    assert bearer.header() is None
    path.write_text("first")
    now += LOOK
    assert bearer.header() == "Bearer first"
    for content in (b"", b"\xff\xfe", b"two words"):
        path.write_bytes(content)
        now += LOOK
        assert bearer.header() == "Bearer first"
    path.unlink()
    now += LOOK
    assert bearer.header() == "Bearer first"


@pytest.mark.parametrize(
    ("claims", "is_sent"),
    [
        ({"aud": ["payment.ordersaga.io"]}, True),
        ({"aud": "payment.ordersaga.io"}, True),
        ({"aud": ["shipping.ordersaga.io", "payment.ordersaga.io"]}, True),
        ({"aud": ["shipping.ordersaga.io"]}, False),
        ({"sub": "of nobody in particular"}, True),
    ],
)
def test_a_token_for_somebody_else_is_never_sent(tmp_path: Path, claims: dict[str, object], is_sent: bool) -> None:
    path = tmp_path / "payment"
    token = jwt.encode(claims, "a secret of thirty-two characters", algorithm="HS256")
    path.write_text(token)
    assert Bearer(path, audience="payment.ordersaga.io").header() == (f"Bearer {token}" if is_sent else None)


def test_a_token_that_says_nothing_is_theirs_to_judge(tmp_path: Path) -> None:
    path = tmp_path / "payment"
    path.write_text("opaque")
    assert Bearer(path, audience="payment.ordersaga.io").header() == "Bearer opaque"
