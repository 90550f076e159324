"""OrderSagas that nobody should write: good ones with some of their parts replaced, and bodies that are none at all."""

import copy
import json
import random
from dataclasses import dataclass, replace
from typing import Any

from common.wire import Json
from tests.support import samples
from tests.support.outside import NASTY, nested
from tests.support.requests import VALUES, places

JSON = "application/json"
YAML = "application/yaml"
MERGE = "application/merge-patch+json"
STEPS = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
LARGE = 1_400_000
"""Characters: with a little more etcd would refuse the object."""
OWNER: Json = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "x"}
OWNERS: list[Json] = [OWNER | {"uid": f"{n:08}", "name": "x" * 200} for n in range(LARGE // 400)]
FINALIZERS = [f"example.com/{n:050}" for n in range(LARGE // 100)]
LAUGHS = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9) if n else 'x'}]" for n in range(12))
"""YAML that is a gigabyte once its references are followed."""
ANNOTATIONS = (
    "correlation-id",
    "worked-on-by",
    "restored",
    "abandon",
    "confirm-deletion",
    "archived",
    "expires",
    "epoch",
)
"""What the operator reads, or would in another resource."""
OPTIONAL: list[Json] = [
    {"state": "Suspended"},
    {"state": "Cancelled", "requestedBy": "\u202emoc.live\x1b[2J"},
    {"activeDeadlineSeconds": 1},
    {"ttlSecondsAfterFinished": 0},
    {"retry": {"maxAttempts": 1, "initialBackoffSeconds": 3600, "maxBackoffSeconds": 3600}},
    {"intervention": {"id": "i-1", "action": "MarkCompensated", "step": "payment", "reason": "\ufeff" * 1024}},
    {"intervention": {"id": "i-1", "action": "Skip", "step": "notification", "reason": "x", "by": "system:admin"}},
    {"items": [{"productID": f"p-{n}", "quantity": 1, "unitPriceMinor": 1} for n in range(100)]},
    {"items": [{"productID": "p-mug", "quantity": 2.0, "unitPriceMinor": 1e3}]},
]


@dataclass(frozen=True, slots=True)
class Sent:
    """A body as it is written to the API server."""

    body: bytes
    content_type: str = JSON
    order_id: str = ""
    """Of a whole order."""


class HostileSagas:
    """The same seed makes the same ones; each is of an order of its own."""

    def __init__(self, prefix: str, dice: random.Random) -> None:
        self._prefix, self._dice, self._number = prefix, dice, 0

    def create(self) -> Sent:
        """What is sent to be created."""
        self._number += 1
        dice, order_id = self._dice, f"{self._prefix}-{self._number}"
        order = samples.order(order_id)
        kind = dice.choice(("spec", "spec", "optional", "optional", "metadata", "metadata", "whole", "raw"))
        match kind:
            case "spec":
                for _ in range(dice.choice((1, 1, 2))):
                    self._change(order["spec"])
            case "optional":
                for each in dice.sample(OPTIONAL, 2):
                    order["spec"].update(copy.deepcopy(each))
            case "metadata":
                order["metadata"] |= self._metadata(order_id)
            case "whole":
                order["status"] = samples.ended(dice.choice(("Completed", "Compensated")))
                self._change(order)
            case "raw":
                return replace(self._raw(order), order_id=order_id)
        return Sent(_written(order), order_id=order_id)

    def change(self, name: str) -> Sent:
        """A patch of that order, of any kind."""
        dice = self._dice
        match dice.randrange(4):
            case 0:
                patch: Json = {"spec": copy.deepcopy(dice.choice(OPTIONAL))}
            case 1:
                patch = {"metadata": self._metadata(name)}
            case 2:
                patch = {"spec": {dice.choice([*samples.spec(name)]): copy.deepcopy(dice.choice(VALUES))}}
            case _:
                operation = dice.choice(("add", "remove", "replace", "move", "test", "copy"))
                path = dice.choice(
                    ("/spec/state", "/metadata/finalizers", "/metadata/annotations", "/status", "", "/spec")
                )
                value = copy.deepcopy(dice.choice([*VALUES, "Suspended", []]))
                return Sent(_written([{"op": operation, "path": path, "from": "/spec", "value": value}]), STEPS)
        if dice.random() < 0.5:
            return Sent(_written(patch), MERGE)
        applied = samples.order(name)
        applied["spec"].update(patch.get("spec", {}))
        applied["metadata"].update(patch.get("metadata", {}))
        return Sent(_written(applied), APPLY)

    def _change(self, value: Json) -> None:
        dice = self._dice
        *way, last = dice.choice(places(value)[1:])
        parent: Any = value
        for key in way:
            parent = parent[key]
        match dice.randrange(4):
            case 0 if isinstance(parent, dict):
                parent[dice.choice(NASTY)] = copy.deepcopy(dice.choice(VALUES))
            case 1:
                del parent[last]
            case _:
                parent[last] = copy.deepcopy(dice.choice(VALUES))

    def _metadata(self, name: str) -> Json:
        """What an author may write there: all of it is read by somebody."""
        dice = self._dice
        text = dice.choice(["9" * 19 + " 1 x", "\u202e", "\n", "2026-01-01T00:00:00Z", "x" * 250_000, *NASTY])
        return dice.choice(
            (
                {"annotations": {f"ordersaga.io/{each}": text for each in ANNOTATIONS}},
                {"annotations": {f"ordersaga.io/{dice.choice(ANNOTATIONS)}": copy.deepcopy(dice.choice(VALUES))}},
                {"finalizers": ["ordersaga.io/compensation"] * 3},
                {"finalizers": ["ordersaga.io/compensation", "example.com/" + "x" * 60]},
                {"finalizers": ["\x00", "ordersaga.io/" + "\u202e"]},
                {"ownerReferences": [OWNER | {"blockOwnerDeletion": True, "controller": True}]},
                {"ownerReferences": OWNERS},
                {"finalizers": FINALIZERS},
                {"labels": {f"l-{n}": "x" * 60 for n in range(LARGE // 200)}},
                {"generateName": f"{name}-"},
                {"name": copy.deepcopy(dice.choice(NASTY))},
                {"namespace": dice.choice(("default", "kube-system", "../shop"))},
                {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 0},
                {"uid": "u-1", "resourceVersion": dice.choice(("", "1", "9" * 30)), "generation": -1},
                {"managedFields": [{"manager": "x" * 128, "operation": "Apply", "fieldsV1": {"f:spec": {}}}] * 500},
            )
        )

    def _raw(self, order: Json) -> Sent:
        dice, good = self._dice, json.dumps(order)
        name = order["spec"]["orderID"]
        twice = good.replace('"currency": "EUR"', '"currency": "EUR", "currency": "USD"')
        deep = good[:-1] + ', "x": ' + nested(50_000) + "}"
        return dice.choice(
            (
                Sent(twice.encode()),
                Sent(deep.encode()),
                Sent(nested(100_000).encode()),
                Sent(good.replace('"c-17"', '"\\ud800"').encode()),
                Sent(good.replace("c-17", "\ud800").encode("utf-8", "surrogatepass")),
                Sent(good.replace("c-17", "a\\u0000b").encode()),
                Sent(good.replace("1250", dice.choice(("NaN", "Infinity", "1e999", "9" * 5000, "-0", "1e2"))).encode()),
                Sent(good.replace(": 2,", ": 9223372036854775808,").encode()),
                Sent((good[:-1] + ', "x": "' + "x" * 4_000_000 + '"}').encode()),
                Sent((good + good).encode()),
                Sent(good[: len(good) // 2].encode()),
                Sent(b""),
                Sent(good.encode("utf-16")),
                Sent(LAUGHS.encode(), YAML),
                Sent(f"{LAUGHS}\n{good}".encode(), YAML),
                Sent(good.encode(), "application/vnd.kubernetes.protobuf"),
                Sent(good.encode(), "text/html"),
                Sent(good.replace("v1alpha1", "v1").encode()),
                Sent(good.replace("OrderSaga", "Secret").encode()),
                Sent(json.dumps({"kind": "List", "apiVersion": "v1", "items": [order] * 100}).encode()),
                Sent(good.replace(name, "\u212a" + name).encode()),
            )
        )


def _written(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
