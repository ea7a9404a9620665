"""``blackstart plan``: the experiment's actions, run the same way up to the gate, where they only propose.

The actions find their targets and plan their changes as in a drill, with clients that refuse whatever does not only
read; instead of the gate there is a drill that takes down what it is handed, and asks every guard about it.
"""

from __future__ import annotations

import json
import os
import random
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from inspect import signature
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typer
from rich.console import Console

from blackstart import experiment, settings
from blackstart.access import Call
from blackstart.changes import locks
from blackstart.changes.clients import Clients
from blackstart.changes.guards import Finding, Request, ask
from blackstart.changes.keeping import Keeper
from blackstart.changes.log import UndoLog
from blackstart.changes.logs import default_url, open_log
from blackstart.changes.mirror import Mirror
from blackstart.changes.model import Change
from blackstart.changes.proposal import Plan, Proposal
from blackstart.changes.reach import Reach
from blackstart.changes.registry import Kinds
from blackstart.changes.sqlite_log import SCHEME
from blackstart.clock import Clock, SystemClock
from blackstart.drill import DRILL_KEY, SEED_VARIABLE
from blackstart.errors import BlackstartError, ConfigInvalid, Refused, UndoLogUnusable
from blackstart.reports import plan_table, plan_view
from blackstart.scope import Scope
from blackstart.settings import Settings

ACTIONS = f"{experiment.OURS}actions."
UNDOES = (("blackstart.actions.recovery", "undo"), ("blackstart.actions.regions", "fail_back"))
REFUSED = 3
ATTEMPTS = 3  # somebody waits for the plan, and nothing is at stake


@dataclass(frozen=True)
class Planned:
    """A plan and what it rests on. ``calls``: every API call that was made for it, in order; all of them only read.

    ``probes``: the probes of ours, which a drill runs, by module, function and arguments.
    """

    plan: Plan
    settings: Settings
    kinds: Kinds
    calls: tuple[Call, ...]
    probes: tuple[tuple[str, str, Mapping[str, Any]], ...]


@dataclass
class PlannedDrill:
    """An open drill whose faults never happen: ``inject`` takes down what would be changed, and what speaks against it.

    ``activity`` is the one that runs just now.
    """

    scope: Scope
    reach: Reach
    random: random.Random
    log_problem: str = ""
    activity: str = ""
    proposals: list[Proposal] = field(default_factory=list)
    held: list[Change] = field(default_factory=list)

    @property
    def clients(self) -> Clients:
        return self.reach.clients

    @property
    def kinds(self) -> Kinds:
        return self.reach.kinds

    def inject(
        self,
        changes: Sequence[Change],
        subject: str,
        *,
        duration_seconds: float | None = None,
        nothing: str = "",
        region_drill: bool = False,
    ) -> None:
        """As ``changes.gate.inject``, but for the changes."""
        changes = tuple(changes)
        if duration_seconds is not None and duration_seconds <= 0:
            raise ConfigInvalid(subject, "duration", f"{duration_seconds:g} seconds; a fault lasts longer than 0")
        for name in {change.kind for change in changes}:
            self.kinds.lookup(name)
        said = list(ask(Request(self.scope, changes, self.held, self.reach, nothing, region_drill)))
        if self.log_problem:
            said.append(Finding("locks", self.log_problem))
        else:
            said += locks.findings(self.reach.log, changes, self.scope.share_regions)
        self.proposals.append(Proposal(self.activity, subject, changes, duration_seconds, tuple(said)))
        self.held += changes

    def keep(self, keeper: Keeper, subject: str, *, duration_seconds: float) -> None:
        """Takes down that the fault ``subject`` would be kept up."""
        mine = (each for each in reversed(self.proposals) if each.subject == subject)
        if fault := next(mine, None):
            kept = replace(fault, kept=True, keeping=(*fault.keeping, *keeper.needs()))
            self.proposals[self.proposals.index(fault)] = kept

    def note(self, kind: str, **fields: Any) -> None:
        """Nothing happens, so there is nothing to tell."""


def run(file: Path, as_json: bool, scope: Path | None = None, seed: int | None = None) -> int:
    """Print the plan of ``file``; 0 if it would run, 3 if it would be refused. ConfigInvalid for unusable input."""
    planned = plan(file, settings.scoped(os.environ, scope), seed)
    seen = plan_view.view(planned.plan, planned.calls, planned.kinds, planned.settings.prices)
    if as_json:
        typer.echo(json.dumps(plan_view.to_json(seen), indent=2))
    else:
        plan_table.show(Console(highlight=False), seen)
    return 0 if planned.plan.would_run else REFUSED


def plan(
    file: Path, environ: Mapping[str, str] = os.environ, seed: int | None = None, clock: Clock | None = None
) -> Planned:
    """What a run of ``file`` would do, read-only. ``seed``: of the drill's random choices; None: as ``environ`` says.

    ConfigInvalid if the settings or the experiment cannot be used. What refuses a fault is in the plan, not raised.
    """
    in_force = settings.current(environ)
    data = experiment.read(file)
    experiment.check(data, str(file))
    activities = list(experiment.activities(data))
    configuration = _configuration(data, file)
    calls: list[Call] = []
    clients = Clients(attempts=ATTEMPTS, environ=environ, read_only=True, record=calls.append)
    clock, seed = clock or SystemClock(), _seed(environ) if seed is None else seed
    with _log(in_force.undo_log) as (log, problem):
        reach = Reach(log, Kinds(), clients, clock, Mirror(None, "plan", clock), archive_region=in_force.archive.region)
        drill = PlannedDrill(in_force.scope, reach, random.Random(seed), problem)
        try:
            probes = [found for each in activities if (found := _ask(each, drill, configuration, file))]
        finally:
            clients.close()
    foreign = tuple(each.said for each in activities if each.said)
    title, environment = str(data["title"]), in_force.scope.environment
    scope = environ.get(settings.SCOPE_VARIABLE, "")
    made = Plan(str(file), title, environment, seed, tuple(drill.proposals), foreign, scope)
    return Planned(made, in_force, reach.kinds, tuple(calls), tuple(probes))


def _seed(environ: Mapping[str, str]) -> int:
    named = environ.get(SEED_VARIABLE)
    try:
        return int(named) if named else secrets.randbits(32)
    except ValueError as error:
        raise ConfigInvalid(f"${SEED_VARIABLE}", "", f"{named!r} is not a whole number") from error


def _configuration(data: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """The experiment's configuration as the toolkit reads it from the environment."""
    from chaoslib.configuration import load_configuration
    from chaoslib.exceptions import ChaosException

    given = data.get("configuration") or {}
    dynamic = next((name for name, value in given.items() if isinstance(value, dict) and "provider" in value), None)
    if dynamic:
        problem = "comes from a probe, which a plan does not run; give it a value"
        raise ConfigInvalid(str(file), f"configuration.{dynamic}", problem)
    try:
        return dict(load_configuration(given))
    except ChaosException as error:
        raise ConfigInvalid(str(file), "configuration", str(error)) from error


@contextmanager
def _log(url: str) -> Iterator[tuple[UndoLog, str]]:
    """The undo log, and why it cannot be read. One that does not exist is not made: it holds nothing."""
    path = (url or default_url()).removeprefix(SCHEME)
    with TemporaryDirectory(prefix="blackstart-plan-") as folder:
        empty, problem = f"{SCHEME}{folder}/undo.sqlite", ""
        try:
            log = open_log(empty if Path(path).is_absolute() and not Path(path).exists() else url)
        except UndoLogUnusable as error:
            log, problem = open_log(empty), str(error)
        try:
            yield log, problem
        finally:
            log.close()


def _ask(
    each: experiment.Named, drill: PlannedDrill, configuration: Mapping[str, Any], file: Path
) -> tuple[str, str, Mapping[str, Any]] | None:
    """Have an action of ours propose; gives a probe of ours back, with the arguments that it would be called with."""
    from chaoslib import substitute

    provider = each.provider
    if provider is None or provider.type != "python" or not provider.module.startswith(experiment.OURS):
        return None
    arguments = dict(substitute(provider.arguments, configuration, {}) or {})
    if not provider.module.startswith(ACTIONS):
        return provider.module, provider.func, arguments
    if (provider.module, provider.func) in UNDOES:
        drill.held.clear()
        return None
    function = getattr(import_module(provider.module), provider.func)
    if "configuration" in signature(function).parameters:
        arguments["configuration"] = {**configuration, DRILL_KEY: drill}
    drill.activity = each.name
    try:
        _propose(function, arguments, drill)
    except (TypeError, ValueError, AttributeError, LookupError) as error:
        problem = f"{provider.func} cannot use these values ({type(error).__name__}: {error})"
        raise ConfigInvalid(str(file), f"{each.where}.arguments", problem) from error
    return None


def _propose(function: Any, arguments: Mapping[str, Any], drill: PlannedDrill) -> None:
    """Call an action; that it refuses, or does not get an answer, is an objection, too."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        function(**arguments)
    except ConfigInvalid:
        raise
    except Refused as error:
        finding = Finding("action", error.reason)
        drill.proposals.append(Proposal(drill.activity, error.subject, findings=(finding,), found=False))
    except (BlackstartError, BotoCoreError, ClientError) as error:
        finding = Finding("action", str(error))
        drill.proposals.append(Proposal(drill.activity, drill.activity, findings=(finding,), found=False))
