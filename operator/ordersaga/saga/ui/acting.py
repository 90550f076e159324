"""What the page's buttons do: the same as the commands of `kubectl saga`, one after the other."""

import time
from collections.abc import Sequence
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.exceptions import HTTPException

from ordersaga.saga.actions import ACTIONS, Action, body_of, due
from ordersaga.saga.cluster import Cluster, ClusterError
from ordersaga.saga.record import Record

RATE: Final = 20.0
"""Changes a second, as of the commands."""
MOST: Final = 1_000
"""Orders that one action changes: more than that is a work for the command, which goes on when a browser is closed."""
BY_NAME: Final = {action.name: action for action in ACTIONS}


class Asked(BaseModel):
    """An action on orders by their names, or on all that a filter finds; then `count` says how many that are."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["cancel", "suspend", "resume", "retry", "skip", "mark-compensated"]
    orders: list[str] = Field(default=[], max_length=MOST)
    filter: dict[str, Any] | None = None
    step: str | None = None
    reason: str = Field(default="", max_length=1024)
    dry_run: bool = False
    count: int | None = None

    @model_validator(mode="after")
    def _says_which_and_why(self) -> "Asked":
        if bool(self.orders) == (self.filter is not None):
            raise ValueError("say which orders: by name, or by a filter")
        if BY_NAME[self.action].steps and not self.reason.strip():
            raise ValueError("say why: the reason is kept beside your name")
        return self


def carry_out(asked: Asked, names: Sequence[str], cluster: Cluster) -> dict[str, Any]:
    """What became of each order.

    Raises:
        HTTPException: there are more or others than was said (409), or too many (422).
        ClusterError: the API server doesn't say who asks.
    """
    action = BY_NAME[asked.action]
    if len(names) > MOST:
        raise HTTPException(422, f"{len(names)} orders: more than {MOST} are a work for `kubectl saga {action.name}`")
    chosen, left = _apt(asked, action, names, cluster)
    if asked.filter is not None and not asked.dry_run and asked.count != len(chosen):
        raise HTTPException(409, f"it is {len(chosen)} orders now, not {asked.count}: nothing was changed. Look again")
    by = cluster.user()
    results = []
    for number, (saga, step) in enumerate(chosen):
        if number and not asked.dry_run:
            time.sleep(1 / RATE)
        body = body_of(action, step, by, asked.reason)
        says = f"would {action.effect(saga, step)}" if asked.dry_run else action.done
        results.append(_change(saga.name, body, says, cluster, dry_run=asked.dry_run))
    return {"results": results, "left": left}


def _apt(
    asked: Asked, action: Action, names: Sequence[str], cluster: Cluster
) -> tuple[list[tuple[Record, str]], list[dict[str, str]]]:
    chosen, left = [], []
    for name in names:
        try:
            saga = Record(cluster.get(cluster.sagas(name)))
        except ClusterError as error:
            left.append({"name": name, "why": str(error)})
            continue
        step = (asked.step or due(saga)) if action.steps else ""
        if why := action.why_not(saga, step):
            left.append({"name": name, "why": why})
        else:
            chosen.append((saga, step))
    return chosen, left


def _change(name: str, body: dict[str, Any], says: str, cluster: Cluster, *, dry_run: bool) -> dict[str, Any]:
    try:
        cluster.patch(cluster.sagas(name), body, dry_run=dry_run)
    except ClusterError as error:
        return {"name": name, "ok": False, "says": str(error)}
    return {"name": name, "ok": True, "says": says}
