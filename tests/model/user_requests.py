"""What people can do next: cancel, delete, suspend, intervene, apply the resource again."""

from collections.abc import Iterator
from itertools import count

from saga_operator.process.saga import Desired, Phase, Saga
from saga_operator.process.step_record import is_stuck
from tests.model.moves import REST_CANCEL, Move, Moves
from tests.model.operators import Resource
from tests.model.participants import CONFIRMED_BEFORE, ID_USED, ORDER, REJECT, STEPS
from tests.model.sagas import NO_REQUEST


class UserRequestMoves(Moves):
    """What people can do. The API server refuses changes to the spec of a finished saga."""

    def of_people(self, documents: int, resource: int, network: int, budget: int) -> Iterator[Move]:
        """Everything that is possible now."""
        there: Resource = self._parts[resource]
        if self._core.finished(there.recorded):
            if again := self._less(budget, "rebirths"):
                reborn = Resource(there.uid + 1, NO_REQUEST, self._core.new, verdict=there.verdict)
                yield Move(("the resource is applied again",), resource=self._n(reborn), budget=again)
            return
        desired, deleting, intervention = there.request
        if request := self._less(budget, "requests"):
            if desired is not Desired.CANCELLED and "cancel" in self._bounds.requests:
                yield self._requested("cancel", there, desired=Desired.CANCELLED, budget=request)
            if not deleting and "deletion" in self._bounds.requests:
                wanted = self._n(there._replace(request=(desired, True, intervention)))
                yield Move(("deletion",), resource=wanted, budget=request)
            if "cancel over REST" in self._bounds.requests:
                yield from self._over_rest(there, documents, network, request)
        if (REST_CANCEL, False) in self._parts[network] and desired is not Desired.CANCELLED:
            under_way = list(self._parts[network])
            under_way.remove((REST_CANCEL, False))
            rest = self._n(tuple(under_way))
            yield self._requested("cancel over REST, spec.state", there, desired=Desired.CANCELLED, network=rest)
        if desired is Desired.ACTIVE and (pause := self._less(budget, "pauses")):
            yield self._requested("suspend", there, desired=Desired.SUSPENDED, budget=pause)
        if desired is Desired.SUSPENDED:
            yield self._requested("resume", there, desired=Desired.ACTIVE, good=True)
        yield from self._interventions(there, documents, network, budget)

    def _requested(self, label: str, there: Resource, *, desired: Desired, good: bool = False, **spent: int) -> Move:
        resource = self._n(there._replace(request=(desired, *there.request[1:])))
        return Move((label,), resource=resource, good=good, **spent)

    def _over_rest(self, there: Resource, documents: int, network: int, budget: int) -> Iterator[Move]:
        """The order service decides when it is asked to reject; `spec.state` follows at any later moment, or never."""
        before = self._parts[documents][ORDER]
        for answer, document in self._participants.answers(before, REJECT, foreign=self._foreign(there.uid)):
            if answer not in (CONFIRMED_BEFORE, ID_USED):
                follows = self._n(tuple(sorted((*self._parts[network], (REST_CANCEL, False)))))
                left = self.put(documents, ORDER, document)
                yield Move(("cancel over REST, reject",), documents=left, network=follows, budget=budget)

    def _interventions(self, there: Resource, documents: int, network: int, budget: int) -> Iterator[Move]:
        saga = self._core.sagas[there.recorded]
        last = there.request[2].split(" ")[0]
        if last and (saga.intervention is None or saga.intervention.id != last):
            return  # the one before has not been acted upon
        name = new_id(saga, last)
        if saga.refused_forward is not None:
            yield self._intervention(there, f"{name} Skip {saga.refused_forward.name}", good=True)
        elif saga.phase is Phase.FAILED:
            for record in saga.steps:
                if is_stuck(record):
                    yield self._intervention(there, f"{name} RetryNow {record.name}", good=True)
                    yield from self._seen_to(there, f"{name} MarkCompensated {record.name}", documents, network)
        elif left := self._less(budget, "interventions"):
            for step in STEPS:
                yield self._intervention(there, f"{name} RetryNow {step}", budget=left)
            for step in ("payment", "notification"):
                yield self._intervention(there, f"{name} Skip {step}", budget=left)

    def _intervention(self, there: Resource, text: str, *, good: bool = False, **changes: int) -> Move:
        resource = self._n(there._replace(request=(*there.request[:2], text)))
        return Move((f"intervention {text}",), resource=resource, good=good, **changes)

    def _seen_to(self, there: Resource, text: str, documents: int, network: int) -> Iterator[Move]:
        """A person sees to the effect by hand and says so, when nothing can arrive any more that would do it again."""
        service = STEPS.index(text.split(" ")[2])
        under_way = any(call == service for call, _ in self._parts[network])
        if service == ORDER or under_way:
            return
        document = self._parts[documents][service]
        if document.kind == "done":
            document = document.undone("by hand")
        elif document.kind == "missing":
            document = document._replace(kind="seen to")
        yield self._intervention(there, text, documents=self.put(documents, service, document))


def new_id(saga: Saga, last: str) -> str:
    """The first id that the operator doesn't remember: it refuses any other. Few ids keep an exploration small."""
    done = saga.intervention
    used = {last} if done is None else {last, done.id, *done.earlier}
    return next(id_ for number in count(1) if (id_ := f"i{number}") not in used)
