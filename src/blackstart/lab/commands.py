"""``blackstart lab up | down | status | run -- COMMAND…``: a Typer application to mount in the command line."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from blackstart.clock import SystemClock
from blackstart.errors import BlackstartError, ConfigInvalid
from blackstart.lab import launch
from blackstart.lab.config import load
from blackstart.lab.status import DEFAULT_NAME, Status, environment

WIDE = 160  # columns where there is no terminal that could say

app = typer.Typer(no_args_is_help=True, help="The embedded lab: the reference platform as real processes on loopback.")

Name = Annotated[str, typer.Option("--name", "-n", help="Which lab; several can run side by side.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", "-c", help="TOML file with the lab's sizes and delays.")]


@app.command()
def up(
    name: Name = DEFAULT_NAME,
    config: ConfigFile = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when it is up, and leave it running.")] = False,
) -> None:
    """Start a lab. In the foreground it runs until Ctrl-C."""
    console = Console(stderr=True, highlight=False)
    with _told(console):
        if detach:
            load(config)
            with console.status("starting …") as line:
                started = launch.launch(name, config, line.update, stays=True)
            _summary(console, started.status)
            return
        asyncio.run(_foreground(console, name, config))


@app.command()
def down(name: Name = DEFAULT_NAME) -> None:
    """End a lab; returns when nothing of it is left."""
    console = Console(stderr=True, highlight=False)
    with _told(console):
        ended = launch.end(name, SystemClock())
        console.print(f"lab {name} is gone" if ended else f"there is no lab {name}")


@app.command()
def status(
    name: Name = DEFAULT_NAME,
    as_json: Annotated[bool, typer.Option("--json", help="The whole status as JSON.")] = False,
) -> None:
    """Show every part of a lab, and how to reach it. Exit code 1 if it is not up."""
    found = launch.running(name)
    if found is None:
        Console(stderr=True).print(f"lab {name} is not up; start it with `blackstart lab up`")
        raise typer.Exit(1)
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=1))
        return
    console = Console(highlight=False)
    _tables(console if console.is_terminal else Console(highlight=False, width=WIDE), found)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(context: typer.Context, name: Name = DEFAULT_NAME, config: ConfigFile = None) -> None:
    """Run a command against a lab, with its addresses in the environment. If no lab runs, one is started for it."""
    console = Console(stderr=True, highlight=False)
    if not context.args:
        raise typer.BadParameter("say which command to run, after --")
    with _told(console):
        load(config)
        found = launch.running(name)
        if found is not None:
            raise typer.Exit(_in_lab(context.args, found))
        with console.status("starting the lab …") as line:
            started = launch.launch(name, config, line.update, stays=False)
        try:
            code = _in_lab(context.args, started.status)
        finally:
            started.end(SystemClock())
        raise typer.Exit(code)


def _in_lab(command: list[str], found: Status) -> int:
    try:
        child = subprocess.Popen(command, env=os.environ | environment(found))
    except OSError as error:
        raise ConfigInvalid("lab run", command[0], f"cannot be run: {error.strerror}") from error
    while True:
        try:
            code = child.wait()
        except KeyboardInterrupt:  # the command got it too; how it ends is its own business
            continue
        return code if code >= 0 else 128 - code


async def _foreground(console: Console, name: str, config: Path | None) -> None:
    from blackstart.lab.supervisor import Supervisor

    with console.status("starting …") as line:
        supervisor = Supervisor(name, load(config), SystemClock(), line.update)

        def came_up(found: Status) -> None:
            line.stop()
            _summary(console, found)
            console.print("it runs until Ctrl-C")

        await supervisor.run(came_up)


class _told:
    """Errors that were raised on purpose end as one sentence and an exit code."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, BlackstartError):
            self._console.print(str(error), style="red", markup=False)
            raise typer.Exit(2 if isinstance(error, ConfigInvalid) else 1) from error
        if isinstance(error, KeyboardInterrupt):
            raise typer.Exit(130) from error


def _summary(console: Console, found: Status) -> None:
    reach = found.endpoints
    memory = found.proportional_bytes or found.resident_bytes
    console.print(
        f"lab {found.name} is up after {found.start_seconds:.1f} s: "
        f"{len(found.parts)} processes, {memory / 2**20:,.0f} MiB; "
        f"http://{reach.service}:{reach.port} at DNS server {reach.dns}"
    )
    console.print("use it: blackstart lab run -- COMMAND   or: blackstart lab status")


def _tables(console: Console, found: Status) -> None:
    table = Table(title=f"lab {found.name}", box=None, header_style="bold")
    for column in ("part", "kind", "region", "zone", "pid", "address", "state"):
        table.add_column(column)
    for part in found.parts:
        table.add_row(part.name, part.kind, part.region, part.zone, str(part.pid or ""), part.address, part.state)
    console.print(table)
    for variable, value in environment(found).items():
        console.print(f"{variable}={value}", markup=False, soft_wrap=True)
