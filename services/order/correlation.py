"""The correlation id of the request that is being answered: it goes on to the resource and to the neighbours."""

from common.logs import _context


def current_correlation_id() -> str | None:
    """The id that `common.access` took from X-Correlation-ID or made; None outside a request."""
    found: str | None = _context.get().get("correlation_id")
    return found
