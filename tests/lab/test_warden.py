"""The warden's bookkeeping: what it kills, and what it leaves alone."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from blackstart.clock import SystemClock
from blackstart.lab.warden import follow, kill_trees, sweep


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    started = subprocess.Popen(["/bin/sleep", "987"])
    yield started
    started.kill()
    started.wait()


def test_what_was_forgotten_is_not_killed() -> None:
    assert follow(["+ 1 2.5\n", "+ 2 3.5\n", "- 1\n"]) == {2: 3.5}


def test_a_line_cut_off_by_the_end_of_the_supervisor_is_passed_over() -> None:
    assert follow(["+ 1 2.5\n", "+ 12"]) == {1: 2.5}


def test_a_registered_process_is_killed(sleeper: subprocess.Popen[bytes]) -> None:
    assert kill_trees({sleeper.pid: psutil.Process(sleeper.pid).create_time()}, SystemClock()) == ()
    assert sleeper.wait() == -9


def test_a_reused_process_id_is_left_alone(sleeper: subprocess.Popen[bytes]) -> None:
    kill_trees({sleeper.pid: psutil.Process(sleeper.pid).create_time() - 60}, SystemClock())
    assert sleeper.poll() is None


def test_the_folder_goes_with_what_is_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "file").write_text("x")
    sweep({}, folder, SystemClock())
    assert not folder.exists()
