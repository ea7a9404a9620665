"""A running lab for the tests that need one: started once, and ended when the last of them is done."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from blackstart.clock import SystemClock
from blackstart.lab import launch
from blackstart.lab.status import Status


@pytest.fixture(scope="session")
def lab() -> Iterator[Status]:
    """The status of a lab with all defaults. Tests leave it as they found it."""
    started = launch.launch(f"test-{os.getpid()}", None, lambda words: None, stays=False)
    try:
        yield started.status
    finally:
        started.end(SystemClock())
