"""One real HTTP server for all tests of this folder, which answers as it is told, and one planted drill."""

import sys
import threading
from pathlib import Path

import pytest

sys.path += [str(Path(__file__).parent), str(Path(__file__).parent.parent / "journals")]
import planted
from answering import Server

from blackstart.clock import SystemClock
from blackstart.journals import close
from blackstart.publish import facts
from blackstart.publish.sending import Limits, Sender

REPORTS = "https://reports.example.org/{experiment}/{folder}/report.html"


@pytest.fixture(scope="session")
def _server():
    made = Server()
    threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def server(_server):
    _server.clear()
    yield _server
    _server.clear()


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A drill that did what it should, but lost writes."""
    made = planted.plant(tmp_path_factory.mktemp("journals"), planted.SMALL)
    close.close(made, cut_off=False)
    return made


@pytest.fixture(scope="session")
def drill(folder):
    return facts.ended(folder, REPORTS)


@pytest.fixture(scope="session")
def started(folder):
    return facts.begun(folder, REPORTS)


@pytest.fixture
def sender():
    """As the drill makes it, with less patience."""
    clock = SystemClock()
    return Sender("Somebody", clock, clock.monotonic() + 3.0, Limits(0.3, 3.0))
