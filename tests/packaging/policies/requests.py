"""What people and the parts of the shop ask of orders under the chart's admission policies, and what is answered."""

from collections.abc import Mapping
from typing import Any

from common.wire import Json
from tests.packaging.policies.api import (
    ADMIN,
    ALICE,
    CLERK,
    COLLECTOR,
    NAMESPACE_CONTROLLER,
    OPERATOR,
    SERVICE,
    Request,
)
from tests.support.samples import ended, order

BY_HAND = {"id": "r-1", "action": "MarkCompensated", "step": "payment", "reason": "refunded in the bank's console"}
RETRY = {**BY_HAND, "action": "RetryNow"}


def spec(**fields: Any) -> Json:
    return {"spec": fields}


def note(**annotations: str) -> Json:
    return {"metadata": {"annotations": {f"ordersaga.io/{key.replace('_', '-')}": v for key, v in annotations.items()}}}


def status_of(who: str, **more: Any) -> Request:
    return Request(who, "PATCH", {"status": {"phase": "Running"}}, path="/{}/status", **more)


LET_GO: Json = {"metadata": {"finalizers": None}}


WHO_WRITES = "only the operator writes the status of an order"
HOLDS = "the finalizer ordersaga.io/compensation holds the order"
IS_OPEN = "this order is open, and deleting it undoes it"
NAMED = "whoever changes spec.state is named in spec.requestedBy, and nobody else: set it to alice"
STAYS = "spec.requestedBy says who asked for the present state, and changes with that alone"
INTERVENES = "whoever intervenes is named in spec.intervention.by, and nobody else: set it to alice"
FOR_OTHERS = "alice may not MarkCompensated payment: that is for other groups"
CANCELS_ONLY = "the order service cancels orders, and changes nothing else"
SUSPENDED = spec(state="Suspended", requestedBy="$me")

REFUSED = {
    "a status by somebody with the right to it": status_of(CLERK, refused=WHO_WRITES),
    "a status by an administrator": status_of(ADMIN, refused=WHO_WRITES),
    "the finalizer taken off": Request(ALICE, "PATCH", LET_GO, refused=HOLDS),
    "the finalizer taken off for no reason": Request(ALICE, "PATCH", LET_GO, given=note(abandon=" "), refused=HOLDS),
    "the finalizer taken off for a reason that nobody can have read": Request(
        ALICE, "PATCH", {"metadata": {**LET_GO["metadata"], **note(abandon="at once")["metadata"]}}, refused=HOLDS
    ),
    "an open order deleted": Request(ALICE, "DELETE", refused=IS_OPEN),
    "an order that is being undone deleted": Request(
        ALICE, "DELETE", given={"status": {"phase": "Compensating", "failure": {"reason": "X"}}}, refused=IS_OPEN
    ),
    "an open order deleted for no reason": Request(ALICE, "DELETE", given=note(confirm_deletion=""), refused=IS_OPEN),
    "an open order whose owner is gone": Request(COLLECTOR, "DELETE", refused=IS_OPEN),
    "all orders deleted, open ones too": Request(
        ALICE, "DELETE", path="?fieldSelector=metadata.name={}", refused=IS_OPEN
    ),
    "a cancel by nobody": Request(ALICE, "PATCH", spec(state="Cancelled"), refused=NAMED),
    "a cancel in another's name": Request(ALICE, "PATCH", spec(state="Cancelled", requestedBy="bob"), refused=NAMED),
    "a cancel in a client's name": Request(
        ALICE, "PATCH", spec(state="Cancelled", requestedBy="client:shop"), refused=NAMED
    ),
    "a cancel in the name of who suspended": Request(
        ALICE, "PATCH", spec(state="Cancelled"), given=SUSPENDED, refused=NAMED
    ),
    "a name changed afterwards": Request(ALICE, "PATCH", spec(requestedBy="bob"), given=SUSPENDED, refused=STAYS),
    "a name changed afterwards to one's own": Request(
        ALICE, "PATCH", spec(requestedBy="$me"), given=SUSPENDED, refused=STAYS
    ),
    "a name removed afterwards": Request(ALICE, "PATCH", spec(requestedBy=None), given=SUSPENDED, refused=STAYS),
    "an order placed in another's name": Request(
        ALICE, "POST", order("o-named", requestedBy="bob"), path="", refused=STAYS
    ),
    "an order placed as suspended by another": Request(
        ALICE, "POST", order("o-suspended", state="Suspended", requestedBy="bob"), path="", refused=NAMED
    ),
    "an intervention by nobody": Request(ALICE, "PATCH", spec(intervention=RETRY), refused=INTERVENES),
    "an intervention in another's name": Request(
        ALICE, "PATCH", spec(intervention={**RETRY, "by": "bob"}), refused=INTERVENES
    ),
    "an intervention in the name of the one before": Request(
        ALICE,
        "PATCH",
        spec(intervention={"id": "r-2"}),
        given=spec(intervention={**RETRY, "by": "$me"}),
        refused=INTERVENES,
    ),
    "an order placed with an intervention of another": Request(
        ALICE, "POST", order("o-repaired", intervention={**RETRY, "by": "bob"}), path="", refused=INTERVENES
    ),
    "a step marked compensated by who isn't on call for it": Request(
        ALICE, "PATCH", spec(intervention={**BY_HAND, "by": "$me"}), refused=FOR_OTHERS
    ),
    "an order suspended by the order service": Request(SERVICE, "PATCH", SUSPENDED, refused=CANCELS_ONLY),
    "a step repaired by the order service": Request(
        SERVICE, "PATCH", spec(intervention={**RETRY, "by": "$me"}), refused=CANCELS_ONLY
    ),
    "a deadline moved by the order service": Request(
        SERVICE, "PATCH", spec(activeDeadlineSeconds=9), refused=CANCELS_ONLY
    ),
    "a time to live set by the order service": Request(
        SERVICE, "PATCH", spec(ttlSecondsAfterFinished=0), refused=CANCELS_ONLY
    ),
    "attempts taken by the order service": Request(
        SERVICE, "PATCH", spec(retry={"maxAttempts": 1}), refused=CANCELS_ONLY
    ),
    "an order given up by the order service": Request(
        SERVICE, "PATCH", LET_GO, given=note(abandon="why not"), refused=CANCELS_ONLY
    ),
}
DONE = {
    "the operator's status": status_of(OPERATOR),
    "the operator's finalizer": Request(OPERATOR, "PATCH", LET_GO),
    "the finalizer with a reason": Request(ALICE, "PATCH", LET_GO, given=note(abandon="the shop is closed")),
    "another change of the metadata": Request(ALICE, "PATCH", {"metadata": {"labels": {"team": "shop"}}}),
    "an open order with a reason": Request(ALICE, "DELETE", given=note(confirm_deletion="a test order")),
    "an open order by who has the right": Request("cleaner", "DELETE"),
    "a finished order": Request(ALICE, "DELETE", given={"status": ended("Completed")}),
    "a finished order whose owner is gone": Request(COLLECTOR, "DELETE", given={"status": ended("Completed")}),
    "a rolled back order": Request(ALICE, "DELETE", given={"status": ended("Compensated")}),
    "the end of a time to live": Request(OPERATOR, "DELETE"),
    "the end of the namespace": Request(NAMESPACE_CONTROLLER, "DELETE"),
    "a cancel in one's own name": Request(ALICE, "PATCH", spec(state="Cancelled", requestedBy="$me")),
    "a suspension in one's own name": Request(ALICE, "PATCH", SUSPENDED),
    "a resumption in one's own name": Request(ALICE, "PATCH", spec(state="Active", requestedBy="$me"), given=SUSPENDED),
    "a cancel by the order service": Request(SERVICE, "PATCH", spec(state="Cancelled", requestedBy="$me")),
    "a cancel for a client": Request(SERVICE, "PATCH", spec(state="Cancelled", requestedBy="client:shop")),
    "a cancel for a client of what somebody has cancelled": Request(
        SERVICE,
        "PATCH",
        spec(state="Cancelled", requestedBy="client:shop"),
        given=spec(state="Cancelled", requestedBy="$me"),
    ),
    "an order restored as cancelled": Request(
        SERVICE, "POST", order("o-restored", state="Cancelled", requestedBy="$me"), path=""
    ),
    "another change of the spec": Request(ALICE, "PATCH", spec(activeDeadlineSeconds=9), given=SUSPENDED),
    "an order": Request(ALICE, "POST", order("o-placed"), path=""),
    "an intervention in one's own name": Request(ALICE, "PATCH", spec(intervention={**RETRY, "by": "$me"})),
    "a step marked compensated by who is on call": Request(
        "oncall", "PATCH", spec(intervention={**BY_HAND, "by": "$me"})
    ),
    "an intervention withdrawn": Request(
        ALICE, "PATCH", spec(intervention=None), given=spec(intervention={**RETRY, "by": "$me"})
    ),
}
STAMPED: Mapping[str, tuple[Request, str]] = {
    "a cancel": (Request(ALICE, "PATCH", spec(state="Cancelled")), ALICE),
    "a suspension": (Request(ALICE, "PATCH", spec(state="Suspended")), ALICE),
    "a cancel of what another has suspended": (
        Request(ALICE, "PATCH", spec(state="Cancelled"), given=SUSPENDED),
        ALICE,
    ),
    "a resumption": (Request(ALICE, "PATCH", spec(state="Active"), given=SUSPENDED), ALICE),
    "a cancel by the order service": (Request(SERVICE, "PATCH", spec(state="Cancelled")), SERVICE),
    "a cancel for a client": (
        Request(SERVICE, "PATCH", spec(state="Cancelled", requestedBy="client:shop")),
        "client:shop",
    ),
    "an order placed as suspended": (Request(ALICE, "POST", order("o-stamped", state="Suspended"), path=""), ALICE),
    "an intervention": (Request(ALICE, "PATCH", spec(intervention=RETRY)), ALICE),
    "an intervention after another's": (
        Request(ALICE, "PATCH", spec(intervention={"id": "r-2"}), given=spec(intervention={**RETRY, "by": "$me"})),
        ALICE,
    ),
}
