"""moto and a Kubernetes API, each with a weather proxy in front of it, and worlds on them that drills can change."""

from __future__ import annotations

import json
import sys
from itertools import product
from pathlib import Path

import pytest

sys.path += [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
import moto_server
import weather_proxy
from weather_proxy import BAD, Weather
from weather_world import AwsWorld, KubeWorld

SILENCE_SECONDS, STALE_SECONDS = 0.8, 1.0
AT_ONCE = [kind for kind in BAD if kind is not Weather.STALE]


# What a parameter takes: in every run, and with --sweep.
PARAMETERS = {
    "seed": ([1], range(1, 13)),
    "nth": ([3, 8], range(1, 10)),
    "forbidden": (["CreateNetworkAcl"], ["StopInstances", "SuspendProcesses", "CreateNetworkAcl", "POST"]),
    "hit": (
        [("ReplaceNetworkAclAssociation", Weather.LOST_BY_RESET), ("POST /", Weather.THROTTLED)],
        list(product(["ReplaceNetworkAclAssociation", "CreateNetworkAcl", "StopInstances", "POST /"], AT_ONCE)),
    ),
    "moment": ([Weather.THROTTLED, Weather.LOST_BY_RESET], AT_ONCE),
}


def pytest_generate_tests(metafunc):
    for name in set(PARAMETERS) & set(metafunc.fixturenames):
        metafunc.parametrize(name, PARAMETERS[name][metafunc.config.getoption("--sweep")])


@pytest.fixture(scope="session")
def moto(tmp_path_factory):
    with moto_server.running(tmp_path_factory.mktemp("moto")) as url:
        yield url


@pytest.fixture
def proxy():
    """In clear weather; it leads nowhere yet."""
    with weather_proxy.running(SILENCE_SECONDS, STALE_SECONDS) as found:
        yield found


@pytest.fixture
def aws(moto, proxy, tmp_path, monkeypatch):
    """A platform on moto, which the drill reaches through the proxy only."""
    moto_server.forget(moto)
    proxy.lead_to(moto)
    for name, value in moto_server.environ(proxy.url).items():
        monkeypatch.setenv(name, value)
    world = AwsWorld(moto, tmp_path)
    yield world
    world.close()


@pytest.fixture(scope="session")
def kube_server():
    with weather_proxy.kubernetes() as url:
        yield url


@pytest.fixture
def kube(kube_server, proxy, tmp_path, monkeypatch):
    """A deployment of four pods and a kubelet; the drill reaches them through the proxy only."""
    proxy.lead_to(kube_server)
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "shop", "cluster": {"server": proxy.url}},
            {"name": "direct", "cluster": {"server": kube_server}},
        ],
        "users": [{"name": "me", "user": {}}],
        "contexts": [
            {"name": "shop", "context": {"cluster": "shop", "user": "me"}},
            {"name": "direct", "context": {"cluster": "direct", "user": "me"}},
        ],
        "current-context": "",
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(path))
    with KubeWorld(tmp_path) as world:
        yield world
