"""How long to wait before a call is made again. Pure: the random number comes with the event."""

from saga_operator.process.events import NoUsableAnswer
from saga_operator.process.saga import Saga


def backoff(saga: Saga, attempts: int, event: NoUsableAnswer) -> float:
    """Seconds: exponential with full jitter (AWS Architecture Blog, 2015), never sooner than the participant asked."""
    policy = saga.order.retry
    ceiling = min(policy.max_backoff, policy.initial_backoff * 2.0 ** min(attempts - 1, 20))
    return max(event.jitter * ceiling, min(event.retry_after or 0.0, policy.max_backoff))
