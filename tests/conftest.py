"""What all tests share. Without the lab's packages, the tests that stand on them are left out."""

from importlib.util import find_spec

import pytest

NEED_THE_LAB = [
    "lab",
    "drills",
    "crash",
    "changes",
    "conformance",
    "weather",
    "monitoring/test_cloudwatch.py",
    "observer/test_databases.py",
    "observer/test_protocols.py",
    "observer/test_replicas.py",
    "probes/test_caches.py",
    "probes/test_databases.py",
    "test_recovery_residue.py",
    "test_stopping.py",
]
collect_ignore = [] if find_spec("moto") else NEED_THE_LAB


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--sweep", action="store_true", help="try every point of a sweep, not a sample")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is marked ``sweep`` has a cheaper sibling in every run."""
    if not config.getoption("--sweep"):
        left_out = [item for item in items if item.get_closest_marker("sweep")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
