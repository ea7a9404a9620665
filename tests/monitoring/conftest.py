"""One Prometheus and one Alertmanager for all tests of this folder: they take a second to start."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.append(str(Path(__file__).parent))
import real


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """``values`` to turn, ``prometheus`` and ``alertmanager``."""
    folder = tmp_path_factory.mktemp("monitoring")
    real.program("prometheus"), real.program("prometheus-alertmanager", "alertmanager")
    with (
        real.metrics() as (values, port),
        real.alertmanager(folder) as alertmanager,
        real.prometheus(folder, port, alertmanager) as prometheus,
    ):
        yield SimpleNamespace(values=values, prometheus=prometheus, alertmanager=alertmanager)
