"""A message as it goes over the wire, and what a mail server's answers mean: pure."""

import email
import email.policy
from contextlib import suppress
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.web.idempotency import fingerprint
from services.notification.delivery.answers import Meaning, Stage, meaning, named
from services.notification.delivery.mail import NoAddress, Sender, checked, composed
from services.notification.models import SendRequest
from services.notification.provider import Message

NOW = datetime(2026, 11, 30, 9, 30, tzinfo=UTC)
HEADERS = {
    "from", "to", "subject", "date", "message-id", "auto-submitted", "mime-version", "content-type",
    "content-transfer-encoding", "content-language",
}  # fmt: skip
ANY = st.text(max_size=300)
PRINTABLE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=90)


def sent(message: Message, name: str = "Our Shop") -> tuple[EmailMessage, bytes]:
    raw = composed(message, Sender("orders@shop.example", name, "shop"), NOW)
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    return mail, raw


def message(to: str = "c17@example.com", subject: str = "Your order", text: str = "Hello\n") -> Message:
    return Message("ntf-o-1-order_confirmed", "o-1", to, subject, text)


@given(name=PRINTABLE, subject=PRINTABLE)
def test_no_name_and_no_subject_makes_a_header_of_its_own(name: str, subject: str) -> None:
    mail, raw = sent(message(subject=subject), name)
    assert {header.lower() for header in mail.keys()} == HEADERS  # noqa: SIM118 - they may come twice
    assert len(mail.keys()) == len(HEADERS)
    assert raw.isascii()
    assert "".join(str(mail["Subject"]).split()) == "".join(subject.split())


@given(text=PRINTABLE.map(lambda text: f"{text}\n.\n{text}\r\n{text}\n"))
def test_a_text_arrives_as_it_was_written(text: str) -> None:
    mail, raw = sent(message(text=text))
    assert mail.get_content().splitlines() == text.splitlines()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")


@pytest.mark.parametrize("line", ["Subject: a\r\nBcc: eve@example.com", "a\nb"])
def test_a_line_break_in_a_header_is_refused_and_never_sent(line: str) -> None:
    with pytest.raises(ValueError, match="Header values"):
        sent(message(subject=line))


@given(address=ANY)
def test_only_an_address_gets_into_the_envelope(address: str) -> None:
    with suppress(NoAddress):
        found = checked(address)
        assert found.count("@") == 1
        assert not set(found) & set('<>()[],;:\\" \t\r\n\0')


@pytest.mark.parametrize(
    ("stage", "answer", "expected"),
    [
        (Stage.CONNECT, "554 no service for you", Meaning.OURS),
        (Stage.CONNECT, "421 too busy", Meaning.LATER),
        (Stage.SIGN_IN, "535 5.7.8 wrong", Meaning.OURS),
        (Stage.SIGN_IN, "454 4.7.0 try again", Meaning.LATER),
        (Stage.SENDER, "550 5.1.1 sender unknown", Meaning.OURS),
        (Stage.RECIPIENT, "550 5.1.1 unknown", Meaning.BOUNCED),
        (Stage.RECIPIENT, "550 5.1.10 takes no mail", Meaning.BOUNCED),
        (Stage.RECIPIENT, "550 5.1.8 bad sender domain", Meaning.OURS),
        (Stage.RECIPIENT, "553 5.1.7 bad sender", Meaning.OURS),
        (Stage.RECIPIENT, "550 5.2.1 disabled", Meaning.BOUNCED),
        (Stage.RECIPIENT, "550 5.4.1 Recipient address rejected: Access denied", Meaning.BOUNCED),
        (Stage.RECIPIENT, "550 5.7.1 relaying denied", Meaning.OURS),
        (Stage.RECIPIENT, "553 not in my list of allowed rcpthosts (#5.7.1)", Meaning.OURS),
        (Stage.RECIPIENT, "550 no mailbox here by that name (#5.1.1)", Meaning.BOUNCED),
        (Stage.RECIPIENT, "550 relay not permitted", Meaning.OURS),
        (Stage.RECIPIENT, "551 user not local", Meaning.BOUNCED),
        (Stage.RECIPIENT, "556 no mail for this domain", Meaning.BOUNCED),
        (Stage.RECIPIENT, "501 malformed address", Meaning.BOUNCED),
        (Stage.RECIPIENT, "550 5.0.0 unknown user", Meaning.BOUNCED),
        (Stage.RECIPIENT, "552 too many recipients", Meaning.LATER),
        (Stage.RECIPIENT, "554 no", Meaning.OURS),
        (Stage.RECIPIENT, "530 5.7.0 sign in first", Meaning.OURS),
        (Stage.RECIPIENT, "450 5.1.1 an enhanced code of another class counts for nothing", Meaning.LATER),
        (Stage.RECIPIENT, "252 can't say", Meaning.LATER),
        (Stage.CONTENT, "250 OK", Meaning.SENT),
        (Stage.CONTENT, "554 5.7.1 spam", Meaning.OURS),
        (Stage.CONTENT, "550 blocked", Meaning.OURS),
        (Stage.CONTENT, "552 5.3.4 too big", Meaning.OURS),
        (Stage.CONTENT, "550 5.1.1 unknown after all", Meaning.BOUNCED),
        (Stage.CONTENT, "451 later", Meaning.LATER),
        (Stage.CONTENT, "251 forwarded?", Meaning.UNKNOWN),
        (Stage.CONTENT, "999 nonsense", Meaning.UNKNOWN),
    ],
    ids=str,
)
def test_each_answer_means_what_the_rfcs_say(stage: Stage, answer: str, expected: Meaning) -> None:
    code, _, text = answer.partition(" ")
    assert meaning(stage, int(code), text) is expected


@given(stage=st.sampled_from(Stage), code=st.integers(-1, 1000), text=ANY)
def test_only_a_recipient_bounces_and_only_an_accepted_message_is_sent(stage: Stage, code: int, text: str) -> None:
    found = meaning(stage, code, text)
    if found is Meaning.BOUNCED:
        assert 500 <= code < 600
        assert stage in {Stage.RECIPIENT, Stage.CONTENT}
    assert (found is Meaning.SENT) == (stage is Stage.CONTENT and code == 250)
    assert "@" not in named(stage, code, f"c17@example.com {text} <c17@example.com>")


def test_a_request_without_the_new_fields_has_the_fingerprint_of_the_release_before() -> None:
    """Sagas that were under way when the service was replaced go on."""
    request = SendRequest.model_validate_json(
        '{"order_id": "o-1001", "customer_id": "c-17", "notification_type": "order_confirmed", "contact_ref": "c-17",'
        ' "total_minor": 2500, "currency": "EUR", "items": [{"product_id": "p-mug", "quantity": 2}]}'
    )
    assert fingerprint(request) == "9c9eeafbe65f5111a2eb83c5604bdedea24f2206f1fe4dce7d84d1f6d94f3bc4"
