"""What all tests share: the real parts, each started at most once in a run."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import TypeVar

import pytest

from parts import Missing

T = TypeVar("T")


def provide(part: Callable[[], AbstractContextManager[T]]) -> Iterator[T]:
    """Run a part for the length of a fixture; a missing one is a skip, and a failure under CI=true."""
    with ExitStack() as stack:
        try:
            handle = stack.enter_context(part())
        except Missing as missing:
            if os.environ.get("CI") == "true":
                pytest.fail(f"missing part: {missing}")
            pytest.skip(f"missing part: {missing}")
        yield handle
