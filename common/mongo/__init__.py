"""A thin typed client of MongoDB; the only place that imports motor.

The client is PyMongo's AsyncMongoClient; with ORDERSAGA_MONGODB_DRIVER=motor it is motor's, its predecessor, which has
reached its end of life. The tests run with the one, and the database's own tests with both.
The few places where the two differ (cursors, sessions) are in this folder.

Every write is acknowledged by the majority and journaled, and every read sees only what the majority has: an election
can't roll back an answer that the barrier has given. Times are aware datetimes in UTC.

Every operation ends in OPERATION_SECONDS, and sooner if the request's deadline (`common.deadline`) comes first: looking
for a server, waiting for a connection, the server's own work, the majority and every repetition are all in it.
"""

from pymongo.errors import DuplicateKeyError, PyMongoError

from common.mongo.client import Mongo
from common.mongo.collection import OPERATION_SECONDS, Collection, Database, Document, Filter, Index, Session
from common.mongo.transactions import TRANSACTION_ATTEMPTS, TRANSACTION_LIFETIME_SECONDS, Contended

__all__ = [
    "OPERATION_SECONDS",
    "TRANSACTION_ATTEMPTS",
    "TRANSACTION_LIFETIME_SECONDS",
    "Collection",
    "Contended",
    "Database",
    "Document",
    "DuplicateKeyError",
    "Filter",
    "Index",
    "Mongo",
    "PyMongoError",
    "Session",
]
