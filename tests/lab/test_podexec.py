"""What a container of the lab understands."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from blackstart.lab.podexec import NOT_FOUND, USAGE, execute, signalling


class Process:
    """Remembers the signals that it gets."""

    def __init__(self, *, exists: bool = True) -> None:
        self.exists = exists
        self.got: list[int] = []

    def __call__(self, number: int) -> bool:
        self.got.append(number)
        return self.exists


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ("kill 1", signal.SIGTERM),
        ("/bin/kill 1", signal.SIGTERM),
        ("kill -9 1", signal.SIGKILL),
        ("kill -KILL 1", signal.SIGKILL),
        ("kill -SIGINT 1", signal.SIGINT),
        ("kill -s hup 1", signal.SIGHUP),
        ("kill -n 15 1", signal.SIGTERM),
        ("kill -0 1", 0),
    ],
)
def test_kill_gives_the_process_a_signal(words: str, number: int) -> None:
    process = Process()
    assert execute(words.split(), process).code == 0
    assert process.got == [number]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("kill", USAGE, "usage"),
        ("kill -9 -s KILL 1", USAGE, "usage"),
        ("kill -NOPE 1", 1, "invalid signal"),
        ("kill -999 1", 1, "invalid signal"),
        ("kill 7", 1, "No such process"),
        ("sh -c true", NOT_FOUND, 'exec: "sh": executable file not found in $PATH'),
        ("pkill orders", NOT_FOUND, 'exec: "pkill": executable file not found in $PATH'),
    ],
)
def test_all_else_fails_as_it_would_without_a_shell(words: str, code: int, said: str) -> None:
    process = Process()
    found = execute(words.split(), process)
    assert (found.code, process.got) == (code, [])
    assert said in found.errors


def test_a_process_that_has_ended_cannot_be_signalled() -> None:
    assert execute(["kill", "1"], Process(exists=False)).code == 1
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert execute(["kill", "-0", "1"], signalling(ended.pid)).code == 1
