"""Nothing of a request goes through a thread: what the framework finds synchronous, it runs in one, and each costs more
than the whole way of a request through the framework.
"""

from collections.abc import Callable, Iterator
from inspect import iscoroutinefunction
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from common.web.app import Service
from services.inventory.main import build as inventory
from services.notification.main import build as notification
from services.order.main import build as order
from services.payment.main import build as payment
from services.shipping.main import build as shipping


def called_by(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    assert dependant.call is not None
    yield dependant.call
    for each in dependant.dependencies:
        yield from called_by(each)


@pytest.mark.parametrize("build", [order, inventory, payment, shipping, notification])
def test_every_route_and_all_that_it_depends_on_is_async(build: Callable[[], Service]) -> None:
    app = build()
    routes = [route for router in app.routers for route in router.routes if isinstance(route, APIRoute)]
    assert len(routes) > 8
    everywhere = [each.dependency for each in app.router.dependencies]
    called = [*everywhere, *(call for route in routes for call in called_by(route.dependant))]
    assert [call for call in called if not iscoroutinefunction(call)] == []
