import json
import socket

import pytest

from blackstart.errors import ConfigInvalid
from blackstart.probes import cluster


@pytest.mark.usefixtures("shop")
def test_an_api_server_that_answers_is_reachable_and_takes_some_time():
    assert cluster.api_server_reachable() is True
    assert 0 < cluster.api_server_seconds("shop-admin", 10.0) <= 10


@pytest.fixture
def silent(tmp_path, monkeypatch):
    """A server that accepts and says nothing."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.getsockname()[1]}"}}
        context = {"name": "x", "context": {"cluster": "c"}}
        config = {"clusters": [cluster], "contexts": [context], "current-context": "x"}
        (tmp_path / "config").write_text(json.dumps(config))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
        yield server


def test_an_api_server_that_says_nothing_or_does_not_listen_is_not_reachable(silent):
    assert cluster.api_server_reachable(timeout_seconds=0.2) is False
    silent.close()
    assert cluster.api_server_seconds(timeout_seconds=0.2) is None


def test_an_unknown_context_is_a_mistake_and_not_an_outage(shop):
    with pytest.raises(ConfigInvalid):
        cluster.api_server_reachable("no-such-context")
    with pytest.raises(ConfigInvalid):
        cluster.api_server_reachable(timeout_seconds=0.0)
