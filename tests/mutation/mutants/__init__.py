"""Every mutant: what it takes out of the code, and the test that must notice."""

from tests.mutation.mutants.alive import ALIVE
from tests.mutation.mutants.background import BACKGROUND
from tests.mutation.mutants.barrier import BARRIER
from tests.mutation.mutants.calls import CALLS
from tests.mutation.mutants.claims import CLAIMS
from tests.mutation.mutants.data import DATA
from tests.mutation.mutants.deletions import DELETIONS
from tests.mutation.mutants.door import DOOR
from tests.mutation.mutants.endings import ENDINGS
from tests.mutation.mutants.forward import FORWARD
from tests.mutation.mutants.identity import IDENTITY
from tests.mutation.mutants.lease import LEASE_MUTANTS
from tests.mutation.mutants.messages import MESSAGES
from tests.mutation.mutants.mutant import OUTAGE, Mutant
from tests.mutation.mutants.orders import ORDERS
from tests.mutation.mutants.outside import OUTSIDE
from tests.mutation.mutants.participants import PARTICIPANTS
from tests.mutation.mutants.people import PEOPLE
from tests.mutation.mutants.policies import POLICIES
from tests.mutation.mutants.records import RECORDS
from tests.mutation.mutants.resource import RESOURCE
from tests.mutation.mutants.rollback import ROLLBACK
from tests.mutation.mutants.strangers import STRANGERS
from tests.mutation.mutants.telling import TELLING
from tests.mutation.mutants.tls import TLS
from tests.mutation.mutants.trips import TRIPS
from tests.mutation.mutants.watch import WATCH
from tests.mutation.mutants.workers import WORKERS

__all__ = ["MUTANTS", "OUTAGE", "Mutant"]

MUTANTS = (
    *ALIVE,
    *LEASE_MUTANTS,
    *BACKGROUND,
    *BARRIER,
    *CLAIMS,
    *PARTICIPANTS,
    *ORDERS,
    *FORWARD,
    *ROLLBACK,
    *PEOPLE,
    *WORKERS,
    *RECORDS,
    *WATCH,
    *DELETIONS,
    *ENDINGS,
    *CALLS,
    *RESOURCE,
    *OUTSIDE,
    *STRANGERS,
    *IDENTITY,
    *POLICIES,
    *DOOR,
    *TLS,
    *TELLING,
    *DATA,
    *MESSAGES,
    *TRIPS,
)
