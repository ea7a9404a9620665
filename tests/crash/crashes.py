"""Crashes drills of real experiments in a real lab, one point of the sweep at a time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
import yaml

sys.path.append(str(Path(__file__).parent.parent / "drills"))
import world
from labs import Lab
from points import EXPERIMENTS, Point, Result, shortened

from blackstart import settings
from blackstart.changes.logs import open_log
from blackstart.clock import SystemClock
from blackstart.lab import launch

REAL = str(Path(__file__).parent / "real.py")
LAB = "[failover]\nenabled = false\n"  # a region that has failed over does not come back as it was
MOVES = {
    "database-failover": partial(world.after_failover, "postgres"),
    "cache-failover": partial(world.after_failover, "redis"),
    "region-loss-manual": world.after_region_drill,  # scales node groups, which choose whom they end
}
"""The experiments after which more has legitimately moved than after others (see ``world``)."""
IMPATIENT = "\n[observer]\nrate = 10\nbaseline_seconds = 1.0\nrecovery_window_seconds = 1.0\n\n[evidence]"
DRILL_SECONDS, UNDO_SECONDS, HEAL_SECONDS, UNWATCHED_SECONDS = 120.0, 90.0, 60.0, 5.0


@contextmanager
def in_a_lab(folder: Path) -> Iterator[Crashes]:
    """A lab for crashes, which ends with the context; journals and notes go to ``folder``."""
    (folder / "lab.toml").write_text(LAB)
    lab = launch.launch(f"sweep-{os.getpid()}", folder / "lab.toml", lambda words: None, stays=False)
    try:
        yield Crashes(Lab(lab.status, folder))
    finally:
        _wait_for_the_last(folder)
        lab.end(SystemClock())


def _wait_for_the_last(folder: Path) -> None:
    """Reverters and observers of killed drills end by themselves, but somewhat later: they still have to report."""
    journals = str(folder / "journals")
    found = [each for each in psutil.process_iter(["cmdline"]) if journals in " ".join(each.info["cmdline"] or ())]
    psutil.wait_procs(found, DRILL_SECONDS)


class Crashes:
    """A lab to crash drills in, which is put back after each."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.environ = lab.environment()
        self.environ["BLACKSTART_CONFIG"] = lab.with_settings("sweep", (r"\n\[evidence\]", IMPATIENT))
        self.log_url = settings.load(Path(self.environ["BLACKSTART_CONFIG"])).undo_log
        self.before = world.dump(self.environ)
        checks = self.before[world.REGIONS[0]]["aws"]["health checks"]
        (check,) = [name for name, each in checks.items() if each["HealthCheckConfig"]["Type"] == "HTTP"]
        for name in EXPERIMENTS:
            (lab.folder / f"{name}.yaml").write_text(yaml.safe_dump(shortened(name, check)))

    def run(self, point: Point, recover: bool = True) -> Result:
        """Let it happen, have everything put back by whom it is meant to be, and compare.

        ``recover`` False: nobody calls it, to see that what is left is found.
        """
        began = time.monotonic()
        folder = Path(tempfile.mkdtemp(prefix="point-", dir=self.lab.folder))
        environ = self._environ(point, folder)
        drill = self._start(environ, folder, "drill", "--no-version-check", "run", f"{point.experiment}.yaml")
        late = []
        try:
            reached = self._until_dead(point, drill, folder)
        except subprocess.TimeoutExpired:
            drill.kill()
            drill.wait()
            reached, late = True, [f"the drill: still there after {DRILL_SECONDS:g} s"]
        if recover and reached and point.needs_recover:
            self._recover(point, environ, folder)
        left = [*late, *self._left(recover, MOVES.get(point.experiment, dict))]
        if left:
            (folder / "left").write_text("\n".join(left))
            self._mend(environ, folder)
        passages = folder / "drill" / "passages"
        found = passages.read_text().split() if passages.exists() else []
        return Result(point.name, reached, left, round(time.monotonic() - began, 1), found)

    def _environ(self, point: Point, folder: Path) -> dict[str, str]:
        deaths = {part: death for part, death in point.deaths.items() if part != "drill" or point.seconds is None}
        return self.environ | {"CRASH": json.dumps({"folder": str(folder), "deaths": deaths})}

    def _start(self, environ: dict[str, str], folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
        with (folder / f"{arguments[0]}.out").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, REAL, *arguments],
                cwd=self.lab.folder,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _until_dead(self, point: Point, drill: subprocess.Popen[bytes], folder: Path) -> bool:
        """Whether the drill died as meant, and whoever dies with or after it, too."""
        if point.seconds is not None:
            return _kill_after(point.seconds, point.deaths["drill"][1], drill)
        drill.wait(DRILL_SECONDS)
        return all((folder / part / "died").exists() or self._soon_dead(folder, part) for part in point.deaths)

    def _soon_dead(self, folder: Path, part: str) -> bool:
        """A reverter gets to its boundary some time after the drill's death; a recover has not been called yet."""
        deadline = time.monotonic() + UNDO_SECONDS
        while part == "revert" and time.monotonic() < deadline and self._open_drills():
            if (folder / part / "died").exists():
                return True
            time.sleep(0.1)
        return part == "recover" or (folder / part / "died").exists()

    def _recover(self, point: Point, environ: dict[str, str], folder: Path) -> None:
        """By hand; once more if the first one is meant to die."""
        for _ in range(1 + ("recover" in point.deaths)):
            self._start(environ, folder, "recover").wait(UNDO_SECONDS + DRILL_SECONDS)
            environ = environ | {"CRASH": json.dumps({"folder": str(folder), "deaths": {}})}

    def _open_drills(self) -> list[str]:
        log = open_log(self.log_url)
        try:
            return [drill.id for drill in log.drills()]
        finally:
            log.close()

    def _left(self, patient: bool, but: Callable[[world.World], world.World]) -> list[str]:
        deadline = time.monotonic() + (UNDO_SECONDS if patient else UNWATCHED_SECONDS)
        while (drills := self._open_drills()) and time.monotonic() < deadline:
            time.sleep(0.1)
        before, seen = but(self.before), [self.before]

        def looked(found: world.World) -> world.World:
            seen.append(found)
            return but(found)

        now = world.settled(self.environ, before, HEAL_SECONDS if patient else UNWATCHED_SECONDS, looked)
        left = [*world.differences(before, now), *(f"undo log: {drill} is open" for drill in drills)]
        self.before = self.before if left else seen[-1]
        return left

    def _mend(self, environ: dict[str, str], folder: Path) -> None:
        """One point's leftovers must not be counted again at the next."""
        self._start(environ | {"CRASH": json.dumps({"folder": str(folder), "deaths": {}})}, folder, "recover").wait()
        self.before = world.settled(self.environ, self.before, HEAL_SECONDS)


def _kill_after(seconds: float, how: str, drill: subprocess.Popen[bytes]) -> bool:
    """Whether it still lived. Then this is called by a signal from outside, as by a person."""
    try:
        drill.wait(seconds)
        return False
    except subprocess.TimeoutExpired:
        number = signal.Signals[how] if how.startswith("SIG") else signal.SIGKILL
        (os.killpg if how == "group" else os.kill)(drill.pid, number)
        drill.wait(DRILL_SECONDS)
        return True
