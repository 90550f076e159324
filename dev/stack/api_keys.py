"""API keys for whoever tries out the local stack, each in a file that only its owner reads."""

import os
import subprocess
import sys
from pathlib import Path

from dev.setup.errors import StackError
from dev.setup.paths import CHECKOUT
from dev.stack.demo.shop import CUSTOMER
from dev.stack.parts.applications import Wiring

STAFF = "local"


class ApiKeys:
    """The keys of one stack, made by the command that a shop's operator uses."""

    def __init__(self, wiring: Wiring, folder: Path) -> None:
        self._wiring = wiring
        self.staff = folder / "staff"
        """Sees and does all."""
        self.customer = folder / CUSTOMER
        """Sees the orders of the demonstration's customer."""

    def make(self) -> None:
        """Have good ones; those that are there stay. Raises StackError."""
        wanted = (("--staff", STAFF, self.staff), ("--customer", CUSTOMER, self.customer))
        makers = [
            subprocess.Popen(
                [sys.executable, "-m", "services.order.keys", "create", role, client, "--into", file],
                env={**os.environ, **self._wiring.env()},
                cwd=CHECKOUT,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            for role, client, file in wanted
        ]
        for maker in makers:
            _, said = maker.communicate()
            if maker.returncode:
                raise StackError(f"no API key can be made: {said.strip()}")
