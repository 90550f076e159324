"""Every mutant: what it takes out of the code, and the test that must notice."""

from tests.mutation.mutants.alive import ALIVE
from tests.mutation.mutants.background import BACKGROUND
from tests.mutation.mutants.calls import CALLS
from tests.mutation.mutants.decisions import DECISIONS
from tests.mutation.mutants.endings import ENDINGS
from tests.mutation.mutants.engine import ENGINE
from tests.mutation.mutants.lease import LEASE_MUTANTS
from tests.mutation.mutants.mutant import OUTAGE, Mutant
from tests.mutation.mutants.orders import ORDERS
from tests.mutation.mutants.outside import OUTSIDE
from tests.mutation.mutants.participants import PARTICIPANTS
from tests.mutation.mutants.resource import RESOURCE
from tests.mutation.mutants.strangers import STRANGERS
from tests.mutation.mutants.trips import TRIPS

__all__ = ["MUTANTS", "OUTAGE", "Mutant"]

MUTANTS = (
    *ALIVE,
    *LEASE_MUTANTS,
    *BACKGROUND,
    *PARTICIPANTS,
    *ORDERS,
    *DECISIONS,
    *ENGINE,
    *ENDINGS,
    *CALLS,
    *RESOURCE,
    *OUTSIDE,
    *STRANGERS,
    *TRIPS,
)
