"""What all tests share. Without the lab's packages, the tests that stand on them are left out."""

from importlib.util import find_spec

import hypothesis
import pytest

NEED_THE_LAB = [
    "lab",
    "drills",
    "crash",
    "changes",
    "conformance",
    "weather",
    "journals/test_archive.py",
    "monitoring/test_cloudwatch.py",
    "observer/test_databases.py",
    "observer/test_protocols.py",
    "observer/test_replicas.py",
    "probes/test_caches.py",
    "probes/test_databases.py",
    "publish/test_cloudwatch.py",
    "test_recovery_residue.py",
    "test_stopping.py",
]
collect_ignore = [] if find_spec("moto") else NEED_THE_LAB


SAMPLE, SWEEP = 40, 400
"""Examples of a property that says no number of its own."""


def pytest_configure(config: pytest.Config) -> None:
    """Others may have the processor, so no example has a deadline."""
    examples = SWEEP if config.getoption("--sweep") else SAMPLE
    hypothesis.settings.register_profile("shared", deadline=None, max_examples=examples)
    hypothesis.settings.load_profile("shared")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--sweep", action="store_true", help="try every point of a sweep, not a sample")
    parser.addoption("--part", default="1/1", help="2/3: every third test, from the second on")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is marked ``sweep`` has a cheaper sibling in every run."""
    part, parts = map(int, config.getoption("--part").split("/"))
    swept = config.getoption("--sweep")
    chosen = [item for item in items if swept or not item.get_closest_marker("sweep")][part - 1 :: parts]
    kept = set(chosen)
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = chosen
