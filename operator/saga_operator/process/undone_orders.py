"""What the customer of an undone order is told, and who isn't told: a function of the saga.

It is no step: the saga has ended, and nothing that comes of this changes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from saga_operator.process import reasons
from saga_operator.process.order import Order
from saga_operator.process.saga import Phase, Saga
from saga_operator.process.step_record import StepState, refused_without_effect
from saga_operator.process.steps import BY_NAME, FIRST, Step

NOTIFICATION_TYPE: Final = "order_cancelled"
NOT_OF_THIS_ORDER: Final = frozenset({reasons.ORDER_ID_USED, reasons.ORDER_ALREADY_CANCELLED})
"""The id is another order's, whose customer has nothing to do with this; or the same order was undone before, and its
customer was told then, or wasn't to be told.
"""


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to the customer of an undone order."""

    order: Order
    reason: str
    """Why it was undone, as participants spell it: `card_declined`."""
    is_refunded: bool
    """Whether money had been taken, and was given back; else none was taken."""

    @property
    def step(self) -> Step:
        """The call, in the form of a step: sent like the confirmation, with a key of the same form."""
        return replace(BY_NAME["notification"], body=self._body)

    def _body(self, order: Order) -> Mapping[str, Any]:
        confirmation = BY_NAME["notification"].body(order)
        payment = "refunded" if self.is_refunded else "not_charged"
        return {**confirmation, "notification_type": NOTIFICATION_TYPE, "reason": self.reason, "payment": payment}


def notice_of(saga: Saga) -> Notice | None:
    """What to tell the customer of this saga; None if it wasn't undone, or if they aren't to be told.

    If the order service itself has refused the order, there never was one that could be cancelled: a customer who may
    not order gets no mail from a shop that doesn't know them, and nobody gets one by orders in their name.
    """
    if saga.phase is not Phase.COMPENSATED or saga.failure is None:
        return None
    if saga.failure.reason in NOT_OF_THIS_ORDER or refused_without_effect(saga[FIRST.name]):
        return None
    is_refunded = saga["payment"].state is StepState.COMPENSATED
    return Notice(saga.order, reasons.snake(saga.failure.reason), is_refunded)
