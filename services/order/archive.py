"""Sagas whose resource is gone: the operator archives each one before it removes the resource."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from common.barrier import Document
from common.errors import NotFound
from common.tracing.context import ANNOTATION, TraceContext
from common.web.pagination import Paging
from common.wire import Body, CustomerId, Json, OrderId, Page, StorableJson, Timestamp, utcnow
from services.order.client import Client
from services.order.erasures import Erasures
from services.order.saga_resource import content_of_spec, ended, is_of, without_numbers
from services.order.sagas import Sagas
from services.order.store import Orders
from services.order.stories import Stories

Part = Annotated[StorableJson, Field(description="The same as in the resource.")]
Traceparent = Annotated[
    str | None,
    Field(
        pattern="^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$",
        description="Of the resource's annotation tracing.k8s.io/traceparent, if it has one.",
    ),
]


def _text(given: Any) -> Any:
    """A number isn't a time, nor is a day, though pydantic takes both for one; the document says RFC 3339."""
    if not isinstance(given, str) or "T" not in given.upper():
        raise ValueError("write a time as RFC 3339 has it, for example 2026-11-22T20:00:00Z")
    return given


class ArchiveRequest(Body):
    """A finished saga. A resource that was created again under the same name has another uid, and its own archive."""

    namespace: str = Field(min_length=1, max_length=63, examples=["shop"])
    uid: str = Field(min_length=1, max_length=64, examples=["6b45f919-102d-4c62-af14-399e0a698fcc"])
    created_at: Annotated[Timestamp, BeforeValidator(_text)]
    spec: Part
    status: Part
    traceparent: Traceparent = None


class KeptSaga(BaseModel):
    """What was archived, without repeating it."""

    order_id: OrderId
    uid: str
    archived_at: Timestamp


class ArchivedSaga(BaseModel):
    """An order's whole saga: specification, steps, attempts and conditions."""

    order_id: OrderId
    namespace: str
    uid: str
    created_at: Timestamp
    archived_at: Timestamp | None = Field(description="When the saga was archived; null while its resource exists.")
    spec: Part
    status: Part
    traceparent: Traceparent = None


class EndedSaga(BaseModel):
    """An archived saga in a list: how it ended, and why. `GET /api/orders/{order_id}/saga` has all of it."""

    order_id: OrderId
    namespace: str
    uid: str
    customer_id: str
    total: str = Field(description="For people, such as 25.00 EUR.")
    created_at: Timestamp
    archived_at: Timestamp
    completed_at: str | None
    phase: str = Field(description="Completed or Compensated.")
    step: str | None = Field(description="The step that failed, if one did.")
    reason: str | None = Field(description="Why it was rolled back, such as CardDeclined.")


class Wanted(BaseModel):
    """Which archived sagas are listed: all of it must be true of them."""

    customer_id: CustomerId | None = None
    phase: Literal["Completed", "Compensated"] | None = None
    reason: str | None = Field(
        default=None, max_length=128, description="Why it was rolled back, such as CardDeclined."
    )
    since: Annotated[Timestamp, BeforeValidator(_text)] | None = Field(
        default=None, description="Created then or later."
    )
    until: Annotated[Timestamp, BeforeValidator(_text)] | None = Field(default=None, description="Created before.")


class Archive:
    """The stories, behind the resources that still exist."""

    def __init__(self, stories: Stories, orders: Orders, sagas: Sagas, erasures: Erasures) -> None:
        self._erasures = erasures
        self._stories = stories
        self._orders = orders
        self._sagas = sagas

    async def keep(self, order_id: str, saga: ArchiveRequest) -> KeptSaga:
        """Archive a saga. Archiving the same one again changes nothing but `archived_at`.

        Its order needs no resource from now on, if this is its own saga and has come to the end that the order shows.
        """
        kept = KeptSaga(order_id=order_id, uid=saga.uid, archived_at=utcnow())
        fields = {"order_id": order_id, "archived_at": kept.archived_at, **saga.model_dump()}
        fields["spec"] = without_numbers(saga.spec)
        await self._stories.keep(saga.uid, fields)
        content = content_of_spec(saga.spec)
        phase = str(saga.status.get("phase"))
        if content is None or not await self._orders.note_usual_end(order_id, saga.namespace, content, phase):
            document = await self._orders.document(order_id)
            if document is not None and ended(document, saga.namespace, saga.spec, saga.status):
                await self._orders.note_end_of_saga(order_id)
            await self._erasures.catch_up(document, saga.uid, saga.spec.get("customerID"), saga.created_at)
            if document is None or "customer_id" not in document or not is_of(document, saga.spec):
                await self._stories.note_alone(saga.uid, kept.archived_at)
        return kept

    async def list(self, paging: Paging, wanted: Wanted) -> Page[EndedSaga]:
        """Archived sagas, by the time at which they were created."""
        return await self._stories.list(paging, _ended, **wanted.model_dump())

    async def get(self, order_id: str, client: Client) -> ArchivedSaga:
        """An order's saga: the latest one with the order's content, otherwise the latest of all.

        A later resource with other content was refused (`order_id_used`): it isn't this order's.

        Raises:
            NotFound, Unavailable (the API server doesn't answer).
        """
        resource = client.resource(await self._sagas.find(order_id))
        document = client.document(await self._orders.document(order_id))
        if resource is not None and is_of(document, resource["spec"]):
            return _live(resource)
        archived = [saga for saga in await self._stories.of(order_id) if client.resource(saga) is not None]
        fitting = next((saga["_id"] for saga in archived if is_of(document, saga["spec"])), None)
        if fitting is None and resource is not None:
            return _live(resource)
        if fitting is None and not archived:
            raise NotFound(
                f"order {order_id} has no saga, neither as a resource nor in the archive: check the id",
                order_id=order_id,
            )
        return ArchivedSaga.model_validate(await self._stories.whole(fitting or archived[0]["_id"]))


def _ended(story: Document) -> EndedSaga:
    status, failure = story["status"], story["status"].get("failure") or {}
    return EndedSaga(
        order_id=story["order_id"],
        namespace=story["namespace"],
        uid=story["_id"],
        customer_id=str(story["spec"].get("customerID", "")),
        total=str(status.get("total", "")),
        created_at=story["created_at"],
        archived_at=story["archived_at"],
        completed_at=status.get("completionTime"),
        phase=str(status.get("phase", "")),
        step=failure.get("step"),
        reason=failure.get("reason"),
    )


def _live(resource: Json) -> ArchivedSaga:
    metadata = resource["metadata"]
    return ArchivedSaga(
        order_id=metadata["name"],
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        created_at=metadata["creationTimestamp"],
        archived_at=None,
        spec=without_numbers(resource["spec"]),
        status=resource.get("status") or {},
        traceparent=_traceparent(metadata),
    )


def _traceparent(metadata: Json) -> str | None:
    """None if there is none, or it is none: everybody with `edit` can write the annotation."""
    noted = (metadata.get("annotations") or {}).get(ANNOTATION)
    context = TraceContext.parse(noted) if isinstance(noted, str) else None
    return None if context is None else context.header()
