"""Labs for drills: started when a test first needs them, ended with its module."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from labs import Lab

from blackstart.clock import SystemClock
from blackstart.lab import launch


@pytest.fixture(scope="module")
def start_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Lab]]:
    """Starts labs, each with a name and a configuration (TOML text)."""
    started: list[launch.Launched] = []

    def start(name: str, config: str = "") -> Lab:
        folder = tmp_path_factory.mktemp(name)
        path = folder / "lab.toml"
        path.write_text(config)
        started.append(launch.launch(f"{name}-{os.getpid()}", path, lambda words: None, stays=False))
        return Lab(started[-1].status, folder)

    yield start
    for one in started:
        one.end(SystemClock())


@pytest.fixture(scope="module")
def lab(start_lab: Callable[..., Lab]) -> Lab:
    """A lab with all defaults, for the tests of one module. They leave it as they found it."""
    return start_lab("drills")
