"""How events are signed, and with which secrets."""

import base64
import hashlib
import hmac
import logging
from pathlib import Path

import pytest

from saga_operator.engine.telling.signature import NoSecret, Secrets, signed

OLD, NEW = b"o" * 24, b"n" * 32


def line(secret: bytes) -> str:
    return "whsec_" + base64.b64encode(secret).decode()


def test_the_signature_is_that_of_the_standard_webhooks_scheme() -> None:
    """The example that its libraries are tested with."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed((secret,), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_two_secrets_sign_beside_each_other() -> None:
    signatures = signed((NEW, OLD), "u/completed", 17, b"{}")["webhook-signature"].split(" ")
    mine = [hmac.digest(secret, b"u/completed.17.{}", hashlib.sha256) for secret in (NEW, OLD)]
    assert signatures == [f"v1,{base64.b64encode(digest).decode()}" for digest in mine]


def test_a_secret_is_read_again_as_soon_as_it_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(line(OLD) + "\n")
    secrets = Secrets(file)
    assert secrets.now() == (OLD,)
    file.write_text(f"{line(NEW)}\n{line(OLD)}\n")
    assert secrets.now() == (NEW, OLD)
    (tmp_path / "next").write_text(line(NEW))
    (tmp_path / "next").rename(file)
    assert secrets.now() == (NEW,)


@pytest.mark.parametrize("broken", ["", "whsec_short", "whsec_" + "A" * 20, "not base64!", "\xff\xfe"])
def test_a_file_that_can_not_be_used_leaves_the_secret_before_and_is_not_quoted(
    broken: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "secret"
    file.write_text(line(OLD))
    secrets = Secrets(file)
    assert secrets.now() == (OLD,)
    with caplog.at_level(logging.ERROR):
        file.write_text(broken)
        for _ in range(3):
            assert secrets.now() == (OLD,)
        file.unlink()
        assert secrets.now() == (OLD,)
    assert 1 <= len(caplog.records) <= 2, "it is said once for each trouble"
    assert not broken or broken not in caplog.text


def test_without_any_secret_nothing_is_signed_and_that_is_an_error(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path / "secret")
    with pytest.raises(NoSecret, match="can't be used"):
        secrets.now()
    (tmp_path / "secret").write_text(line(OLD))
    assert secrets.now() == (OLD,)
