"""The certificate that uvicorn serves TLS with, and a second port as well.

uvicorn reads UVICORN_SSL_CERTFILE and UVICORN_SSL_KEYFILE once; what takes their place is up to `common.certificate`.
"""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry
from uvicorn import Config
from uvicorn.config import create_ssl_context

from common.background import Background
from common.certificate import Certificate


def certificate_of(config: Config | None) -> Certificate | None:
    """The certificate of this server, if it has one. Raises ValueError as `Certificate.look` does."""
    if config is None or config.ssl is None or config.ssl_certfile is None:
        return None
    file = Path(config.ssl_certfile)

    def anew() -> ssl.SSLContext:
        return create_ssl_context(
            certfile=file,
            keyfile=config.ssl_keyfile,
            password=config.ssl_keyfile_password,
            ssl_version=config.ssl_version,
            cert_reqs=config.ssl_cert_reqs,
            ca_certs=config.ssl_ca_certs,
            ciphers=config.ssl_ciphers,
        )

    certificate = Certificate(file, Path(config.ssl_keyfile or file), config.ssl, anew)
    certificate.look()
    return certificate


@asynccontextmanager
async def renewed(
    certificate: Certificate | None, service: str, background: Background, registry: CollectorRegistry
) -> AsyncIterator[None]:
    """With the newest pair of its files until the block ends, and with its times in `registry`."""
    if certificate is None:
        yield
        return
    certificate.measured(service, registry)
    async with background.doing(certificate.keep, name="certificate"):
        yield
