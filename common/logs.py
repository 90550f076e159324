"""One log format everywhere: a JSON object per line, or a readable line for a terminal.

Every line of a request has the field `correlation_id`, and one of a saga's call `saga` (namespace/order), `order`,
`step` (payment/do) and `attempt`; `trace_id` is there if the request belongs to a trace. They come from the headers,
never from a body, except for the id of an order that is being placed; the operator's lines about a saga have the same
fields (docs/logs.md). Personal data (names, addresses, e-mail addresses, method tokens) is never logged: code logs ids
and reasons only.

Whatever a message or a field quotes from outside stays in its line: line breaks, escape sequences and marks of
direction are taken out (`common.text`), and a line has an end.
"""

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from pythonjsonlogger.json import JsonEncoder

from common.text import printable

_context: ContextVar[Mapping[str, Any]] = ContextVar("ordersaga_log_context", default=MappingProxyType({}))
_HANDLER = "ordersaga"
_OWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}

_TRACES = frozenset({"exc_info", "stack_info"})
LONGEST = 4096
"""Characters of a message or a field: more than anything of ours, and less than what collectors of logs cut."""
LONGEST_TRACE = 32_768

_NOT_SHOWN = _OWN_FIELDS | {"saga", "status"}
"""Left out of a readable line, which has both already: `order` without its namespace, the status in the message."""


@contextmanager
def log_context(fields: Mapping[str, Any]) -> Iterator[None]:
    """Add `fields` to every line logged inside."""
    token = _context.set({**_context.get(), **fields})
    try:
        yield
    finally:
        _context.reset(token)


def note(fields: Mapping[str, Any]) -> None:
    """Add `fields` to every line from now on, until the innermost `log_context` ends."""
    _context.set({**_context.get(), **fields})


def noted(name: str) -> str | None:
    """A field of every line that is logged now; None if there is none of that name."""
    found: str | None = _context.get().get(name)
    return found


def correlation_id() -> str | None:
    """The correlation id of the request that is being answered; None outside of one."""
    return noted("correlation_id")


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
    # no line says where in the code, in which thread or process it was written: finding that out is a third of its cost
    logging._srcfile = None
    logging.captureWarnings(True)
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    for noisy in ("pymongo", "httpx", "httpcore", "asyncio", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _add_context(record: logging.LogRecord) -> bool:
    for name, value in _context.get().items():
        if not hasattr(record, name):
            setattr(record, name, value)
    return True


class _Json(logging.Formatter):
    """`{"time", "level", "logger", "message", "service", …}`. Lean: a service writes a line for each request."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service
        self._encode = JsonEncoder().encode  # whatever a field holds, it can be written

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": printable(record.getMessage(), LONGEST),
            "service": self._service,
        }
        if record.exc_info:
            fields["exc_info"] = _fit("exc_info", self.formatException(record.exc_info))
        if record.stack_info:
            fields["stack_info"] = _fit("stack_info", self.formatStack(record.stack_info))
        for name, value in vars(record).items():
            if name not in _OWN_FIELDS:
                fields[name] = _fit(name, value) if isinstance(value, str) else value
        return self._encode(fields)


class _Text(logging.Formatter):
    """`12:00:00.000 INFO  payment  message  order=o-1001 step=payment/do`."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).strftime("%H:%M:%S.%f")[:-3]
        fields = " ".join(
            [f"{name}={_fit(name, value)}" for name, value in vars(record).items() if name not in _NOT_SHOWN]
        )
        message = printable(record.getMessage(), LONGEST)
        line = f"{time} {record.levelname:<7} {self._service:<12} {message}  {fields}".rstrip()
        if record.exc_info:
            # each line is marked, so that none of an error's text can pass for a line of the log
            trace = self.formatException(record.exc_info)[:LONGEST_TRACE].splitlines()
            line = "\n".join([line, *(f"  | {_shown(each)}" for each in trace)])
        return line


def _fit(name: str, value: Any) -> Any:
    """A field as it can be logged: text is made fit, a traceback keeps its lines."""
    if not isinstance(value, str):
        return value
    if name in _TRACES:
        return "\n".join(_shown(line) for line in value[:LONGEST_TRACE].splitlines())
    return printable(value, LONGEST)


def _shown(line: str) -> str:
    """A line of a traceback, whose indentation stays."""
    return " " * (len(line) - len(line.lstrip(" "))) + printable(line, LONGEST)
