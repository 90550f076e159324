"""`python -m tests.operator.release OTHER_TABLE`: the operator as an earlier (or later) release with another process.

The table is changed before anything else of the operator is imported, so everything that follows from it follows.
"""

import sys
from dataclasses import replace

from saga_operator.process import steps


def _without_shipping() -> tuple[steps.Step, ...]:
    return tuple(step for step in steps.ORDER_SAGA if step.name != "shipping")


def _shipping_retired() -> tuple[steps.Step, ...]:
    return tuple(replace(step, retired=True) if step.name == "shipping" else step for step in steps.ORDER_SAGA)


def become(table: tuple[steps.Step, ...]) -> None:
    steps.check(table)
    vars(steps).update(
        ORDER_SAGA=table,
        PIVOT=steps.pivot_of(table),
        FIRST=table[0],
        BACKWARD=steps.backward_of(table),
        BY_NAME={step.name: step for step in table},
        DEFINITION_HASH=steps.hash_of(table),
    )


if __name__ == "__main__":
    become({"without-shipping": _without_shipping, "shipping-retired": _shipping_retired}[sys.argv[1]]())
    from saga_operator.__main__ import main

    main()
