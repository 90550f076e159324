"""Links to a person's own tools, beside each order: to logs, to traces."""

from common.tracing.context import ANNOTATION, TraceContext
from ordersaga.saga.record import Record
from saga_operator.resource.trace.place import Place

Link = dict[str, str]


def link(text: str) -> Link:
    """`NAME=URL`. Raises ValueError: it isn't."""
    name, _, url = text.partition("=")
    if not name or not url.startswith(("https://", "http://")):
        raise ValueError(f"--link {text!r}: write NAME=https://…, with {{order}} where its id belongs")
    return {"name": name, "url": url}


def trace_id_of(saga: Record) -> str:
    """Its trace, as 32 hexadecimal digits; "" if it has none, since whoever placed the order decided so.

    Whether there is one otherwise is known to the operator alone, which traces some of them.
    """
    parent = TraceContext.parse(saga.annotation(ANNOTATION))
    if not saga.uid or (parent is not None and not parent.sampled):
        return ""
    return f"{Place.of(saga.uid, '' if parent is None else parent.header(), lambda *_: True).saga.trace_id:032x}"
