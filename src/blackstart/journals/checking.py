"""`blackstart journal verify`: one journal, all below a root, or an archive of evidence, against what sealed them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import typer

from blackstart.journals import folder as folders
from blackstart.journals import verification
from blackstart.journals.digests import CHAIN, MANIFEST, SIGNATURE
from blackstart.journals.manifest import Verification

NAMESPACE = "blackstart-journal"
"""What a signature is for, as ssh-keygen has it: one that was made for something else does not count."""
SIGNATURE_SECONDS = 10.0


def run(
    path: Path,
    as_json: bool,
    allowed_signers: Path | None = None,
    archive: Callable[[Path], Verification] | None = None,
) -> int:
    """Print what is not as it was sealed; ``archive`` verifies a ZIP file. 0: all is; 1: something is not; 2: nothing
    says so, because it cannot be read or was never closed."""
    if path.is_file() and archive is not None:
        told: Mapping[str, Verification] = {str(path): archive(path)}
    else:
        told = _verify(path, allowed_signers)
    if as_json:
        typer.echo(json.dumps({name: _as_json(each) for name, each in told.items()}, indent=2, ensure_ascii=False))
    else:
        for name, each in told.items():
            say(name, each)
        if len(told) > 1:
            typer.echo(_sum(told))
    return worst(told.values())


def worst(found: Iterable[Verification]) -> int:
    """The exit code for all of them: what was tampered with outweighs what cannot be told."""
    codes = {each.exit_code for each in found}
    return 1 if 1 in codes else max(codes, default=2)


def _verify(path: Path, allowed_signers: Path | None) -> Mapping[str, Verification]:
    if not path.is_dir():
        return {str(path): Verification((), False, unreadable="there is no such folder")}
    if any((path / name).exists() for name in (folders.DRILL, MANIFEST, CHAIN)):
        return {str(path): _signed(path, verification.of(path), allowed_signers)}
    try:
        told = verification.of_root(path)
    except OSError as error:
        return {str(path): Verification((), False, unreadable=f"cannot be read ({error})")}
    if not told:
        return {str(path): Verification((), False, unreadable="there is no journal in this folder, nor below it")}
    return {name: _signed(path / name, each, allowed_signers) for name, each in told.items()}


def _signed(folder: Path, found: Verification, allowed_signers: Path | None) -> Verification:
    """``found``, and whether the manifest bears a signature of one who may sign."""
    if allowed_signers is None or not found.closed or found.unreadable:
        return found
    said, good = _signature(folder, allowed_signers)
    if good:
        return replace(found, notes=(*found.notes, said))
    return replace(found, problems=(*found.problems, said))


def _signature(folder: Path, allowed_signers: Path) -> tuple[str, bool]:
    """What ssh-keygen says of it, as a sentence, and whether it is good."""
    program, signature = shutil.which("ssh-keygen"), folder / SIGNATURE
    if not signature.is_file():
        return f"{SIGNATURE}: missing, so nobody has signed this journal", False
    if program is None:
        return f"{SIGNATURE}: not checked: ssh-keygen is not installed (it comes with OpenSSH)", False
    command = [program, "-Y", "find-principals", "-s", str(signature), "-f", str(allowed_signers)]
    try:
        who = subprocess.run(command, capture_output=True, text=True, timeout=SIGNATURE_SECONDS, check=False)
        signer = who.stdout.splitlines()[0].strip() if who.returncode == 0 and who.stdout.strip() else ""
        if not signer:
            return f"{SIGNATURE}: by nobody whom {allowed_signers} names", False
        command = [
            program,
            "-Y",
            "verify",
            "-f",
            str(allowed_signers),
            "-I",
            signer,
            "-n",
            NAMESPACE,
            "-s",
            str(signature),
        ]
        with (folder / MANIFEST).open("rb") as text:
            done = subprocess.run(command, stdin=text, capture_output=True, timeout=SIGNATURE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{SIGNATURE}: not checked ({error})", False
    if done.returncode != 0:
        return f"{SIGNATURE}: changed: it is not {signer}'s signature of this {MANIFEST}", False
    return f"{SIGNATURE}: signed by {signer}", True


def say(name: str, found: Verification) -> None:
    """``found`` for people."""
    if found.unreadable:
        typer.echo(f"{name}: {found.unreadable}")
    elif found.problems:
        typer.echo(f"{name}: not as it was written")
    else:
        typer.echo(f"{name}: as it was when it was closed" if found.closed else f"{name}: never closed")
    for problem in found.problems:
        typer.echo(f"  ✗ {_printable(problem)}")
    for note in found.notes:
        typer.echo(f"  · {_printable(note)}")


def _printable(text: str) -> str:
    """Names of files come from outside: none may tell a terminal what to do."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def _sum(told: Mapping[str, Verification]) -> str:
    codes = [each.exit_code for each in told.values()]
    return (
        f"{len(codes)} journals: {codes.count(0)} as they were closed, {codes.count(1)} not as they were written, "
        f"{codes.count(2)} never closed or unreadable"
    )


def _as_json(found: Verification) -> dict[str, object]:
    return {
        "closed": found.closed,
        "problems": list(found.problems),
        "notes": list(found.notes),
        "unreadable": found.unreadable,
        "exit_code": found.exit_code,
    }
