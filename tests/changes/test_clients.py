import json
import socket

import pytest

from blackstart.changes.clients import Clients
from blackstart.errors import ConfigInvalid, ServiceUnreachable


def test_the_account_is_the_one_that_the_credentials_reach(clients):
    assert clients.account() == "123456789012"


def test_clients_are_kept_by_service_and_region(clients):
    assert clients.aws("ec2", "us-east-1") is clients.aws("ec2", "us-east-1")
    assert clients.aws("ec2", "us-west-2") is not clients.aws("ec2", "us-east-1")
    config = clients.aws("ec2", "us-east-1").meta.config
    assert (config.connect_timeout, config.read_timeout, config.retries["mode"]) == (3.0, 15.0, "standard")


def test_an_account_that_cannot_be_told_is_one_sentence(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with pytest.raises(ServiceUnreachable, match="could not tell which AWS account this is"):
        Clients(attempts=1).account()


def test_a_service_that_does_not_exist_is_one_sentence(clients):
    with pytest.raises(ConfigInvalid, match="the AWS environment: teleport us-east-1"):
        clients.aws("teleport", "us-east-1")


@pytest.fixture
def kubeconfig(tmp_path):
    def write(server="http://127.0.0.1:9"):
        config = {
            "clusters": [{"name": "shop", "cluster": {"server": server}}],
            "users": [{"name": "me", "user": {}}],
            "contexts": [{"name": "admin", "context": {"cluster": "shop", "user": "me"}}],
        }
        (tmp_path / "config").write_text(json.dumps(config))
        return Clients(environ={"KUBECONFIG": str(tmp_path / "config")})

    return write


def test_a_cluster_is_named_by_context_or_cluster(kubeconfig):
    clients = kubeconfig()
    assert clients.kube("admin").cluster == clients.kube("shop").cluster == "shop"
    clients.close()


def test_a_cluster_that_the_kubeconfig_does_not_have_is_one_sentence(kubeconfig, tmp_path):
    with pytest.raises(ConfigInvalid, match=r"no context has this name or this cluster \(there are: admin\)"):
        kubeconfig().kube("other")
    with pytest.raises(ConfigInvalid, match=r"there are: none"):
        Clients(environ={"KUBECONFIG": str(tmp_path / "none")}).kube("shop")


def test_an_api_server_that_does_not_answer_is_one_sentence(kubeconfig):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    clients = kubeconfig(f"http://127.0.0.1:{port}")
    with pytest.raises(ServiceUnreachable, match="could not GET /api/v1/nodes: shop did not answer"):
        clients.kube("shop").get("/api/v1/nodes")
    clients.close()
