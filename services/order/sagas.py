"""The OrderSaga resources as this service needs them: find, create, cancel.

The service starts without an API server and without a configuration for one; it connects when it first needs to. A
failure of the API server becomes an answer that says what to do.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
    OnCall,
    OrderSagas,
)
from common.wire import Json

log = logging.getLogger("ordersaga.order")

USER_AGENT = "ordersaga-order-service/0.1"
LONGEST_NAME = 512
"""Bytes of spec.requestedBy (crds/ordersaga.yaml); clients' ids are ASCII."""
API_SECONDS = 2.5
"""For one call to the API server, all of it: a client waits meanwhile, and gets an answer that says what to do."""

UNFINISHED = "status.phase!=Completed,status.phase!=Compensated"
LIST_SECONDS = 10.0
"""For all resources of a customer, or all unfinished ones: the API server looks at every order for that."""


class Sagas:
    """The resources of our namespace. Every method raises Unavailable if the API server doesn't do what was asked."""

    def __init__(
        self,
        namespace: str,
        kubeconfig: Path | None = None,
        *,
        ttl_seconds: int = 7 * 24 * 3600,
        on_call: OnCall | None = None,
    ) -> None:
        """`on_call` is told of each request to the API server."""
        self.namespace = namespace
        self._on_call = on_call
        self.ttl_seconds = ttl_seconds
        """For how long those that we make are kept after their saga's end."""
        self._kubeconfig = kubeconfig
        self._sagas: OrderSagas | None = None
        self._connecting = asyncio.Lock()

    async def find(self, order_id: str) -> Json | None:
        """The resource of this order, or None."""
        async with self._at(order_id) as sagas:
            try:
                return await sagas.get(order_id)
            except ObjectNotFound as missing:
                _raise_if_the_crd_is_missing(missing)
                return None

    async def of_customer(self, customer_id: str) -> list[Json]:
        """All resources of this customer's orders that the API server still has."""
        try:
            sagas = await self._connected()
            async with asyncio.timeout(LIST_SECONDS):
                return [each async for page in sagas.list(f"spec.customerID={customer_id}") for each in page.items]
        except (TimeoutError, KubeError) as error:
            raise Unavailable(
                "the API server doesn't say which orders of the customer are under way: repeat this later",
                retry_after=2,
            ) from error

    async def unfinished_specs(self) -> AsyncIterator[Json]:
        """What all orders whose saga hasn't ended are about (`spec`), a page at a time."""
        try:
            sagas = await self._connected()
            async with asyncio.timeout(LIST_SECONDS):
                async for page in sagas.list(UNFINISHED):
                    for each in page.items:
                        yield each["spec"]
        except (TimeoutError, KubeError) as error:
            raise Unavailable("the API server doesn't say which orders are under way", retry_after=2) from error

    async def create(self, resource: Json) -> Json | None:
        """Create the resource: the one write that makes an order. None if the name is taken.

        Raises:
            Invalid: the API server refuses the content.
        """
        order_id = resource["metadata"]["name"]
        async with self._at(order_id) as sagas:
            try:
                return await sagas.create(resource)
            except AlreadyExists:
                return None
            except ObjectInvalid as error:
                refused = "; ".join(f"{field}: {message}" for field, message in error.causes) or error.message
                raise Invalid(f"order {order_id} is not a valid OrderSaga: {refused}", order_id=order_id) from error

    def requested_by(self, client: str = "") -> str:
        """How the resource names who asks for something: this client, or else our own ServiceAccount.

        The chart's admission policies let nobody else name a client, and us nobody but clients and ourselves.
        """
        return f"client:{client}"[:LONGEST_NAME] if client else f"system:serviceaccount:{self.namespace}:order-service"

    async def cancel(self, order_id: str, *, client: str = "") -> Json | None:
        """Ask the saga to cancel (spec.state) for this client, and return the resource, or None if it is gone.

        A resource that is finished stays as it is: there is nothing left to cancel.
        """
        async with self._at(order_id) as sagas:
            try:
                wanted = {"state": "Cancelled", "requestedBy": self.requested_by(client)}
                return await sagas.patch(order_id, {"spec": wanted})
            except ObjectNotFound as missing:
                _raise_if_the_crd_is_missing(missing)
                log.info("the order is cancelled: its OrderSaga is gone already", extra={"order": order_id})
                return None
            except ObjectInvalid as error:
                why = "the order is cancelled: its OrderSaga is finished already (%s)"
                log.info(why, error.message, extra={"order": order_id})
        return await self.find(order_id)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._sagas is not None:
            await self._sagas.client.aclose()

    @asynccontextmanager
    async def _at(self, order_id: str) -> AsyncIterator[OrderSagas]:
        """The resources, for one call. Its failure is a 503: the same request succeeds once the cause is repaired."""
        try:
            sagas = await self._connected()
            async with asyncio.timeout(API_SECONDS):
                yield sagas
        except TimeoutError as error:
            raise Unavailable(
                f"order {order_id}: the API server didn't answer within {API_SECONDS:g} s: "
                "repeat the same request, which is safe",
                retry_after=2,
                order_id=order_id,
            ) from error
        except Conflict as error:
            raise Unavailable(
                f"order {order_id}: its OrderSaga was changed at the same time: repeat the same request",
                order_id=order_id,
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

    async def _connected(self) -> OrderSagas:
        async with self._connecting:
            if self._sagas is None:
                # Reading the configuration imports a large library and reads files: not on the event loop.
                client = await asyncio.to_thread(
                    KubeClient.from_config, self._kubeconfig, user_agent=USER_AGENT, on_call=self._on_call
                )
                self._sagas = OrderSagas(client, self.namespace)
            return self._sagas


def _raise_if_the_crd_is_missing(missing: ObjectNotFound) -> None:
    """A missing order and a missing CRD are both answered with 404."""
    if "could not find the requested resource" in missing.message:
        raise KubeError(
            missing.status, missing.reason, "it doesn't know OrderSagas: kubectl apply -f crds/ordersaga.yaml"
        ) from missing
