"""What the tests of all services share: databases of their own on the session's MongoDB, and fresh ids."""

from collections.abc import Iterator

import pytest

from common.settings import ServiceSettings
from tests.support.service_client import fresh, own_databases


@pytest.fixture(scope="session")
def settings(mongodb_url: str) -> Iterator[ServiceSettings]:
    """Settings with databases of this session."""
    with own_databases(mongodb_url) as settings:
        yield settings


@pytest.fixture
def order_id() -> str:
    """An order that no other test uses."""
    return fresh("o")
