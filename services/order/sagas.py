"""The OrderSaga resources as this service needs them: find, create, cancel.

The service starts without an API server and without a configuration for one; it connects when it first needs to. A
failure of the API server becomes an answer that says what to do.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.errors import Invalid, Unavailable
from common.kube import (
    AlreadyExists,
    Conflict,
    Forbidden,
    KubeClient,
    KubeError,
    ObjectInvalid,
    ObjectNotFound,
    OrderSagas,
)
from common.wire import Json

log = logging.getLogger("ordersaga.order")

USER_AGENT = "ordersaga-order-service/0.1"


class Sagas:
    """The resources of our namespace. Every method raises Unavailable if the API server doesn't do what was asked."""

    def __init__(self, namespace: str, kubeconfig: Path | None = None) -> None:
        self.namespace = namespace
        self._kubeconfig = kubeconfig
        self._sagas: OrderSagas | None = None
        self._connecting = asyncio.Lock()

    async def find(self, order_id: str) -> Json | None:
        """The resource of this order, or None."""
        with _unavailable_without(order_id):
            try:
                return await (await self._connected()).get(order_id)
            except ObjectNotFound as missing:
                _raise_if_the_crd_is_missing(missing)
                return None

    async def create(self, resource: Json) -> Json | None:
        """Create the resource: the one write that makes an order. None if the name is taken.

        Raises:
            Invalid: the API server refuses the content.
        """
        order_id = resource["metadata"]["name"]
        with _unavailable_without(order_id):
            try:
                return await (await self._connected()).create(resource)
            except AlreadyExists:
                return None
            except ObjectInvalid as error:
                refused = "; ".join(f"{field}: {message}" for field, message in error.causes) or error.message
                raise Invalid(f"order {order_id} is not a valid OrderSaga: {refused}", order_id=order_id) from error

    async def cancel(self, order_id: str) -> Json | None:
        """Ask the saga to cancel (spec.state), and return the resource, or None if it is gone.

        A resource that is finished stays as it is: there is nothing left to cancel.
        """
        with _unavailable_without(order_id):
            try:
                return await (await self._connected()).patch(order_id, {"spec": {"state": "Cancelled"}})
            except ObjectNotFound as missing:
                _raise_if_the_crd_is_missing(missing)
                log.info("order %s is cancelled: its OrderSaga is gone already", order_id)
                return None
            except ObjectInvalid as error:
                log.info("order %s is cancelled: its OrderSaga is finished already (%s)", order_id, error.message)
        return await self.find(order_id)

    async def why_not_ready(self) -> str | None:
        """None if our resources can be read, else one sentence: why not, and what to do."""
        try:
            sagas = await self._connected()
            async for _ in sagas.list(limit=1):
                break
        except ObjectNotFound:
            return (
                f"the API server doesn't know OrderSagas: kubectl apply -f crds/ordersaga.yaml ({sagas.client.server})"
            )
        except Forbidden as error:
            return f"the API server forbids reading OrderSagas: apply the Roles of manifests/ ({error.message})"
        except KubeError as error:
            return f"the API server doesn't answer as it should: {error.message}"
        return None

    async def aclose(self) -> None:
        """Close the connections."""
        if self._sagas is not None:
            await self._sagas.client.aclose()

    async def _connected(self) -> OrderSagas:
        async with self._connecting:
            if self._sagas is None:
                # Reading the configuration imports a large library and reads files: not on the event loop.
                client = await asyncio.to_thread(KubeClient.from_config, self._kubeconfig, user_agent=USER_AGENT)
                self._sagas = OrderSagas(client, self.namespace)
            return self._sagas


@contextmanager
def _unavailable_without(order_id: str) -> Iterator[None]:
    """Make a failure of the API server a 503: the same request succeeds once the cause is repaired."""
    try:
        yield
    except Conflict as error:
        raise Unavailable(
            f"order {order_id}: its OrderSaga was changed at the same time: repeat the same request", order_id=order_id
        ) from error
    except Forbidden as error:
        raise Unavailable(
            f"order {order_id}: the API server forbids it to this service ({error.message}): "
            "apply the Roles of manifests/, then repeat the same request",
            retry_after=30,
            order_id=order_id,
        ) from error
    except KubeError as error:
        raise Unavailable(
            f"order {order_id}: the API server doesn't answer as it should ({error.message}): "
            "repeat the same request, which is safe",
            retry_after=max(1, round(error.retry_after or 2)),
            order_id=order_id,
        ) from error


def _raise_if_the_crd_is_missing(missing: ObjectNotFound) -> None:
    """A missing order and a missing CRD are both answered with 404."""
    if "could not find the requested resource" in missing.message:
        raise KubeError(
            missing.status, missing.reason, "it doesn't know OrderSagas: kubectl apply -f crds/ordersaga.yaml"
        ) from missing
