"""Where labs are, and what they tell of themselves."""

from __future__ import annotations

import fcntl
import itertools
import os
from pathlib import Path

import pytest

from blackstart.errors import ConfigInvalid, LabError
from blackstart.lab import files, status
from blackstart.lab.config import LabConfig
from blackstart.lab.status import Part, Status
from blackstart.lab.topology import LOOPBACK, plan


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def one(folder: Path) -> Status:
    numbers = itertools.count(20001)
    laid = plan(LabConfig(), (LOOPBACK, 20000), lambda host: next(numbers))
    part = Part("postgres-us-east-1", "postgres", "us-east-1", "us-east-1a", 42, "127.0.0.1:20007", "primary")
    reach = files.endpoints(laid, folder)
    return Status("lab", str(folder), "up", 7, "2026-11-23T14:04:41.123Z", 4.2, "us-east-1", reach, (part,))


def test_a_status_survives_its_file() -> None:
    folder = status.folder_of("lab")
    folder.mkdir()
    written = one(folder)
    status.write(folder, written)
    assert status.read("lab") == written
    assert status.read("other") is None


def test_the_environment_points_every_client_to_the_lab() -> None:
    found = status.environment(one(status.folder_of("lab")))
    assert found["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    assert found["KUBECONFIG"].endswith("/lab/kubeconfig")
    assert found["BLACKSTART_CONFIG"].endswith("/lab/blackstart.toml")
    assert found["AWS_ACCESS_KEY_ID"] == "123456789012"


def test_a_lab_lives_as_long_as_its_lock_is_held() -> None:
    held = status.lock("lab")
    assert held is not None
    assert status.lives("lab")
    assert status.lock("lab") is None
    os.close(held)
    assert not status.lives("lab")


def test_a_lock_file_that_was_removed_meanwhile_is_not_taken_for_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    path = status.lock_file("lab")
    really, removed = fcntl.flock, []

    def slow_flock(held: int, how: int) -> None:
        if not removed:  # the last lab's warden is done just now
            path.unlink()
            removed.append(True)
        really(held, how)

    monkeypatch.setattr(fcntl, "flock", slow_flock)
    held = status.lock("lab")
    assert held is not None
    assert status.lives("lab")
    os.close(held)


@pytest.mark.parametrize("name", ["", "../lab", "a/b", ".cache", "Lab"])
def test_a_name_that_could_lead_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(ConfigInvalid, match="lower-case"):
        status.folder_of(name)


def test_a_folder_that_another_user_made_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status.root()
    uid = os.getuid()
    (tmp_path / f"blackstart-{uid}").rename(tmp_path / f"blackstart-{uid + 1}")
    monkeypatch.setattr(os, "getuid", lambda: uid + 1)
    with pytest.raises(LabError, match="belongs to user"):
        status.root()
