"""Which sagas are listed, as a URL says it: the parameters of a list, of its stream, and of an action on many."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from ordersaga.saga.selection import SORTS, Selection
from ordersaga.saga.ui.rows import View
from ordersaga.saga.words import seconds_in


class Filter(BaseModel):
    """The parameters."""

    model_config = ConfigDict(extra="ignore")

    phase: str = ""
    step: str = ""
    reason: str = ""
    customer: str = ""
    q: str = Field(default="", max_length=128)
    older: str = ""
    newer: str = ""
    needs_person: bool = False
    finished: bool = False
    sort: Literal[SORTS] = "phase"  # type: ignore[valid-type]
    reverse: bool = False
    limit: int = Field(default=100, ge=1, le=200)
    skip: int = Field(default=0, ge=0)

    def selection(self) -> Selection:
        """Which sagas it means. Raises HTTPException: a time, phase or step that is none."""
        try:
            return Selection.said(
                phase=[self.phase],
                step=[self.step],
                reason=[self.reason],
                customer=self.customer,
                part=self.q,
                older=seconds_in(self.older) if self.older else 0.0,
                newer=seconds_in(self.newer) if self.newer else 0.0,
                needs_person=self.needs_person,
                finished=self.finished,
            )
        except ValueError as error:
            raise HTTPException(422, str(error)) from error

    def view(self) -> View:
        """What it means. Raises HTTPException as `selection` does."""
        return View(self.selection(), sort=self.sort, reverse=self.reverse, limit=self.limit, skip=self.skip)
