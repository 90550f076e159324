"""The scenario of `make chaos`: a plan's orders, while the plan's faults are injected."""

from pathlib import Path
from typing import Final

from dev.chaos.plan.plan import Plan
from dev.chaos.run import Stage
from dev.chaos.system import System

LOAD_SECONDS: Final = 120.0
LOAD_SECONDS_EACH: Final = 1.0
"""What the load may take, and for each order: about three times what two busy cores need."""
LAST_SECONDS: Final = 5.0
"""How long faults go on after the last order was placed."""
LEASE_SECONDS: Final = 5.0
"""Half of the default, so that a run has twice as many take-overs; renewed every second."""
RESYNC_SECONDS: Final = 5.0
"""Instead of 30: lost events are found earlier, so that a run can be shorter. Nothing else depends on it."""


class RandomFaults:
    """A plan being carried out."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.seed, self.orders = plan.seed, plan.orders
        self.title = f"chaos: {len(plan.orders)} sagas, {len(plan.faults)} faults, seed {plan.seed}"
        self.repeat = f"make chaos CHAOS_SEED={plan.seed} CHAOS_SAGAS={len(plan.orders)}"

    def system(self, folder: Path) -> System:
        """One with short times."""
        times = {
            "ORDERSAGA_LEASE_DURATION": str(LEASE_SECONDS),
            "ORDERSAGA_LEASE_RENEW": "1",
            "ORDERSAGA_SWEEP_INTERVAL": str(RESYNC_SECONDS),
        }
        return System(folder, env=times)

    def play(self, stage: Stage) -> dict[str, str]:
        """Orders and faults, until all orders are placed and a little longer; then calm."""
        load = stage.load
        faults = list(self._plan.faults)

        def busy() -> bool:
            while faults and faults[0].after <= load.placed:
                fault = faults.pop(0)
                load.log.fault(str(fault))
                stage.system.inject(fault)
                load.inject(fault)
            return load.placed < len(self.orders)

        stage.phase = "orders and faults"
        load.begin()
        limit = LOAD_SECONDS + LOAD_SECONDS_EACH * len(self.orders)
        if not stage.watch(busy, limit):
            stage.violations.add("", [f"after {limit:.0f} s only {load.placed} orders were placed"])
        stage.watch(lambda: not load.done, LAST_SECONDS)
        stage.settle()
        return {"seed": str(self.seed)}
