"""The command line: the composition root, and the only place that may exit.

Exit codes: 0 passed, 1 failed, 2 inconclusive or input that cannot be used, 3 undo incomplete (outranks all).
``plan`` ends with 3 if the drill would be refused, ``permissions`` if some of them cannot be told.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from blackstart import cli_journals
from blackstart.errors import BlackstartError, ConfigInvalid, UndoIncomplete

app = typer.Typer(
    name="blackstart",
    help="Disaster-recovery game days for Chaos Toolkit.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

JsonFlag = Annotated[bool, typer.Option("--json", help="For machines: JSON on standard output.")]

ScopeOption = Annotated[
    Path | None,
    typer.Option(help="TOML file with the scope, instead of blackstart.toml's.", show_default=False),
]

SeedOption = Annotated[
    int | None, typer.Option(min=0, help="Of the drill's random choices; the same seed, the same.", show_default=False)
]


def _version(wanted: bool) -> None:
    if wanted:
        import blackstart

        typer.echo(blackstart.__version__)
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Lose pods, zones and regions on purpose, measure what users see, and have everything put back."""


@app.command()
def run(
    file: Annotated[Path, typer.Argument(help="The experiment, YAML or JSON.")],
    scope: ScopeOption = None,
    seed: SeedOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Run an experiment with `chaos run`, show it live, and end with the verdict as exit code."""
    from blackstart import runner

    raise typer.Exit(runner.run(file, as_json, scope=scope, seed=seed))


@app.command()
def plan(
    file: Annotated[Path, typer.Argument(help="The experiment, YAML or JSON.")],
    scope: ScopeOption = None,
    seed: SeedOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what an experiment would change, and what speaks against it; changes nothing."""
    from blackstart import planning

    raise typer.Exit(planning.run(file, as_json, scope, seed))


@app.command()
def permissions(
    file: Annotated[Path, typer.Argument(help="The experiment, YAML or JSON.")],
    scope: ScopeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Print the IAM policy and the Kubernetes Roles that an experiment needs to run and to be undone."""
    from blackstart import permissions as least

    raise typer.Exit(least.run(file, as_json, scope))


@app.command()
def recover(
    drill: Annotated[str, typer.Argument(help="A drill's id; without it, every drill that nobody looks after.")] = "",
    force: Annotated[str, typer.Option(help="A change in conflict: write back the state from before.")] = "",
    accept: Annotated[str, typer.Option(help="A change in conflict: keep what is there.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before forcing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Put back what a drill left behind, from any machine that reaches the undo log."""
    from blackstart import recovery, settling

    if force or accept:
        typer.echo(settling.settle(drill, force, accept, yes=yes, as_json=as_json))
        return
    done = recovery.put_back(drill)
    typer.echo(json.dumps(recovery.as_json(done), indent=2) if as_json else recovery.describe(done))
    if not done.complete:
        raise typer.Exit(3)


@app.command()
def stop(
    drill: Annotated[str, typer.Argument(help="A drill's id; without it, every drill that runs.")] = "",
    reason: Annotated[str, typer.Option(help="Why, for the journal.")] = "",
    block: Annotated[bool, typer.Option("--block", help="And let no drill begin until `unblock`.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """End drills that run and put back what they changed, from any machine that reaches the undo log."""
    from blackstart import recovery

    done = recovery.end(drill, reason, lambda which, what: typer.echo(f"{which}: {what}", err=True), block=block)
    typer.echo(json.dumps(recovery.as_json(done), indent=2) if as_json else recovery.describe(done))
    if not done.complete:
        raise typer.Exit(3)


@app.command()
def block(reason: Annotated[str, typer.Argument(help="Why, for those whose drills are refused.")]) -> None:
    """Let no drill begin and no fault be injected until `blackstart unblock`. Running drills go on: see `stop`."""
    from blackstart import recovery, status

    found = status.block(recovery.log_url(), reason, recovery.me())
    typer.echo(f"blocked since {found.since}; let drills begin again with: blackstart unblock")


@app.command()
def unblock() -> None:
    """Let drills begin again."""
    from blackstart import recovery, status

    typer.echo("drills may begin again" if status.unblock(recovery.log_url()) else "nothing was blocked")


@app.command("status")
def show_status(as_json: JsonFlag = False) -> None:
    """Show drills that run or have changes in place, who looks after them, and whether new ones are blocked."""
    from blackstart import recovery, status

    found = status.read(recovery.log_url())
    typer.echo(json.dumps(found, indent=2) if as_json else status.describe(found))


log = typer.Typer(help="The undo log.", no_args_is_help=True)
app.add_typer(log, name="log")
app.add_typer(cli_journals.app)


@log.command()
def create(
    url: Annotated[str, typer.Argument(help="dynamodb://REGION/TABLE; without it, the log in force.")] = "",
) -> None:
    """Make what the undo log lives in, or make sure that it is there."""
    from blackstart import recovery
    from blackstart.changes import logs

    typer.echo(logs.create(url or recovery.log_url()))


@app.command(hidden=True)
def revert(
    log: Annotated[str, typer.Option()],
    drill: Annotated[str, typer.Option()],
    folder: Annotated[Path, typer.Option()],
    pipe: Annotated[int, typer.Option()],
    ready: Annotated[int, typer.Option()],
) -> None:
    """The reverter: started by the gate, never by hand."""
    from blackstart import recovery

    recovery.revert(log, drill, folder, pipe, ready)


def _lab() -> typer.Typer:
    from blackstart.lab.commands import app as lab

    return lab


def _guarded(command: Callable[[], Any]) -> int:
    """Run ``command``; every error on purpose becomes one sentence and an exit code, none a traceback."""
    try:
        command()
    except UndoIncomplete as error:
        typer.echo(str(error), err=True)
        return 3
    except (ConfigInvalid, BlackstartError) as error:
        typer.echo(str(error), err=True)
        return 2
    except BrokenPipeError:
        return 141
    return 0


def main() -> None:
    """Entry point of the command ``blackstart``."""
    if sys.argv[1:2] == ["lab"]:
        app.add_typer(_lab(), name="lab")
    else:
        app.add_typer(typer.Typer(help="The embedded lab: up, down, status, run."), name="lab")
    sys.exit(_guarded(app))
