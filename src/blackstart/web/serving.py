"""``blackstart serve``: binds, says where, and serves until Ctrl-C."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from blackstart.clock import Clock, SystemClock
from blackstart.errors import CannotServe
from blackstart.journals import folder as folders
from blackstart.reports import history_run

if TYPE_CHECKING:
    import uvicorn

    from blackstart.web.app import Site

NEEDED = ("starlette", "uvicorn")
GRACE_SECONDS = 3
CONNECTIONS = 200


def run(root: Path, host: str, port: int, clock: Clock | None = None) -> int:
    """Serve the journals under ``root`` at ``host`` and ``port`` (0: a free one) until SIGINT; gives the exit code.

    CannotServe, before anything is served, if something is missing: packages, the folder, the address.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        advice = 'install them with: pip install "chaostoolkit-blackstart[web]"'
        raise CannotServe(str(root), f"{' and '.join(missing)} cannot be imported", advice)
    _check(root)
    catalogue = history_run.configured(None, os.environ, Path.cwd())
    with bound(host, port) as listening:
        from blackstart.web.app import Site

        site = Site.of(root, clock or SystemClock(), catalogue)
        _warm_up(site)
        _say(root, host, listening.getsockname()[1])
        with suppress(KeyboardInterrupt):  # uvicorn has ended in good order, and raises again the signal that it got
            server(site, host).run(sockets=[listening])
    return 0


def server(site: Site, host: str) -> uvicorn.Server:
    """What answers for ``site``; ``run(sockets=[…])`` until SIGINT, or until its ``should_exit`` is set."""
    import uvicorn

    from blackstart.web.app import application
    from blackstart.web.guard import Hosts

    made = uvicorn.Server(
        uvicorn.Config(
            application(site, Hosts(host)),
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            proxy_headers=False,
            server_header=False,
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )
    site.closing = lambda: made.should_exit
    return made


def _check(root: Path) -> None:
    if not root.is_dir():
        advice = "name the folder that holds journals: blackstart serve FOLDER"
        raise CannotServe(str(root), "there is no such folder", advice)
    if (root / folders.DRILL).exists():
        above = root.absolute().parent.parent
        raise CannotServe(str(root), "it is the journal of one drill", f"try: blackstart serve {above}")


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens there; CannotServe if it cannot."""
    try:
        kind, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=kind)
    except (OSError, OverflowError, UnicodeError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno is not None else str(error)
        advice = "choose another with --host and --port (0: any that is free)"
        raise CannotServe(_url(host, port), reason.lower(), advice) from error


def _warm_up(site: Site) -> None:
    """The first look at thousands of journals takes a while; whoever waits for it sees how far it is."""
    with Console(stderr=True).status("reading the journals") as status:
        site.library.rows(lambda done, of: status.update(f"reading the journals: {done:,} of {of:,}"))


def _say(root: Path, host: str, port: int) -> None:
    from blackstart.web.guard import Hosts

    typer.echo(f"journals of {root} at {_url(host, port)} (Ctrl-C ends)")
    if not Hosts(host).loopback:
        typer.echo(f"there is no login: whoever reaches {_url(host, port)} can read all of them", err=True)


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
