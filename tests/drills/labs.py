"""Drills on a real lab: how to start one, run an experiment in it, and look at what it holds."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blackstart.lab.status import Status, environment

PATIENT = "[objectives]\np95_seconds = 2.0\np99_seconds = 2.0\n"
ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@dataclass
class Done:
    """How a drill ended. ``verdict`` is its verdict.json; None if no journal was opened."""

    code: int
    output: str
    journal: Path | None

    @property
    def verdict(self) -> dict[str, Any]:
        assert self.journal, self.output
        return json.loads((self.journal / "verdict.json").read_text())

    @property
    def changes(self) -> list[dict[str, Any]]:
        assert self.journal, self.output
        path = self.journal / "changes.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class Lab:
    """A lab of our own, and drills in it. Journals go to ``folder``."""

    def __init__(self, status: Status, folder: Path) -> None:
        self.status = status
        self.folder = folder

    def environment(self, **more: str) -> dict[str, str]:
        """Variables that point to this lab. Latency is not what is tested, on a machine that may be busy."""
        patient = {"BLACKSTART_CONFIG": self.with_settings("patient", (r"\[evidence\]", PATIENT + "\n[evidence]"))}
        return os.environ | environment(self.status) | patient | more

    def start(self, *command: str, **more: str) -> subprocess.Popen[str]:
        """A command in this lab, in a process group of its own."""
        return subprocess.Popen(
            [str(BIN / command[0]), *command[1:]],
            cwd=self.folder,
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def end(self, started: subprocess.Popen[str], seconds: float = 150) -> Done:
        output, _ = started.communicate(timeout=seconds)
        return Done(started.returncode, output, self.newest())

    def run(self, *command: str, **more: str) -> Done:
        before = self.newest()
        done = self.end(self.start(*command, **more))
        return Done(done.code, done.output, None if done.journal == before else done.journal)

    def newest(self) -> Path | None:
        found = sorted(self.folder.glob("journals/*/*/drill.json"), key=lambda path: path.stat().st_mtime)
        return found[-1].parent if found else None

    def with_settings(self, name: str, *swaps: tuple[str, str]) -> str:
        """A copy of this lab's blackstart.toml with some text replaced (regular expressions); its path."""
        text = Path(environment(self.status)["BLACKSTART_CONFIG"]).read_text()
        for pattern, new in swaps:
            text, count = re.subn(pattern, new, text)
            assert count, pattern
        path = self.folder / f"{name}.toml"
        path.write_text(text)
        return str(path)


def experiment(name: str) -> str:
    return str(ROOT / "experiments" / f"{name}.yaml")


def until(done: Callable[[], object], seconds: float = 60) -> None:
    """Return as soon as ``done`` says something true."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def applied(lab: Lab, name: str) -> Path:
    """The journal of the drill that runs, once one of its changes has been applied."""
    found: list[Path] = []

    def look() -> bool:
        for path in lab.folder.glob(f"journals/{name}/*/changes.jsonl"):
            if "applied" in [each[-1] for each in states(path.parent).values()]:
                found.append(path.parent)
        return bool(found)

    until(look, 90)
    return found[0]


def states(journal: Path) -> dict[str, list[str]]:
    """How far each change got, in order, by its id."""
    found: dict[str, list[str]] = {}
    for line in (journal / "changes.jsonl").read_text().splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        found.setdefault(record["change"], []).append(record["state"])
    return found
