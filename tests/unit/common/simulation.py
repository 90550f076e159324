"""A simulation of processes that share one document, one provider and a clock; hypothesis decides which moves next.

Every await of a database or provider call is a turn. Between two turns a process may be killed (it never moves again,
but a request that it has sent may still arrive), an answer may get lost, and the clock may pass the end of a lease.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from common.barrier import Accepted, Answer, Barrier, Call, Claims, Happened
from common.errands import Errands
from common.errors import Problem, Refused, Unavailable
from common.mongo import DuplicateKeyError

T = TypeVar("T")
PROCESS: ContextVar[int] = ContextVar("process", default=-1)
"""The process that a task belongs to; an errand inherits it."""


@dataclass
class Turn:
    """A process that waits for its turn; `request` may reach the provider even if the process is killed now."""

    process: int
    go: asyncio.Future[None]
    request: Callable[[], Any] | None = None


@dataclass
class Simulation:
    """The processes that wait, the clock, and the numbers that hypothesis has drawn."""

    choices: list[int]
    """Each decision uses the next of these numbers; when they are used up, the last process that waits moves."""
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    turns: list[Turn] = field(default_factory=list)
    late_requests: list[Callable[[], Any]] = field(default_factory=list)
    processes: dict[int, asyncio.Task[Answer | None]] = field(default_factory=dict)
    active: dict[int, asyncio.Task[Any]] = field(default_factory=dict)
    """What each process does at the moment: the call itself, or its errand, which may go on after the answer."""
    killed: set[int] = field(default_factory=set)
    calm: bool = False
    """From now on calls don't wait for a turn, and nothing gets lost."""

    def draw(self, below: int) -> int:
        """The next choice, a number from 0 to below the argument."""
        return self.choices.pop(0) % below if self.choices else below - 1

    async def turn(self, request: Callable[[], Any] | None = None) -> None:
        """Wait until it is this process's turn."""
        if self.calm:
            return
        process = PROCESS.get()
        if (task := asyncio.current_task()) is not None:
            self.active[process] = task
        turn = Turn(process, asyncio.get_running_loop().create_future(), request)
        self.turns.append(turn)
        await turn.go

    async def run(self, calls: list[Callable[[], Awaitable[Answer | None]]]) -> list[Answer]:
        """Start a process for each call and run until all have ended or been killed. Returns their answers."""
        for number, call in enumerate(calls):
            self.processes[number] = asyncio.create_task(self._process(number, call))
        kills = 2
        while True:
            await self._until_all_wait()
            if not self.turns and not self.late_requests:
                break
            choice = self.draw(len(self.turns) + len(self.late_requests))
            if choice >= len(self.turns):
                self.late_requests.pop(choice - len(self.turns))()
                continue
            turn = self.turns.pop(choice)
            match self.draw(6):
                case 0 if kills:
                    kills -= 1
                    self.killed.add(turn.process)
                    if turn.request is not None and self.draw(2):
                        self.late_requests.append(turn.request)
                    continue
                case 1:
                    self.now += timedelta(seconds=11)
            turn.go.set_result(None)
        answers = [task.result() for number, task in self.processes.items() if number not in self.killed]
        for number in self.killed:
            self.processes[number].cancel()
        await asyncio.gather(*self.processes.values(), return_exceptions=True)
        self.calm = True
        self.now += timedelta(seconds=11)
        return [answer for answer in answers if answer is not None]

    async def _until_all_wait(self) -> None:
        while True:
            alive = [n for n in self.processes if n not in self.killed and not self._has_ended(n)]
            if len(self.turns) == len(alive):
                return
            await asyncio.sleep(0)

    async def _process(self, number: int, call: Callable[[], Awaitable[Answer | None]]) -> Answer | None:
        PROCESS.set(number)
        return await _answer_of(call)

    def _has_ended(self, number: int) -> bool:
        return self.processes[number].done() and (number not in self.active or self.active[number].done())


async def _answer_of(call: Callable[[], Awaitable[Answer | None]]) -> Answer | None:
    try:
        return await call()
    except Problem as problem:
        return Answer.of(problem)


class Documents:
    """A collection with one unique index, `_id`; each call is one turn, and atomic."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self.kept: dict[str, dict[str, Any]] = {}

    async def find_one(self, where: dict[str, Any], *, session: Any = None) -> dict[str, Any] | None:
        await self._simulation.turn()
        return deepcopy(self.kept.get(where["_id"]))

    async def insert(self, document: dict[str, Any], *, session: Any = None) -> None:
        await self._simulation.turn()
        if document["_id"] in self.kept:
            raise DuplicateKeyError("_id")
        self.kept[document["_id"]] = deepcopy(document)

    async def update(self, where: dict[str, Any], change: dict[str, Any], *, session: Any = None) -> bool:
        await self._simulation.turn()
        found = self.kept.get(where["_id"])
        if found is None or found["barrier"]["version"] != where["barrier.version"]:
            return False
        found.update(deepcopy(change["$set"]))
        return True


class SimulatedProvider:
    """A provider that honours its keys until `forget`, and the effect on it. `kind` says how it answers a charge."""

    def __init__(self, simulation: Simulation, kind: str) -> None:
        self._simulation = simulation
        self.kind = kind
        self.ledger: list[str] = []
        self.keys: set[str] = set()
        self._refusals = 1 if kind == "unavailable" else 0
        self.settled = not kind.startswith("pending")

    def forget(self) -> None:
        """Days have passed: what was done is known by the order, and no key is known any more."""
        self.keys.clear()

    async def ask(self, document: Any) -> Happened | Accepted:
        return await self._outcome(self._charge)

    async def find(self, document: Any) -> Happened | Accepted | None:
        return await self._outcome(self._known)

    async def _outcome(self, request: Callable[[], Any]) -> Any:
        outcome = await self._call(request)
        if isinstance(outcome, Problem):
            raise outcome
        return outcome

    resolve = ask

    async def take_back(self, document: Any) -> Happened:
        if not await self._call(lambda: "refund" in self.ledger):
            await self._call(self._refund)
        return Happened({"status": "refunded"})

    def taking_back(self, document: Any) -> dict[str, Any]:
        return {"status": "refunding"}

    def nothing_happened(self, document: Any) -> dict[str, Any]:
        return {"status": "failed"}

    def resource(self, document: Any) -> dict[str, Any]:
        return {"status": document["status"]}

    async def _call(self, request: Callable[[], Any]) -> Any:
        await self._simulation.turn(request)
        outcome = request()
        await self._simulation.turn()
        if not self._simulation.calm and self._simulation.draw(6) == 0:
            raise TimeoutError("the answer got lost")
        return outcome

    def _known(self) -> Any:
        return Happened({"status": "captured"}) if "charge" in self.ledger else None

    def _charge(self) -> Any:
        if self._refusals:
            self._refusals -= 1
            return Unavailable("not now")
        if self.kind.startswith("pending") and not self.settled:
            self.settled = self._simulation.calm or self._simulation.draw(3) == 0
            return Accepted()
        if self.kind.endswith("declined"):
            return Refused("card_declined", "no", fields={"status": "declined"})
        if "charge" not in self.keys:
            self.ledger.append("charge")
        self.keys.add("charge")
        return Happened({"status": "captured"})

    def _refund(self) -> None:
        if "charge" not in self.ledger:
            self.ledger.append("refund of nothing")
        if "refund" not in self.keys:
            self.ledger.append("refund")
        self.keys.add("refund")


class Impatient(Errands):
    """Errands whose callers sometimes wait for nothing: they are answered 202 at once."""

    def __init__(self, simulation: Simulation) -> None:
        super().__init__()
        self._simulation = simulation

    async def run(self, work: Coroutine[Any, Any, T], *, patience: float) -> T | None:
        impatient = not self._simulation.calm and self._simulation.draw(4) == 0
        return await super().run(work, patience=0 if impatient else 3600)


class SimulatedOrder:
    """One order in the simulation: its document, its provider, and the calls for it."""

    def __init__(self, simulation: Simulation, kind: str) -> None:
        self.documents = Documents(simulation)
        self.provider = SimulatedProvider(simulation, kind)
        barrier = Barrier(self.documents)  # type: ignore[arg-type]  # it has what the barrier uses
        self.claims = Claims(
            barrier,
            self.provider,
            location="/operations",
            clock=lambda: simulation.now,
            errands=Impatient(simulation),
        )

    async def do(self) -> Answer:
        call = Call("shop/o-1/payment/do", "shop", "o-1", "do", "do-body")
        return await self.claims.do(call, {"order_id": "o-1", "status": "processing"})

    async def undo(self) -> Answer:
        return await self.claims.undo(Call("shop/o-1/payment/undo", "shop", "o-1", "undo", "undo-body"))

    async def resume(self) -> None:
        await self.claims.resume("o-1")

    async def until_answered(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """Repeat the call as the engine does; what waits for a settlement is settled in between."""
        for _ in range(10):
            answer = await _answer_of(call)
            assert answer is not None
            if answer.status not in (202, 503) and answer.body.get("code") != "running":
                return answer
            await self.resume()
        raise AssertionError(f"no answer: {answer}")
