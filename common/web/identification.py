"""What a service needs to identify its callers, from its settings."""

import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import APIRouter

from common.identity.authenticator import Authenticator
from common.identity.callers import Callers, audience_of
from common.identity.keys import ClusterKeys, FileKeys, Keys
from common.identity.review import Reviewer
from common.kube import KubeClient, OnCall
from common.settings import ServiceSettings
from common.web.guard import Door, Guard, Table

log = logging.getLogger("ordersaga.identity")

DEVELOPMENT = "development: callers aren't identified, whoever reaches this service may call everything"


class Identification:
    """The guards of a service's two ports, which know the same callers; none in development."""

    def __init__(self, keys: Keys | None = None, authenticator: Authenticator | None = None) -> None:
        self._keys, self._authenticator = keys, authenticator

    @property
    def mode(self) -> str:
        """For people: whether callers are identified, and what it means if not."""
        return DEVELOPMENT if self._authenticator is None else "kubernetes"

    def guard(
        self,
        service: str,
        table: Table,
        routers: Iterable[APIRouter],
        settings: ServiceSettings,
        door: Door | None = None,
    ) -> Guard | None:
        """The guard of these routes; `door` judges the clients among their callers."""
        if self._authenticator is None and door is None:
            return None
        callers = Callers(settings.namespace, settings.staff)
        return Guard(service, table, routers, authenticator=self._authenticator, callers=callers, door=door)

    async def why_not_ready(self) -> str | None:
        """None if callers can be identified, or needn't be."""
        if self._keys is None:
            return None
        if not self._keys.are_known:
            await self._keys.read()
        return None if self._keys.are_known else f"callers can't be identified: {self._keys.trouble}"


@asynccontextmanager
async def identification(
    service: str, settings: ServiceSettings, *, on_call: OnCall | None = None
) -> AsyncIterator[Identification]:
    """As the settings say. Connections to the API server are closed at the end; `on_call` is told of each request."""
    if not settings.identifies_callers:
        log.warning("%s", DEVELOPMENT)
        yield Identification()
        return
    async with AsyncExitStack() as stack:
        audience = audience_of(service)
        needs_client = settings.authentication_keys is None or settings.authentication_review != "none"
        client = (
            KubeClient.from_config(settings.kubeconfig, user_agent=f"ordersaga-{service}", on_call=on_call)
            if needs_client
            else None
        )
        if client is not None:
            await stack.enter_async_context(client)
        if settings.authentication_keys is not None:
            keys = Keys(FileKeys(settings.authentication_keys, settings.authentication_issuer))
        else:
            assert client is not None  # noqa: S101 - made above
            keys = Keys(ClusterKeys(client))
        reviewer = (
            Reviewer(client, audience) if client is not None and settings.authentication_review != "none" else None
        )
        yield Identification(
            keys,
            Authenticator(
                keys,
                audience=audience,
                needs_pod=settings.authentication_pods_only,
                people=Callers(settings.namespace, settings.staff).people,
                reviewer=reviewer,
                strict=settings.authentication_review == "strict",
            ),
        )
