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

from blackstart.changes.clients import Clients
from blackstart.changes.kube_nodes import is_ready
from blackstart.changes.pods import is_live, place
from blackstart.lab.status import Status, environment

HASTY = {"BLACKSTART_EVICTED_AFTER_SECONDS": "0"}
"""Drills that are about something else do not wait until a cluster has noticed that a node is lost."""
PATIENT = "[objectives]\np95_seconds = 2.0\np99_seconds = 2.0\n"
HOME = "shop-us-east-1"
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
        return os.environ | environment(self.status) | HASTY | patient | more

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


def spread(lab: Lab, namespace: str = "shop") -> None:
    """The service's pods over all zones again: nothing moves them back into a zone that was lost, and a zone without
    pods can be lost without anybody noticing."""
    clients = Clients(environ=lab.environment())
    kube, pods = clients.kube(HOME), f"/api/v1/namespaces/{namespace}/pods"

    def even() -> bool:
        zones = {node["metadata"]["name"]: place(node)[0] for node in kube.items("/api/v1/nodes") if is_ready(node)}
        there = [pod for pod in kube.items(pods, labelSelector="app=orders") if is_live(pod)]
        by_zone: dict[str, list] = {zone: [] for zone in zones.values()}
        for pod in there:
            by_zone.setdefault(zones.get(pod["spec"].get("nodeName"), ""), []).append(pod)
        fullest = max(by_zone.values(), key=len)
        if not all(map(is_ready, there)):
            return False
        if len(fullest) - min(map(len, by_zone.values())) <= 1:
            return True
        kube.delete(f"{pods}/{fullest[0]['metadata']['name']}", {"gracePeriodSeconds": 0})
        return False

    try:
        until(even)
    finally:
        clients.close()
