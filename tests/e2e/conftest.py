"""The one system that all end-to-end tests share."""

import contextlib
from collections.abc import Iterator

import pytest

from dev.stack.pytest_plugin import TestControlPlane
from tests.e2e.system import Stack


@pytest.fixture(scope="session")
def running_stack(
    mongodb_url: str, control_plane: TestControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    stack = Stack(mongodb_url, control_plane, tmp_path_factory.mktemp("stack"))
    with contextlib.ExitStack() as undo:
        undo.enter_context(stack.shop)
        undo.enter_context(stack.books)
        undo.callback(stack.stop)
        stack.start()
        stack.shop.seed()
        yield stack


@pytest.fixture
def stack(running_stack: Stack) -> Stack:
    """The system, whole again after whatever an earlier test did to it."""
    running_stack.start()
    return running_stack
