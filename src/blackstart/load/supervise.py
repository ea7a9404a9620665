"""The process between a drill and Locust: starts a master and its workers, and sees to it that none is left behind.

Every process that it starts holds the read end of a pipe (its lifeline) whose write end only this process has. So they
end when it does, however it ends.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blackstart import redaction
from blackstart.clock import Clock
from blackstart.errors import BlackstartError
from blackstart.load import record
from blackstart.load.external import External
from blackstart.load.plan import LEAVE_PER_SECOND, Plan, workers

LOOK_SECONDS = 0.5
LAST_WORDS_SECONDS = 10.0
UNLIMITED = 1 << 20
LOCUSTFILE = Path(__file__).with_name("locustfile.py")


@dataclass(frozen=True)
class Spec:
    """What one JSON line on standard input says."""

    folder: Path
    plan: Plan
    origin: float

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Spec:
        return cls(Path(data["folder"]), Plan.from_json(data["plan"]), float(data["origin"]))


class Swarm:
    """Our own master and workers."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._lifeline, self._held = os.pipe()
        self._master: subprocess.Popen[bytes] | None = None
        self._workers: list[subprocess.Popen[bytes]] = []

    def begin(self) -> None:
        """Start all processes; ValueError where this machine gives a process too few file descriptors."""
        plan = self._spec.plan
        number = workers(plan.users, _most_descriptors(), os.cpu_count() or 1)
        port = _free_port()
        arrive = ("--users", str(plan.users), "--spawn-rate", f"{plan.users_per_second:g}")
        where = ("--master-bind-host", "127.0.0.1", "--master-bind-port", str(port))
        wait = ("--headless", "--expect-workers", str(number), "--expect-workers-max-wait", "60")
        self._master = self._start(("--master", *wait, *arrive, *where), {})
        for worker in range(number):
            to = ("--worker", "--master-host", "127.0.0.1", "--master-port", str(port))
            which = {"BLACKSTART_LOAD_WORKER": str(worker), "BLACKSTART_LOAD_WORKERS": str(number)}
            self._workers.append(self._start(to, which))
        os.close(self._lifeline)

    def problem(self) -> str:
        """Which process has ended by itself; "" while none has."""
        for name, process in self._named():
            if process.poll() is not None:
                return f"its {name} ended with code {process.returncode}"
        return ""

    def look(self, clock: Clock) -> None:
        """The master writes the record itself."""

    def end(self, clock: Clock, *, at_once: bool) -> None:
        """Have the master write the summary and, unless ``at_once``, users leave one by one; end everything."""
        if self._master is not None and self._master.poll() is None:
            self._master.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._master.wait(LAST_WORDS_SECONDS)
            until = clock.monotonic() + LAST_WORDS_SECONDS + self._spec.plan.users / LEAVE_PER_SECOND
            while not at_once and any(worker.poll() is None for worker in self._workers) and clock.monotonic() < until:
                clock.sleep(LOOK_SECONDS / 5)
        os.close(self._held)
        for _, process in self._named():
            process.kill()
        for _, process in self._named():
            process.wait()

    def _named(self) -> list[tuple[str, subprocess.Popen[bytes]]]:
        named = [(f"worker {number}", process) for number, process in enumerate(self._workers)]
        return [*([("master", self._master)] if self._master else []), *named]

    def _start(self, arguments: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
        told = {
            "BLACKSTART_LOAD": json.dumps(self._spec.plan.to_json()),
            "BLACKSTART_LOAD_LIFELINE": str(self._lifeline),
            "BLACKSTART_LOAD_FOLDER": str(self._spec.folder),
            "BLACKSTART_LOAD_ORIGIN": repr(self._spec.origin),
        }
        quiet = ("--loglevel", "WARNING", "--skip-log-setup", "--only-summary")
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "locust", "-f", str(LOCUSTFILE), *quiet, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=(self._lifeline,),
            env={**os.environ, **told, **env},
        )


def run(stdin: int, clock: Clock) -> int:
    """Load as the line on ``stdin`` says, until told to stop there, or nobody is left to tell. The exit code."""
    spec = Spec.from_json(json.loads(_line(stdin)))
    redaction.guard_stderr(spec.folder)  # it is load.log
    ends = clock.monotonic() + spec.plan.limit_seconds
    recorder = record.Recorder(spec.folder, spec.plan.users, spec.origin)
    source = External(spec.plan, recorder) if spec.plan.master else Swarm(spec)
    problem = ""
    try:
        source.begin()
        while not problem and not select.select([stdin], [], [], LOOK_SECONDS)[0]:
            source.look(clock)
            problem = source.problem()
            if clock.monotonic() >= ends:
                problem = f"its {spec.plan.limit_seconds:g} s were over"
    except (BlackstartError, ValueError, OSError) as error:
        problem = str(error)
    try:
        source.end(clock, at_once=bool(problem) or not os.read(stdin, 1))
    except BlackstartError as error:
        problem = problem or str(error)
    if problem:
        sys.stderr.write(problem + "\n")
        record.append(spec.folder, {"ended": problem})
    return 1 if problem else 0


def _line(descriptor: int) -> bytes:
    """The first line; not a byte more is taken. ValueError when it ends before."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(descriptor, 1)
        if not byte:
            raise ValueError("standard input ended before it said what to load")
        line += byte
    return bytes(line)


def _most_descriptors() -> int:
    """Raise this process's limit as far as it goes, for those that it starts; what it is then."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = UNLIMITED if hard == resource.RLIM_INFINITY else hard
    with suppress(ValueError, OSError):  # some systems promise more than they grant
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
