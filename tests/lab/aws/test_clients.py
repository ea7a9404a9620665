"""Clients of the lab's own API."""

from concurrent.futures import ThreadPoolExecutor

from blackstart.lab.aws.clients import Clients


def test_a_client_is_made_once_and_shared():
    clients = Clients("http://127.0.0.1:1")
    with ThreadPoolExecutor(4) as pool:
        made = set(pool.map(lambda _: id(clients("sqs", "us-east-1")), range(8)))
    assert len(made) == 1
    assert clients("sqs", "us-west-2") is not clients("sqs", "us-east-1")
    clients.close()


def test_the_users_aws_configuration_does_not_matter(api, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    (tmp_path / "config").write_text("[profile production]\nregion = eu-west-1\nrole_arn = x\nsource_profile = y\n")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:2")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:3")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:3")
    clients = Clients(api.url)
    assert clients("sts", "us-east-1").get_caller_identity()["Account"] == "123456789012"
    clients.close()


def test_an_impatient_client_asks_once(free_port):
    clients = Clients(f"http://127.0.0.1:{free_port()}")
    assert clients.impatient("sqs", "us-east-1").meta.config.retries["total_max_attempts"] == 1
    assert clients("sqs", "us-east-1").meta.config.retries.get("total_max_attempts", 3) == 3
    clients.close()
