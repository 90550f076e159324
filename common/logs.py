"""One log format everywhere: a JSON object per line, or a readable line for a terminal.

Every line of a request has the fields `correlation_id`, `saga` (namespace/order), `order` and `step`; they come from
the headers, never from a body. Personal data (names, addresses, e-mail addresses, method tokens) is never logged:
code logs ids and reasons only.
"""

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from pythonjsonlogger.json import JsonFormatter

_context: ContextVar[Mapping[str, Any]] = ContextVar("ordersaga_log_context", default=MappingProxyType({}))
_HANDLER = "ordersaga"
_OWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}

_REPEATED = {"saga", "status"}
"""Left out of a readable line, which has both already: `order` without its namespace, the status in the message."""


@contextmanager
def log_context(fields: Mapping[str, Any]) -> Iterator[None]:
    """Add `fields` to every line logged inside."""
    token = _context.set({**_context.get(), **fields})
    try:
        yield
    finally:
        _context.reset(token)


def correlation_id() -> str | None:
    """The correlation id of the request that is being answered; None outside of one."""
    found: str | None = _context.get().get("correlation_id")
    return found


def configure_logging(service: str, *, log_format: str = "json", level: str = "INFO") -> None:
    """Send all log lines, also uvicorn's, to standard error in one format. A second call replaces the first."""
    handler = logging.StreamHandler(sys.stderr)
    handler.name = _HANDLER
    handler.setFormatter(_Json(service) if log_format == "json" else _Text(service))
    handler.addFilter(_add_context)
    root = logging.getLogger()
    for old in [h for h in root.handlers if h.name == _HANDLER]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.getLogger("uvicorn.access").disabled = True  # common.web.middleware writes that line, with order and step
    for noisy in ("pymongo", "httpx", "httpcore", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _add_context(record: logging.LogRecord) -> bool:
    for name, value in _context.get().items():
        if not hasattr(record, name):
            setattr(record, name, value)
    return True


class _Json(JsonFormatter):
    """`{"time", "level", "service", "logger", "message", …}`."""

    def __init__(self, service: str) -> None:
        super().__init__(
            "%(levelname)s %(name)s %(message)s",
            rename_fields={"levelname": "level", "name": "logger"},
            static_fields={"service": service},
        )

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        log_data.pop("color_message", None)
        return {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **log_data}


class _Text(logging.Formatter):
    """`12:00:00.000 INFO  payment  message  order=o-1001 step=payment/do`."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).strftime("%H:%M:%S.%f")[:-3]
        extra = {name: value for name, value in vars(record).items() if name not in _OWN_FIELDS | _REPEATED}
        fields = " ".join(f"{name}={value}" for name, value in extra.items())
        line = f"{time} {record.levelname:<7} {self._service:<12} {record.getMessage()}  {fields}".rstrip()
        if record.exc_info:
            line = f"{line}\n{self.formatException(record.exc_info)}"
        return line
