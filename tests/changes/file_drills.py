"""How tests start, watch and kill the processes of ``file_drill.py``."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from file_drill import HOST

SCRIPT = str(Path(__file__).parent / "file_drill.py")


def wait_until(condition, seconds=40):
    for _ in range(seconds * 20):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to pass")


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@dataclass
class FileDrill:
    """One drill and its reverter, as two processes."""

    url: str
    folder: Path
    name: str = "drill-1"
    host: str = ""
    started: list = field(default_factory=list)

    def start(self, ears: str = "") -> "FileDrill":
        self.started.append(self._run("drill", self.url, str(self.folder), self.name, ears))
        return self

    def run_in(self) -> "FileDrill":
        """Start, and return once the fault is in."""
        self.start()
        wait_until((self.folder / f"{self.name}.in").exists)
        return self

    def recover(self) -> subprocess.Popen:
        """``recover``, by a process of this drill's machine."""
        self.started.append(self._run("recover", self.url, str(self.folder)))
        return self.started[-1]

    def _run(self, *arguments: str) -> subprocess.Popen:
        environ = {**os.environ, HOST: self.host}
        return subprocess.Popen([sys.executable, SCRIPT, *arguments], env=environ, start_new_session=True)

    @property
    def pids(self) -> list[int]:
        """Of the drill, and of its reverter."""
        noted = self.folder / f"{self.name}.pids"
        wait_until(lambda: noted.exists() and noted.read_text())
        return [int(pid) for pid in noted.read_text().split()]

    def signal(self, number: int) -> None:
        """To the drill and its reverter."""
        for pid in self.pids:
            os.kill(pid, number)

    def halt(self) -> None:
        """Both stand still, as on a machine that sleeps; never in the middle of a write, which on one machine would
        keep everybody else from the log."""
        while True:
            self.signal(signal.SIGSTOP)
            wait_until(lambda: all(psutil.Process(pid).status() == psutil.STATUS_STOPPED for pid in self.pids))
            if not self._writing():
                return
            self.signal(signal.SIGCONT)
            time.sleep(0.02)

    def _writing(self) -> bool:
        scheme, _, path = self.url.partition("://")
        if scheme != "sqlite":
            return False
        try:
            with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as db:
                db.execute("BEGIN IMMEDIATE")
                db.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return True
        return False

    def wake_reverter(self) -> None:
        os.kill(self.pids[1], signal.SIGCONT)

    def kill_reverter(self) -> None:
        os.kill(self.pids[1], signal.SIGKILL)

    def kill_drill(self) -> None:
        os.kill(self.pids[0], signal.SIGKILL)

    @property
    def interrupted(self) -> bool:
        return (self.folder / f"{self.name}.interrupted").exists()

    def await_end(self) -> str:
        """Return when both processes are gone; how the reverter's work ended."""
        wait_until(lambda: all(gone(pid) for pid in self.pids))
        ending = self.folder / "ending"
        return ending.read_text() if ending.exists() else ""

    def clean(self) -> None:
        for process in self.started:
            process.kill()
            process.wait()
        noted = self.folder / f"{self.name}.pids"
        for pid in self.pids if noted.exists() else []:
            if not gone(pid):
                os.kill(pid, signal.SIGKILL)
