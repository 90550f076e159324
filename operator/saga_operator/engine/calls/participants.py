"""Calls to the participants: an action becomes one HTTP request, and its answer becomes one event.

`common.exchange` bounds what a request and its answer may take; `answers` says what the answer means.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from common.exchange import Answer, Exchanges, NoAnswer, NotSent
from common.identity.bearer import Bearer, bearer_for
from common.identity.callers import audience_of
from common.tracing.context import HEADER as TRACEPARENT
from saga_operator.engine.calls.answers import Call, json_object, outcome_of
from saga_operator.process import reasons
from saga_operator.process.decide import Do, Undo
from saga_operator.process.events import Outcome
from saga_operator.process.saga import Saga
from saga_operator.process.steps import FIRST, ORDER_SAGA, Step, idempotency_key, request_body
from saga_operator.resource.body import Resource
from saga_operator.resource.participant import Terms
from saga_operator.settings import Settings

ARCHIVED_LIMIT: Final = 2 * 1024 * 1024
"""Bytes. The answer has the whole resource again, and etcd takes 1.5 MiB."""
NAMES: Final = tuple(dict.fromkeys(step.participant for step in ORDER_SAGA))
"""Of all participants."""


def terms_by(settings: Settings, name: str) -> Terms:
    """How the settings say that this participant is called."""
    return Terms(
        url=settings.url_of(name),
        audience=audience_of(name),
        timeout=settings.call_timeout,
        concurrency=settings.max_calls_per_participant,
        rate=settings.participant_rates.get(name, 0.0),
    )


@dataclass(frozen=True, slots=True)
class CallContext:
    """What travels with a call besides its body."""

    epoch: int
    correlation_id: str
    attempt: int = 1
    """Counted from 1, for each action and each compensation by itself."""
    traceparent: str = ""
    """Empty while nothing is traced."""


class Participants:
    """One pool of connections for each participant; usable inside one event loop."""

    def __init__(self, settings: Settings, now: Callable[[], float]) -> None:
        self._now = now
        self.after_the_end: Callable[[Resource], str] = lambda resource: ""
        """The `traceparent` of what is called about a saga that has ended; empty without a collector of traces."""
        self._tokens = settings.tokens
        self._terms = {name: terms_by(settings, name) for name in NAMES}
        self._of = {
            name: Exchanges(
                terms.url,
                timeout=terms.timeout,
                user_agent="ordersaga-operator",
                ca_file=settings.ca_file,
                credentials=self._credentials(name, terms),
            )
            for name, terms in self._terms.items()
        }

    def change(self, name: str, terms: Terms) -> None:
        """Call this participant in this way from now on. Calls in flight end as they began."""
        if terms != self._terms[name]:
            self._terms[name] = terms
            self._of[name].change(url=terms.url, timeout=terms.timeout, credentials=self._credentials(name, terms))

    def _credentials(self, name: str, terms: Terms) -> Bearer | None:
        return bearer_for(name, self._tokens, audience=terms.audience)

    async def aclose(self) -> None:
        """Close all connections."""
        for exchanges in self._of.values():
            await exchanges.aclose()

    async def perform(self, action: Do | Undo, saga: Saga, context: CallContext) -> Outcome:
        """Make one call. What a participant does or fails to do is an outcome, not an exception."""
        step, undo = action.step, isinstance(action, Undo)
        call = Call(step, undo, saga.order.order_id, self._now(), self._now, random.random)
        try:
            answer = await self._send(step, undo=undo, saga=saga, context=context)
        except NotSent as error:
            return call.unavailable(reasons.NOT_SENT, f"the call to {step.participant} could not be made: {error}")
        except NoAnswer as error:
            return call.unavailable(reasons.NO_ANSWER, f"no answer from {step.participant}: {error}")
        return outcome_of(call, answer)

    async def archive(self, resource: Resource) -> None:
        """Let the order service keep a finished saga, before its resource is deleted.

        Raises:
            OSError: it is not kept; try again later.
        """
        if self._terms[FIRST.participant].is_paused:
            raise OSError(f"{FIRST.participant} is paused")
        archived = {
            "namespace": resource.namespace,
            "uid": resource.uid,
            "created_at": resource.created,
            "spec": resource.spec,
            "status": resource.status,
        }
        if traceparent := resource.traceparent:
            archived["traceparent"] = traceparent
        path = f"/api/orders/{resource.name}/saga"
        headers = {"X-Correlation-ID": resource.correlation_id}
        if traceparent := self.after_the_end(resource):
            headers[TRACEPARENT] = traceparent
        try:
            exchanges = self._of[FIRST.participant]
            answer = await exchanges.exchange("PUT", path, headers=headers, body=archived, limit=ARCHIVED_LIMIT)
        except (NotSent, NoAnswer) as error:
            raise OSError(f"no answer from {FIRST.participant}: {error}") from error
        kept = json_object(answer) or {}
        if not 200 <= answer.status < 300 or kept.get("uid") != resource.uid:  # a captive gateway's 200 keeps nothing
            raise OSError(
                f"{FIRST.participant} answered {answer.status} {answer.phrase} without the saga that it keeps"
            )

    async def _send(self, step: Step, *, undo: bool, saga: Saga, context: CallContext) -> Answer:
        exchanges = self._of[step.participant]
        headers = {"Saga-Epoch": str(context.epoch), "X-Correlation-ID": context.correlation_id}
        if context.traceparent:
            headers[TRACEPARENT] = context.traceparent
        headers["Saga-Attempt"] = str(context.attempt)
        headers["Idempotency-Key"] = idempotency_key(step, undo=undo, order=saga.order)
        if location := saga[step.name].location:  # the key says here, too, what is asked about
            return await exchanges.exchange("GET", location, headers=headers)
        reason = reasons.snake(saga.failure.reason) if saga.failure is not None else ""
        path = step.undo if undo else step.do
        body = request_body(step, undo=undo, order=saga.order, reason=reason)
        return await exchanges.exchange("POST", str(path), headers=headers, body=body)
