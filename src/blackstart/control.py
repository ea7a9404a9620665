"""The Chaos Toolkit control: it opens a drill before the experiment and closes it after.

It guards nothing: the toolkit goes on when a control fails, so every guard is in the gate, which refuses without a
drill that this control opened.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from chaoslib.exceptions import InterruptExecution
from rich.console import Console

from blackstart import drill as drills
from blackstart import experiment
from blackstart.clock import SystemClock
from blackstart.errors import BlackstartError
from blackstart.journals import folder
from blackstart.publish import tell
from blackstart.reports import terminal
from blackstart.runner import ANNOUNCE_VARIABLE, PROBLEM_SUFFIX, SOURCE_VARIABLE
from blackstart.source import Source


def before_experiment_control(context: Mapping[str, Any], configuration: MutableMapping[str, Any]) -> None:
    """Open the journal and start reverter and observer. InterruptExecution, with nothing changed, if that fails."""
    try:
        seed = int(os.environ.get(drills.SEED_VARIABLE) or secrets.randbits(32))
        source = Source(context, _file(os.environ, sys.argv))
        drill = drills.begin(source, _fault(context, configuration), SystemClock(), seed)
    except (BlackstartError, ValueError) as error:
        if ANNOUNCE_VARIABLE in os.environ:
            Path(os.environ[ANNOUNCE_VARIABLE] + PROBLEM_SUFFIX).write_text(str(error), encoding="utf-8")
        raise InterruptExecution(str(error)) from error
    configuration[drills.DRILL_KEY] = drill
    configuration[drills.JOURNAL_KEY] = str(drill.journal)
    if ANNOUNCE_VARIABLE in os.environ:
        Path(os.environ[ANNOUNCE_VARIABLE]).write_text(str(drill.journal.absolute()))


def before_activity_control(context: Mapping[str, Any], configuration: Mapping[str, Any]) -> None:
    """InterruptExecution, once, for a drill that was told to stop, or whose interrupt an activity has swallowed; its
    rollbacks still have to run."""
    drill = configuration.get(drills.DRILL_KEY)
    reason = drill.must_end() if isinstance(drill, drills.RunningDrill) else ""
    if reason:
        raise InterruptExecution(f"the drill was stopped ({reason}), so it ends here and puts everything back")


def before_rollback_control(context: Mapping[str, Any], configuration: Mapping[str, Any]) -> None:
    """From here on nothing ends what puts things in order."""
    drill = configuration.get(drills.DRILL_KEY)
    if isinstance(drill, drills.RunningDrill):
        drill.ending = True


def after_experiment_control(
    context: Mapping[str, Any], state: MutableMapping[str, Any], configuration: Mapping[str, Any]
) -> None:
    """Undo what is left, close the journal, print the outcome; the run deviated unless the verdict is ``passed``."""
    toolkit_deviated = state.get("deviated", False)
    state["deviated"] = True  # whatever happens below, a run without a verdict must not look like a pass
    drill = configuration.get(drills.DRILL_KEY)
    if not isinstance(drill, drills.RunningDrill):
        return
    measured, verdict = drills.end(drill, dict(state) | {"deviated": toolkit_deviated})
    state["blackstart"] = {"journal": str(drill.journal), "verdict": verdict.word, "reason": verdict.reason}
    state["deviated"] = bool(toolkit_deviated) or verdict.exit_code != 0
    if ANNOUNCE_VARIABLE not in os.environ:
        terminal.show(Console(highlight=False), measured, verdict, drill.journal / folder.REPORT)
        for problem in tell.problems(drill.journal):
            Console(stderr=True, highlight=False).print(problem, markup=False, soft_wrap=True)


def _file(environ: Mapping[str, str], arguments: Sequence[str]) -> str:
    """The experiment's file: the toolkit does not tell controls, so from who started it, or from its arguments."""
    if environ.get(SOURCE_VARIABLE):
        return environ[SOURCE_VARIABLE]
    files = [argument for argument in arguments[1:] if Path(argument).suffix in (".yaml", ".yml", ".json")]
    return next((file for file in reversed(files) if Path(file).is_file()), "")


def _fault(context: Mapping[str, Any], configuration: Mapping[str, Any]) -> str:
    named = experiment.check(context, "experiment").fault or str(context["title"])
    return Template(named).safe_substitute({key: str(value) for key, value in configuration.items()})
