"""`python -m services.order.keys`: API keys for the shop's clients, made, listed and revoked where the database is.

In a cluster: kubectl exec deploy/order-service -- python -m services.order.keys create --customer c-17
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pymongo.errors import PyMongoError

from common.identity.callers import Role
from common.mongo import Mongo
from common.wire import CustomerId, utcnow
from services.order.door.api_keys import ApiKey, digest_of, period
from services.order.door.keyring import INDEXES, ApiKeys
from services.order.settings import OrderSettings

DONE, FAILED = 0, 1
SECONDS = 10.0
"""For the whole command: a person waits, and the database does all of it in milliseconds."""
EPILOG = """\
A key is printed once, and never again: only its hash is kept. It is good from now on. One that is revoked is refused by
every replica ten seconds later at the latest.

The database is found by ORDERSAGA_MONGODB_URL and ORDERSAGA_DATABASE_PREFIX, as the order service finds it.

exit status: 0 it was done, 1 it was not; stderr says why."""
_NAME: TypeAdapter[str] = TypeAdapter(CustomerId)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    options = parser().parse_args(arguments)
    try:
        text = asyncio.run(run(options, OrderSettings()))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    except PyMongoError as error:
        sys.stderr.write(f"the database doesn't answer ({str(error)[:200]}): look at ORDERSAGA_MONGODB_URL\n")
        return FAILED
    sys.stdout.write(f"{text}\n")
    return DONE


async def run(options: argparse.Namespace, settings: OrderSettings) -> str:
    """Carry out one command; what is to be printed. Raises OSError, ValueError, PyMongoError."""
    mongo = Mongo(
        settings.mongodb_url,
        url_file=settings.mongodb_url_file,
        ca_file=settings.mongodb_ca_file,
        driver=settings.mongodb_driver,
        timeout_ms=settings.mongodb_timeout_ms,
    )
    try:
        database = mongo[f"{settings.database_prefix}order"]
        async with asyncio.timeout(SECONDS):
            await database[INDEXES[0].collection].ensure(INDEXES)
            text: str = await options.run(ApiKeys(database), options)
        return text
    except TimeoutError as error:
        raise PyMongoError(f"nothing within {SECONDS:g} s") from error
    finally:
        await mongo.close()


async def _create(keys: ApiKeys, options: argparse.Namespace) -> str:
    role, client = (Role.STAFF, options.staff) if options.customer is None else (Role.CUSTOMER, options.customer)
    if options.into is None:
        secret, _ = await keys.make(role, client, options.expires)
        return secret
    return await keep_in(options.into, keys, role, client, options.expires)


async def keep_in(path: Path, keys: ApiKeys, role: Role, client: str, lasts: timedelta | None = None) -> str:
    """Have a key of this client in that file, mode 0600: the one that is there, if it is good."""
    kept = await keys.find(digest_of(_read(path)))
    if kept is not None and (kept.role, kept.client, kept.why_not(utcnow())) == (role, client, None):
        return f"{path} has the key {kept.key_id} already"
    secret, key = await keys.make(role, client, lasts)
    _write(path, secret)
    return f"{path} has the key {key.key_id}"


def _read(path: Path) -> str:
    return path.read_text("ascii").strip() if path.exists() else ""


def _write(path: Path, secret: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(f"{secret}\n")


async def _list(keys: ApiKeys, options: argparse.Namespace) -> str:
    rows = [("id", "ends in", "role", "client", "made", "state"), *(_row(key) for key in await keys.listed())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def _row(key: ApiKey) -> tuple[str, ...]:
    state = "good" if key.expires_at is None else f"good until {key.expires_at:%Y-%m-%d %H:%M}"
    if why := key.why_not(utcnow()):
        state = why.removeprefix(f"{key.key_id} ").removeprefix("is ").removeprefix("has ")
    return key.key_id, key.last, str(key.role), key.client, f"{key.made_at:%Y-%m-%d %H:%M}", state


async def _revoke(keys: ApiKeys, options: argparse.Namespace) -> str:
    key = await keys.revoke(options.key_id)
    if key is None:
        raise ValueError(f"there is no key {options.key_id}: `list` shows their ids")
    return f"{key.key_id} of {key.role} {key.client} is revoked: every replica refuses it in ten seconds at the latest"


def parser() -> argparse.ArgumentParser:
    """Of the command line."""
    options: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter}
    front = argparse.ArgumentParser(
        prog="python -m services.order.keys",
        description="API keys for the clients of the order service.",
        epilog=EPILOG,
        **options,
    )
    commands = front.add_subparsers(title="commands", required=True, metavar="COMMAND")
    create = commands.add_parser("create", help="make a key and print it, once")
    whose = create.add_mutually_exclusive_group(required=True)
    whose.add_argument("--customer", metavar="ID", type=_name, help="places, sees and cancels this customer's orders")
    whose.add_argument("--staff", metavar="NAME", type=_name, help="everybody's orders: one of the shop's own")
    create.add_argument("--expires", metavar="30d", type=_period, help="after so many days (d) or hours (h)")
    create.add_argument(
        "--into", metavar="FILE", type=Path, help="not printed but written there; a good one that is there stays"
    )
    create.set_defaults(run=_create)
    commands.add_parser("list", help="all keys, without their secrets").set_defaults(run=_list)
    revoke = commands.add_parser("revoke", help="a key is good no more")
    revoke.add_argument("key_id", metavar="ID", help="as `list` shows it: k-1a2b3c4d")
    revoke.set_defaults(run=_revoke)
    return front


def _name(text: str) -> str:
    try:
        return _NAME.validate_python(text)
    except ValidationError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no id: up to 63 letters, digits, dots, hyphens and underscores"
        ) from None


def _period(text: str) -> timedelta:
    try:
        return period(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


if __name__ == "__main__":
    sys.exit(main())
