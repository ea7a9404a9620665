"""The command: what it says, how it ends, and what it does where something is missing."""

import os
import signal
import socket
import subprocess
import sys

import pytest
from stage import HOST, asked

from blackstart.errors import CannotServe
from blackstart.web import serving


def test_ctrl_c_ends_it_in_good_order(tmp_path):
    command = [sys.executable, "-m", "blackstart", "serve", str(tmp_path), "--port", "0"]
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ) as process:
        said = process.stdout.readline()
        assert said.startswith(f"journals of {tmp_path} at http://127.0.0.1:")
        assert asked(int(said.partition("127.0.0.1:")[2].partition("/")[0]), "/")[0] == 200
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=20)
    assert (process.returncode, rest, errors) == (0, "", "")


def test_a_port_that_is_taken_is_one_sentence(tmp_path):
    with socket.create_server((HOST, 0)) as taken, pytest.raises(CannotServe) as refused:
        serving.run(tmp_path, HOST, taken.getsockname()[1])
    assert "address already in use; choose another with --host and --port" in str(refused.value)


def test_a_folder_that_is_not_there_or_a_single_journal_is_not_served(tmp_path, region_loss):
    with pytest.raises(CannotServe, match="there is no such folder; name the folder that holds journals"):
        serving.run(tmp_path / "none", HOST, 0)
    with pytest.raises(CannotServe, match="journal of one drill; try: blackstart serve"):
        serving.run(region_loss, HOST, 0)


def test_without_the_packages_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(serving, "find_spec", lambda name: None if name == "uvicorn" else object())
    with pytest.raises(CannotServe, match=r"uvicorn cannot be imported; install .*blackstart\[web\]"):
        serving.run(tmp_path, HOST, 0)


def test_who_opens_it_to_others_is_told_that_there_is_no_login(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(serving, "server", lambda site, host: type("Idle", (), {"run": lambda self, sockets: None})())
    assert serving.run(tmp_path, "0.0.0.0", 0) == 0
    assert "there is no login" in capsys.readouterr().err
    assert serving.run(tmp_path, "localhost", 0) == 0
    assert "there is no login" not in capsys.readouterr().err
