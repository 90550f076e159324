"""The stories of sagas whose resource is gone: the operator leaves each one here before its time to live ends it."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from common.errors import NotFound
from common.mongo import Database, Index
from common.wire import Body, Json, OrderId, Timestamp, utcnow
from services.order.sagas import Sagas

ARCHIVE = "sagas"
INDEXES = (Index.on(ARCHIVE, "order_id", "created_at"),)

Part = Annotated[dict[str, Any], Field(description="As the resource had it.")]


class Story(Body):
    """A finished saga, to be kept. A resource that was made again under the same id has another uid and story."""

    namespace: str = Field(min_length=1, max_length=63, examples=["shop"])
    uid: str = Field(min_length=1, max_length=64, examples=["6b45f919-102d-4c62-af14-399e0a698fcc"])
    created_at: Timestamp
    spec: Part
    status: Part


class SagaStory(BaseModel):
    """The whole story of an order's saga: spec, steps, attempts, conditions."""

    order_id: OrderId
    namespace: str
    uid: str
    created_at: Timestamp
    archived_at: Timestamp | None = Field(description="When the resource was removed; null while it is there.")
    spec: Part
    status: Part


class Archive:
    """Live resources first, then what is kept of those that are gone."""

    def __init__(self, database: Database, sagas: Sagas) -> None:
        self._kept = database[ARCHIVE]
        self._sagas = sagas

    async def keep(self, order_id: str, story: Story) -> SagaStory:
        """Keep a story; the same one again changes nothing but the time."""
        fields = {"order_id": order_id, "archived_at": utcnow(), **story.model_dump()}
        kept = await self._kept.find_and_update({"_id": story.uid}, {"$set": fields}, upsert=True)
        return SagaStory.model_validate(kept)

    async def tell(self, order_id: str) -> SagaStory:
        """The latest story of an order. Raises NotFound, Unavailable (the API server, when nothing is kept)."""
        resource = await self._sagas.find(order_id)
        if resource is not None:
            return _live(resource)
        stories = await self._kept.find({"order_id": order_id}, sort="created_at")
        if not stories:
            raise NotFound(f"order {order_id} has no saga, and none is kept: check the id", order_id=order_id)
        return SagaStory.model_validate(stories[-1])


def _live(resource: Json) -> SagaStory:
    metadata = resource["metadata"]
    return SagaStory(
        order_id=metadata["name"],
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        created_at=metadata["creationTimestamp"],
        archived_at=None,
        spec=resource["spec"],
        status=resource.get("status") or {},
    )
