"""What the operator's settings must keep to, checked when it starts."""

import pytest
from pydantic import ValidationError

from saga_operator.__main__ import main
from saga_operator.settings import Settings


def test_the_defaults_are_valid() -> None:
    settings = Settings()
    assert settings.lease_renew * 3 < settings.lease_duration


def test_three_renewals_must_fit_into_the_lease() -> None:
    assert Settings(lease_duration=10, lease_renew=3.3).lease_renew == 3.3
    with pytest.raises(ValidationError, match=r"ORDERSAGA_LEASE_RENEW \(4 s\) must be less than a third"):
        Settings(lease_duration=10, lease_renew=4)


@pytest.mark.parametrize("duration", [0.5, 2.5])
def test_the_leases_duration_is_a_whole_number_of_seconds(duration: float) -> None:
    with pytest.raises(ValidationError, match="lease_duration"):
        Settings(lease_duration=duration, lease_renew=0.1)


def test_the_operator_does_not_start_with_settings_that_contradict_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERSAGA_LEASE_RENEW", "5")
    with pytest.raises(SystemExit, match="ORDERSAGA_LEASE_RENEW"):
        main()


@pytest.mark.parametrize("rates", [{"payments": 50.0}, {"payment": 0.0}, {"payment": -1.0}, {"payment": float("nan")}])
def test_a_rate_of_nobody_or_of_nothing_is_an_error_at_the_start(rates: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match="ORDERSAGA_PARTICIPANT_RATES"):
        Settings(participant_rates=rates)
    assert Settings(participant_rates={"payment": 0.5}).participant_rates == {"payment": 0.5}


@pytest.mark.parametrize("sink", ["hooks.example.com/orders", "https://", "https://user:word@h/x", "http://h:99999/x"])
def test_a_sink_that_no_event_could_be_sent_to_is_an_error_at_the_start(sink: str) -> None:
    with pytest.raises(ValidationError, match="events_sink"):
        Settings(events_sink=sink)
