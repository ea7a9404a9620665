"""Labs for drills: started when a test first needs them; what one module alone needs ends with it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from labs import Lab

from blackstart.clock import SystemClock
from blackstart.lab import launch


def _labs(factory: pytest.TempPathFactory) -> Iterator[Callable[..., Lab]]:
    started: list[launch.Launched] = []

    def start(name: str, config: str = "") -> Lab:
        folder = factory.mktemp(name)
        path = folder / "lab.toml"
        path.write_text(config)
        started.append(launch.launch(f"{name}-{os.getpid()}", path, lambda words: None, stays=False))
        return Lab(started[-1].status, folder)

    yield start
    for one in started:
        one.end(SystemClock())


@pytest.fixture(scope="module")
def start_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Lab]]:
    """Starts labs, each with a name and a configuration (TOML text)."""
    yield from _labs(tmp_path_factory)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab with all defaults, for everybody. They leave it as they found it."""
    for start in _labs(tmp_path_factory):
        yield start("drills")
