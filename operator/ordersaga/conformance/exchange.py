"""One request and its answer, kept for the timeline of a broken promise."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from common.wire import Json

SUCCESS = (200, 201)
_SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer. Status 0 means that there was no answer; `error` says why."""

    label: str
    """do, undo or look."""
    order_id: str
    method: str
    path: str
    sent: Mapping[str, str]
    """The protocol's headers, as they were sent."""
    body: Any
    at: float
    """Seconds since the trial began."""
    seconds: float
    """Seconds that the answer took."""
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    answer: Any = None
    """The body: parsed JSON, or text if it isn't JSON."""
    error: str = ""

    @property
    def succeeded(self) -> bool:
        """200 or 201 with a JSON object."""
        return self.status in SUCCESS and isinstance(self.answer, dict)

    @property
    def code(self) -> str:
        """The problem's code, if there is one."""
        return str(self.answer.get("code", "")) if isinstance(self.answer, dict) else ""

    @property
    def effect(self) -> str:
        """The `effect` in an undo's answer: `undone` or `none`."""
        return str(self.answer.get("effect", "")) if isinstance(self.answer, dict) else ""

    @property
    def detail(self) -> str:
        """The problem's detail."""
        return str(self.answer.get("detail", "")) if isinstance(self.answer, dict) else ""

    @property
    def running(self) -> bool:
        """Whether another call is at work on it, so that this one has to be repeated."""
        return self.status == 409 and self.code == "running"

    def summary(self) -> str:
        """The answer in a few words: `409 compensated`."""
        if not self.status:
            return f"no answer ({self.error})"
        if self.status < 300:
            return f"{self.status}{f' effect {self.effect}' if self.effect else ''}"
        return f"{self.status} {self.code or 'without a code'}"

    def problem_fault(self) -> str:
        """What is wrong with this answer as a problem+json; empty if nothing is."""
        if self.headers.get("content-type", "").split(";")[0].strip() != "application/problem+json":
            return f"its Content-Type is {self.headers.get('content-type', 'missing')}, not application/problem+json"
        if not isinstance(self.answer, dict):
            return "it is not a JSON object"
        if not _SNAKE.fullmatch(self.code):
            return f"its code {self.code!r} is not snake_case"
        if not self.detail.strip():
            return "it has no detail, which should tell a person what to do"
        if not isinstance(self.answer.get("retryable"), bool):
            return "it has no boolean `retryable`"
        if self.answer.get("status") not in (None, self.status):
            return f"its body says status {self.answer['status']}"
        return ""

    def lines(self) -> list[str]:
        """For people: the request, and the answer below it."""
        sent = "  ".join(f"{name}: {value}" for name, value in self.sent.items())
        given = "" if self.body is None else f"  {shortened(self.body)}"
        back = self.error if not self.status else f"{self.status} {shortened(self.answer)}"
        extra = [f"{name}: {self.headers[name]}" for name in ("location", "retry-after") if name in self.headers]
        return [
            f"{self.at * 1000:7.0f} ms  {self.method} {self.path}  {sent}{given}",
            f"{self.seconds * 1000:+7.0f} ms    → {'  '.join([back, *extra])}",
        ]

    def to_json(self) -> Json:
        """For programs."""
        return {
            "label": self.label,
            "order_id": self.order_id,
            "at_seconds": round(self.at, 4),
            "seconds": round(self.seconds, 4),
            "request": {
                "method": self.method,
                "path": self.path,
                "headers": dict(self.sent),
                "body": self.body,
            },
            "response": {
                "status": self.status,
                "headers": dict(self.headers),
                "body": self.answer,
                "error": self.error,
            },
        }


def shortened(value: Any) -> str:
    """A value in one line of bounded length."""
    text = str(value).replace("\n", " ")
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
