"""The users of a MongoDB that OrderSaga runs itself: one for each service, who reaches its database and nothing else.

They are read from a folder with a MongoDB URI for each, a mounted Secret: `order` … `notification`, which may read and
write the database that the URI names; `audit`, which may read those; and `admin`, which makes the others. The first
one is made through the localhost exception: while there is none, MongoDB lets somebody on its own host make it.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.uri_parser import parse_uri

from common.files import Stamp, stamp
from common.services import SERVICES

log = logging.getLogger("ordersaga.replicaset")

ADMIN, AUDIT = "admin", "audit"
USER_EXISTS = 51003
REFUSED = frozenset({13, 18})
"""Unauthorized, AuthenticationFailed: the server's codes."""
CREATORS = ("userAdminAnyDatabase", "clusterAdmin")
"""What `admin` may: make users, and the replica set. It may read no order, unless it allows itself to."""

Client = MongoClient[dict[str, Any]]
Role = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class User:
    """A user, in the database that its URI names."""

    name: str
    password: str
    database: str
    roles: Sequence[Role]


def users_of(uris: Mapping[str, str]) -> dict[str, User]:
    """The users of these URIs, by the file they are in.

    Raises:
        ValueError: a URI is missing, or has no user, no password or no database.
    """
    if missing := {ADMIN, *SERVICES} - set(uris):
        raise ValueError(f"there is no MongoDB URI for {', '.join(sorted(missing))}")
    parsed = {name: _parsed(name, uri) for name, uri in uris.items() if name in {ADMIN, AUDIT, *SERVICES}}
    databases = {name: parsed[name][2] for name in SERVICES}
    roles: dict[str, list[Role]] = {name: [_may("readWrite", database)] for name, database in databases.items()}
    roles[AUDIT] = [_may("read", database) for database in databases.values()]
    roles[ADMIN] = [_may(role, "admin") for role in CREATORS]
    return {name: User(*found, roles[name]) for name, found in parsed.items()}


def _may(role: str, database: str) -> Role:
    return {"role": role, "db": database}


def _parsed(name: str, uri: str) -> tuple[str, str, str]:
    try:
        found = parse_uri(uri)
    except (PyMongoError, ValueError) as error:  # whose words may quote the password
        raise ValueError(f"the MongoDB URI of {name} is none: {type(error).__name__}") from None
    needed = found["username"], found["password"], found["database"]
    if not all(needed):
        raise ValueError(f"the MongoDB URI of {name} has to say mongodb://USER:PASSWORD@HOST/DATABASE")
    return needed


class Users:
    """Sees to it that the users of a folder are those of the database on this host."""

    def __init__(self, folder: Path, url: str, options: Mapping[str, Any]) -> None:
        """`url`, `options`: the database's, without a user."""
        self._folder = folder
        self._url, self._options = url, options
        self._admin: User | None = None
        self._made: Stamp | None = None

    def ensure(self, anonymous: Client) -> None:
        """Make or change the users if the folder has changed. `anonymous`: a client that is nobody.

        Raises:
            ValueError: the folder can't be used.
            PyMongoError: the database doesn't answer, or has another administrator.
        """
        files = sorted(file for file in self._folder.iterdir() if not file.name.startswith("."))
        if not files or (now := stamp(*files)) == self._made or now is None:
            return
        users = users_of({file.name: file.read_text("utf-8").strip() for file in files})
        admin = users.pop(ADMIN)
        with self._as(admin) as client:
            try:
                client.admin.command("ping")
            except OperationFailure as error:
                if error.code not in REFUSED:
                    raise
                _put(anonymous, admin)
            for user in users.values():
                _put(client, user)
            _put(client, admin)
        self._made, self._admin = now, admin
        log.info("the database knows its users: %s", ", ".join(sorted((*users, ADMIN))))

    def again(self) -> None:
        """The database may have lost its users."""
        self._made = None

    def administrator(self) -> Client:
        """A client of `admin`, after `ensure`. Raises ValueError before."""
        if self._admin is None:
            raise ValueError("the database doesn't know its administrator yet")
        return self._as(self._admin)

    def _as(self, user: User) -> Client:
        return Client(
            self._url,
            **self._options,
            username=user.name,
            password=user.password,
            authSource=user.database,
            serverSelectionTimeoutMS=2000,
            serverMonitoringMode="poll",  # else a server that refuses it once, as a new one does, is left for seconds
            appname="ordersaga-replicaset",
        )


def _put(client: Client, user: User) -> None:
    words: dict[str, Any] = {"pwd": user.password, "roles": list(user.roles)}
    try:
        client[user.database].command("createUser", user.name, **words)
    except OperationFailure as error:
        if error.code != USER_EXISTS:
            raise
        client[user.database].command("updateUser", user.name, **words)
