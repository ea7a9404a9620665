"""The command line: the composition root, and the only place that may exit.

Exit codes: 0 passed, 1 failed, 2 inconclusive or input that cannot be used, 3 undo incomplete (outranks all).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from blackstart.errors import BlackstartError, ConfigInvalid, UndoIncomplete

app = typer.Typer(
    name="blackstart",
    help="Disaster-recovery game days for Chaos Toolkit.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

JsonFlag = Annotated[bool, typer.Option("--json", help="For machines: JSON on standard output.")]


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
    as_json: JsonFlag = False,
) -> None:
    """Run an experiment with `chaos run`, show it live, and end with the verdict as exit code."""
    from blackstart import runner

    raise typer.Exit(runner.run(file, as_json))


@app.command()
def recover(
    drill: Annotated[str, typer.Argument(help="A drill's id; without it, every drill whose process is gone.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Put back what a drill left behind, from any machine that reaches the undo log."""
    from blackstart import recovery

    done = recovery.put_back(drill)
    typer.echo(json.dumps(recovery.as_json(done), indent=2) if as_json else recovery.describe(done))
    if any(not report.complete for report in done.reports):
        raise typer.Exit(3)


@app.command()
def status(as_json: JsonFlag = False) -> None:
    """Show drills whose changes are still in place, and whether their process lives."""
    from blackstart import recovery

    drills = recovery.open_drills()
    typer.echo(json.dumps(drills, indent=2) if as_json else recovery.describe_open(drills))


@app.command()
def report(folder: Annotated[Path, typer.Argument(help="A journal folder.")]) -> None:
    """Write the report of a journal anew."""
    from blackstart.reports import html

    typer.echo(str(html.render(folder)))


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
