"""Labs begin and end: side by side, under one name only once, and with nothing left over however they end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parent))

from lab_user import order, until

from blackstart.errors import LabError, MissingPart
from blackstart.lab import commands, launch, status, supervisor
from blackstart.lab.status import Status

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

STARTER = """
import sys
from blackstart.lab import launch
started = launch.launch(sys.argv[1], None, lambda words: None, stays=False)
print("up", flush=True)
sys.stdin.read()
"""


def start(name: str) -> subprocess.Popen[bytes]:
    """A process that owns a lab."""
    child = subprocess.Popen([sys.executable, "-c", STARTER, name], stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    return child


def processes(lab: Status) -> list[psutil.Process]:
    """Everything that the lab runs, with the supervisor, its helpers and their children."""
    root = psutil.Process(lab.pid)
    return [root, *root.children(recursive=True)]


def shared_memory(creators: set[int]) -> set[str]:
    """Ids of the System V segments that processes with these ids made: the kernel keeps them when their maker is
    killed, also those of makers of long ago."""
    rows = [line.split() for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
    return {row[1] for row in rows if int(row[4]) in creators}


def all_gone(found: list[psutil.Process]) -> bool:
    return not [one for one in found if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("victim", ["the one who started it", pytest.param("its supervisor", marks=pytest.mark.sweep)])
def test_nothing_of_a_lab_survives_sigkill_of(lab: Status, victim: str) -> None:
    name = f"killed-{os.getpid()}"
    old = shared_memory(set(range(2**22)))
    owner = start(name)
    try:
        other = status.read(name)
        assert other is not None
        found = processes(other)
        assert len(found) > 25
        makers = {one.pid for one in found}
        assert len(shared_memory(makers) - old) == 3, "one segment for each PostgreSQL"
        answers = [asyncio.run(order(one, seconds=5)).status for one in (lab, other)]
        assert answers == [201, 201], "two labs take orders side by side"
        os.kill(owner.pid if victim == "the one who started it" else other.pid, signal.SIGKILL)
        asyncio.run(until(lambda: all_gone(found)))
        asyncio.run(until(lambda: not Path(other.folder).exists()))
        asyncio.run(until(lambda: not status.lives(name)))
        assert shared_memory(makers) - old == set()
        assert asyncio.run(order(lab, seconds=5)).status == 201, "the other lab goes on"
    finally:
        owner.kill()
        owner.communicate()


def test_a_name_that_is_taken_is_refused(lab: Status) -> None:
    with pytest.raises(LabError, match="a lab of that name is up"):
        launch.launch(lab.name, None, lambda words: None, stays=False)


def test_a_missing_package_is_named_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "PACKAGES", ("uvloop", "no_such_package"))
    with pytest.raises(MissingPart, match=r"no_such_package.*pip install 'chaostoolkit-blackstart\[lab\]'"):
        supervisor.check_packages()


def test_a_command_in_the_lab_finds_it_and_its_exit_code_is_passed_on(lab: Status) -> None:
    script = f"import os, sys; sys.exit(7 if os.environ['AWS_ENDPOINT_URL'] == {lab.endpoints.aws!r} else 1)"
    result = CliRunner().invoke(commands.app, ["run", "--name", lab.name, "--", sys.executable, "-c", script])
    assert result.exit_code == 7


def test_the_status_of_a_lab_names_its_parts(lab: Status) -> None:
    result = CliRunner().invoke(commands.app, ["status", "--name", lab.name, "--json"])
    assert result.exit_code == 0
    assert f'"name": "{lab.name}"' in result.stdout
    assert '"kind": "postgres"' in result.stdout


def test_without_a_lab_status_says_how_to_start_one() -> None:
    result = CliRunner().invoke(commands.app, ["status", "--name", "nobody-here"])
    assert result.exit_code == 1


def test_a_configuration_that_cannot_be_used_is_refused_before_anything_starts(tmp_path: Path) -> None:
    file = tmp_path / "lab.toml"
    file.write_text("sizes = 3\n")
    result = CliRunner().invoke(commands.app, ["up", "--name", "nobody-here", "--config", str(file)])
    assert result.exit_code == 2
    assert not status.lives("nobody-here")


def test_a_start_that_is_broken_off_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "lab.toml"
    file.write_text("start_seconds = 1.5\n")
    name = f"hasty-{os.getpid()}"
    with pytest.raises(LabError, match=r"not up after 1\.5 s, for want of .*start_seconds"):
        launch.launch(name, file, lambda words: None, stays=False)
    assert not status.lives(name)
    assert not status.folder_of(name).exists()
