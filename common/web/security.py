"""What every answer tells a browser: to take it for what it says it is, to keep it nowhere, and to show it in no frame.

There is no header of CORS: no page of another origin reads an answer (nor sends a credential of ours, which no cookie
holds).
"""

import base64
import hashlib
import re
from collections.abc import Iterable
from typing import Final

from fastapi.openapi.docs import get_swagger_ui_html

Header = tuple[bytes, bytes]

ALWAYS: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
UNLESS_SET: Final[tuple[Header, ...]] = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
TLS: Final[Header] = (b"strict-transport-security", b"max-age=31536000")
"""Where we speak TLS ourselves. What ends it in front of us says it itself."""

_SWAGGER: Final = "https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/"
_NO_ICON: Final = "data:,"


def secured(given: Iterable[Header], scheme: str) -> list[Header]:
    """These headers of an answer, and those that every answer has; `scheme`: http or https."""
    headers = [*given, *ALWAYS]
    names = {name.lower() for name, _ in headers}
    headers += [each for each in UNLESS_SET if each[0] not in names]
    if scheme == "https":
        headers.append(TLS)
    return headers


def docs_page(title: str) -> tuple[bytes, str]:
    """GET /docs, and its Content-Security-Policy.

    The page takes Swagger UI from a public host, as the framework does it. It may run that and its own few lines, and
    talk to this service alone: a key that somebody types in there goes nowhere else.
    """
    page = bytes(
        get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=f"{title} - Swagger UI",
            swagger_js_url=f"{_SWAGGER}swagger-ui-bundle.js",
            swagger_css_url=f"{_SWAGGER}swagger-ui.css",
            swagger_favicon_url=_NO_ICON,
        ).body
    )
    own = re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(each).digest()).decode()}'" for each in own)
    policy = (
        f"default-src 'none'; script-src {_SWAGGER} {hashes}; style-src {_SWAGGER} 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page, policy
