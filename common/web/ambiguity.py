"""Requests that say two things at once: readers differ in which of them they take, so none is taken.

RFC 8259 (4.) leaves open what an object means that has a name twice, and RFC 9110 (5.3) what a header does that isn't a
list and comes twice. A proxy in front may have checked the one that we wouldn't have used.
"""

import json
from collections import Counter
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute

from common.account_numbers import is_account_number
from common.errors import Invalid
from common.text import printable
from common.web.idempotency import EPOCH_HEADER, HEADER, BadKey

MOST_NAMES = 6_000
"""In all objects of a body: an order with 100 lines has 320. Each unknown one is a finding of its own for pydantic, and
the 20,000 that fit into a body kept a service from answering anybody for a third of a second.
"""


class _TwiceError(ValueError):
    """An object has this name twice."""


class _TooManyNamesError(ValueError):
    """More than `MOST_NAMES`."""


async def unambiguous(request: Request) -> None:
    """A dependency of every route.

    Raises:
        Invalid: an object in the body has a name twice, or there are too many names, or the Saga-Epoch comes twice.
        BadKey: the Idempotency-Key comes twice.
    """
    if len(request.headers.getlist(HEADER)) > 1:
        raise BadKey(f"correct the request: it has the header {HEADER} twice: send the one that you mean")
    if len(request.headers.getlist(EPOCH_HEADER)) > 1:
        raise Invalid(f"correct the request: it has the header {EPOCH_HEADER} twice: send the one that you mean")
    route = request.scope.get("route")
    if not isinstance(route, APIRoute) or route.body_field is None:
        return  # nobody reads its body
    try:
        once(await request.body())
    except _TwiceError as error:
        name = "…" if is_account_number(str(error)) else printable(str(error), 120)
        raise Invalid(f'correct the request: an object in the body has the name "{name}" twice: send it once') from None
    except _TooManyNamesError:
        raise Invalid(f"correct the request: the objects in the body have more than {MOST_NAMES} names") from None
    except (ValueError, RecursionError):
        pass  # no JSON: the framework has found that, too, and what it says of it is better


def once(body: bytes) -> Any:
    """The JSON of a body; raises ValueError if it is none, has a name twice in an object, or too many names."""
    names = 0

    def counted(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal names
        names += len(pairs)
        if names > MOST_NAMES:
            raise _TooManyNamesError
        return _object(pairs)

    return json.loads(body, object_pairs_hook=counted)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _TwiceError(next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1))
    return found
