"""How the lab's parts are started: what a part may ask of the process table, and under which account it runs.

PostgreSQL refuses to run as root, so a lab of root runs the programs that keep data as ``nobody``.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from blackstart.errors import LabError

Address = tuple[str, int]
"""Host (an IP address) and port."""


class Process(Protocol):
    """One program that was started, with everything that it started in turn."""

    @property
    def pid(self) -> int: ...

    def alive(self) -> bool:
        """Whether the program itself still runs."""
        ...

    def kill(self) -> None:
        """SIGKILL the whole tree, and wait until it is gone. Harmless when it is gone already."""
        ...


class Spawn(Protocol):
    """Start a program so that the process table knows it. Its output goes to the log file of ``name``.

    ``env`` None: that of the caller. ``user`` is a numeric user id to run as, with its primary group and no others.
    """

    def __call__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        user: int | None = None,
    ) -> Process: ...


@dataclass(frozen=True)
class Account:
    """A user of this machine: name, numeric user id and primary group."""

    name: str
    uid: int
    gid: int


def account(effective_uid: int | None = None) -> Account | None:
    """The account for programs that refuse to run as root; None when we are not root, so that ours will do.

    LabError when we are root and this machine has no ``nobody``.
    """
    if (os.geteuid() if effective_uid is None else effective_uid) != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise LabError(
            "run PostgreSQL for root",
            "it refuses to run as root, and this machine has no user nobody",
            "start the lab as a plain user, or add that user",
        ) from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
