"""``blackstart run``: the toolkit's own run in a process of its own, watched live, judged at its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import typer
from rich.console import Console

from blackstart import experiment, settings
from blackstart.changes.log import refuse
from blackstart.changes.logs import open_log
from blackstart.clock import Clock, SystemClock
from blackstart.drill import SEED_VARIABLE
from blackstart.journals import folder as folders
from blackstart.journals.close import to_json
from blackstart.journals.measure import measure
from blackstart.journals.verdict import judge
from blackstart.publish import tell
from blackstart.reports import live, terminal

ANNOUNCE_VARIABLE = "BLACKSTART_ANNOUNCE"
PROBLEM_SUFFIX = "-problem"
SOURCE_VARIABLE = "BLACKSTART_EXPERIMENT"
INCONCLUSIVE = 2
LOOK_SECONDS = 0.05


def run(
    file: Path, as_json: bool, clock: Clock | None = None, scope: Path | None = None, seed: int | None = None
) -> int:
    """Check ``file``, run it, show it; gives the exit code. ConfigInvalid, UndoLogUnusable, or Refused
    while the kill switch is on, before anything is touched.

    ``scope``: a file with the scope, instead of the one in the settings. ``seed``: of the drill's random choices.
    """
    environ = settings.scoped(os.environ, scope)
    if seed is not None:
        environ = {**environ, SEED_VARIABLE: str(seed)}
    in_force = settings.current(environ)
    experiment.check(experiment.read(file), str(file))
    _refuse_if_blocked(in_force.undo_log)
    clock = clock or SystemClock()
    with tempfile.TemporaryDirectory(prefix="blackstart-") as name:
        place = Path(name)
        announce = place / "journal-folder"
        with _toolkit(file, place, announce, environ) as toolkit:
            found = _announced(announce, toolkit, clock)
            if found is not None:
                with live.Live(found, clock, hint="Ctrl-C undoes now"):
                    toolkit.wait()
        if found is None:
            problem = place / (announce.name + PROBLEM_SUFFIX)
            typer.echo((problem if problem.exists() else place / "output").read_text(errors="replace"), err=True)
            return INCONCLUSIVE
        return _conclude(found, as_json)


def _refuse_if_blocked(undo_log: str) -> None:
    """The undo log refuses as well, but only once the drill has begun."""
    log = open_log(undo_log)
    try:
        refuse("running the drill", log.blocked())
    finally:
        log.close()


def _announced(announce: Path, toolkit: subprocess.Popen[bytes], clock: Clock) -> Path | None:
    """The journal's folder as soon as the control says it; None if the toolkit ends without a drill."""
    while True:
        over = toolkit.poll() is not None
        if announce.exists() and (folder := announce.read_text(encoding="utf-8")):
            return Path(folder)
        if over:
            return None
        clock.sleep(LOOK_SECONDS)


@contextmanager
def _toolkit(file: Path, place: Path, announce: Path, environ: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """``chaos run FILE``. Ctrl-C reaches it too; it then undoes, and this process waits until it has."""
    command = [sys.executable, "-m", "chaostoolkit", "--no-version-check"]
    command += ["--log-file", str(place / "chaostoolkit.log")]
    command += ["run", "--journal-path", str(place / "journal.json"), str(file)]
    environment = {**environ, ANNOUNCE_VARIABLE: str(announce), SOURCE_VARIABLE: str(file)}
    before = signal.signal(signal.SIGINT, _leave_it_to_the_toolkit)
    try:
        with (place / "output").open("wb") as output:
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
            yield process
            process.wait()
    finally:
        signal.signal(signal.SIGINT, before)


def _leave_it_to_the_toolkit(number: int, frame: FrameType | None) -> None:
    """The terminal sends Ctrl-C to the whole group; a handler, unlike SIG_IGN, is not inherited."""


def _conclude(found: Path, as_json: bool) -> int:
    measured = measure(found)
    verdict = judge(measured)
    if as_json:
        typer.echo(json.dumps(to_json(measured, verdict), indent=2))
    else:
        terminal.show(Console(highlight=False), measured, verdict, found / folders.REPORT)
    for problem in tell.problems(found):
        typer.echo(problem, err=True)
    return verdict.exit_code
