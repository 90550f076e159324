"""One operator process as saga_operator/run.py has it: what it remembers, and what it may do next.

A decision, its call and the answer are one transition here. Nothing is lost by that: what happens between them happens
just as well before the decision (each operator's knowledge of the resource and of the clock lags) or after the answer.
"""

from typing import Final, NamedTuple

from tests.model.claims import judge_sequence
from tests.model.sagas import AFTER_DEADLINE, FINISH, LATER, NO_REQUEST, NOW, WAIT, Core, UserRequest

IDLE: Final = -1
"""No status write is in flight."""

Unrecorded = tuple[tuple[str, int], ...]


class Operator(NamedTuple):
    """A process that works on the saga. Everything in here is lost in a crash."""

    uid: int
    request: UserRequest
    recorded: int
    """The status that it knows to be recorded."""
    fresh: bool
    """Whether the version that it knows is the newest; its writes conflict otherwise."""
    saga: int
    """What it has in memory."""
    writing: int = IDLE
    """The saga of the status write in flight."""
    written: int = 0
    """How many of `unrecorded` that write carries."""
    unrecorded: Unrecorded = ()
    late: bool = False
    """Whether its clock has passed the deadline."""
    ended: bool = False


class Resource(NamedTuple):
    """The OrderSaga in etcd."""

    uid: int
    request: UserRequest
    recorded: int
    decided: bool = False
    """Whether a decision to roll back was ever recorded in it."""
    verdict: str = ""
    """How the order ended (see claims.verdict_of); it stays when the resource is applied again."""


class Step(NamedTuple):
    """What an operator does next: a call (or WAIT: it only starts a write, or ends), and what it is afterwards."""

    call: int
    after: Operator


def started(resource: Resource) -> Operator:
    """A process that has just read the resource."""
    return Operator(resource.uid, resource.request, resource.recorded, fresh=True, saga=resource.recorded)


def next_steps(core: Core, me: Operator) -> list[Step]:
    """Look at the resource, decide, start a write beside the call: `SagaRun.run` from one decision to the next."""
    clock = AFTER_DEADLINE if me.late else NOW
    seen = me._replace(saga=core.observe(me.saga, me.request, clock))
    found: list[Step] = []
    for now in (clock, LATER):  # the second: what had to wait has become due
        action = core.action(seen.saga, now)
        if any(step.call == action for step in found):
            continue
        if action == FINISH and seen.writing == IDLE and core.record(seen.saga) == seen.recorded:
            found.append(Step(FINISH, Operator(me.uid, NO_REQUEST, core.new, True, core.new, ended=True)))
        elif action in (WAIT, FINISH) or core.waits_for_record(action, seen.saga, seen.recorded):
            found.append(Step(WAIT, _write_beside(core, seen)))
        else:
            judge_sequence(action, core.sagas[seen.saga], now)
            found.append(Step(action, _write_beside(core, seen)))
    return [step for step in found if step.after != me or step.call >= 0]


def _write_beside(core: Core, me: Operator) -> Operator:
    if me.writing != IDLE or core.record(me.saga) == me.recorded:
        return me
    return me._replace(writing=me.saga, written=len(me.unrecorded))


def answered(core: Core, me: Operator, answer: str, call: int) -> Operator:
    """The answer is folded into memory; it is not recorded yet."""
    uid, request, recorded, fresh, saga, writing, written, unrecorded, late, ended = me
    saga = core.fold(saga, answer, call)
    level = writing == IDLE and core.record(saga) == recorded  # nothing of it would be lost
    known = () if level else (*unrecorded, (answer, call))
    return Operator(uid, request, recorded, fresh, saga, writing, written, known, late, ended)


def waits(core: Core, me: Operator, answer: str, call: int) -> Operator:
    """The participant is down: the call is made again later, and nothing of it is kept."""
    return me._replace(saga=core.fold(me.saga, answer, call))


def write_recorded(core: Core, me: Operator) -> Operator:
    """The API server has taken the write in flight; what came up meanwhile goes into the next one at once."""
    me = me._replace(
        recorded=core.record(me.writing), writing=IDLE, written=0, unrecorded=me.unrecorded[me.written :], fresh=True
    )
    return _write_beside(core, me)


def adopts(core: Core, me: Operator, resource: Resource) -> Operator | None:
    """Go on from the newest version (after a conflict, or because the watch shows it); None: another resource."""
    if resource.uid != me.uid:
        return None
    me = me._replace(request=resource.request, fresh=True, writing=IDLE, written=0)
    if resource.recorded == me.recorded:
        return me
    saga = resource.recorded
    for answer, call in me.unrecorded:
        saga = core.fold(saga, answer, call)
    return me._replace(recorded=resource.recorded, saga=saga)
