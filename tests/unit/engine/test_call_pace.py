"""No saga calls faster than this, whatever it is answered."""

from hypothesis import given
from hypothesis import strategies as st

from saga_operator.engine.calls.call_pace import BURST, MINUTE, MOST_PER_MINUTE, CallPace
from saga_operator.process.steps import ORDER_SAGA


def test_a_saga_that_is_answered_at_once_never_waits() -> None:
    pace = CallPace(lambda: 0.0)
    for _ in [step for step in ORDER_SAGA for _ in ("do", "undo")]:
        assert pace.pause() == 0
        pace.note()
    assert pace.within_a_minute() == 12 < BURST


@given(st.lists(st.sampled_from([0.0, 0.001, 0.5, 3.0, 61.0]), max_size=300))
def test_no_minute_has_more_calls_than_the_bound(pauses: list[float]) -> None:
    now = 0.0
    pace, calls = CallPace(lambda: now), []
    for pause in pauses:
        now += max(pause, pace.pause())
        pace.note()
        calls.append(now)
        within = [call for call in calls if call > now - MINUTE]
        assert len(within) <= MOST_PER_MINUTE
        assert pace.within_a_minute() == len(within)
