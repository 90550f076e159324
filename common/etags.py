"""ETags for preconditions of a change (RFC 9110, 13.1): a PUT that was made from an outdated page changes nothing.

A GET answers an ETag that follows from the fields that a PUT sets; `If-Match` on the PUT names it again.
"""

import hashlib
import json
from typing import Any


def etag_of(*values: Any) -> str:
    """The ETag of these values."""
    text = json.dumps(values, separators=(",", ":"))
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:20]}"'


def matches(if_match: str, etag: str | None) -> bool:
    """Whether a resource with this ETag (None: there is none) is one that the header names."""
    if etag is None:
        return False
    return if_match.strip() == "*" or etag in (each.strip() for each in if_match.split(","))
