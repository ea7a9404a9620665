"""ministack as the lab starts it."""

import json
import os
import subprocess
from pathlib import Path

import botocore.session

from blackstart.lab.aws import ministack


def listening_addresses(pid):
    """Local addresses (hex, as the kernel writes them) of the TCP sockets on which the process listens."""
    links = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()]
    inodes = {link[8:-1] for link in links if link.startswith("socket:[")}
    tables = "".join(Path(f"/proc/{pid}/net/{table}").read_text() for table in ("tcp", "tcp6"))
    rows = [line.split() for line in tables.splitlines()]
    return {row[1].split(":")[0] for row in rows if len(row) > 9 and row[3] == "0A" and row[9] in inodes}


def test_it_is_bound_to_its_own_address_and_writes_in_its_own_folder(tmp_path, free_port):
    port = free_port()
    argv, environment = ministack.command("127.0.0.1", port, tmp_path)
    process = subprocess.Popen(argv, env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        until_listening(process)
        assert listening_addresses(process.pid) == {"0100007F"}
        assert {path.name for path in tmp_path.iterdir()} == {f"ministack-{port}.pid"}
    finally:
        process.kill()
        process.wait()


def until_listening(process):
    while not listening_addresses(process.pid):
        assert process.poll() is None, "it ended"


def test_nothing_of_the_user_reaches_it(tmp_path, monkeypatch):
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "DOCKER_HOST"):
        monkeypatch.setenv(name, "the user's")
    monkeypatch.setenv("HOME", "/home/user")
    _, environment = ministack.command("127.0.0.1", 4566, tmp_path)
    assert "the user's" not in json.dumps(environment)
    assert environment["HOME"] == str(tmp_path)
    assert not Path(environment["DOCKER_HOST"].removeprefix("unix://")).exists()


def test_the_account_is_the_one_of_the_lab_whatever_the_access_key(api):
    session = botocore.session.Session()
    session.set_credentials("AKIAIOSFODNN7EXAMPLE", "any")
    sns = session.create_client("sns", region_name="us-east-1", endpoint_url=api.url)
    assert sns.create_topic(Name="whose")["TopicArn"] == "arn:aws:sns:us-east-1:123456789012:whose"
    sns.close()
