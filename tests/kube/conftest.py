"""Clients of servers that misbehave, and of the lab's API server."""

import random
import sys
from pathlib import Path

import pytest

sys.path += [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
import faulty_kube
import kube_server

from blackstart.kube.client import connect
from blackstart.testing import FakeClock


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def client(tmp_path, clock, request):
    """Gives a client of the server at a URL: nobody waits between its attempts, and `called` lists its calls."""

    def made(url, user=None, timeouts=(1.0, 1.0), threads=4, **cluster):
        environ = faulty_kube.write_kubeconfig(tmp_path / "config", url, user, **cluster)
        called = []
        kube = connect("east", environ, threads, called.append, timeouts, clock=clock, random=random.Random(1))
        kube.called = called
        request.addfinalizer(kube.close)
        return kube

    return made


@pytest.fixture(scope="session")
def lab_kube(tmp_path_factory):
    """The lab's API server with two nodes and the namespace shop: a client of it, and where it is."""
    with kube_server.running(tmp_path_factory.mktemp("kube")) as environ:
        kube = connect(kube_server.CONTEXT, environ, 64, lambda call: None)
        kube_server.furnish(kube)
        yield kube, environ
        kube.close()
