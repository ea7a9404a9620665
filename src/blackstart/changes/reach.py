"""What it takes to reach the world: the log, the kinds, the APIs and the clock. Undo needs this and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from blackstart.changes.calls import CallLog
from blackstart.changes.clients import Clients
from blackstart.changes.log import UndoLog
from blackstart.changes.mirror import Mirror
from blackstart.changes.registry import Kinds
from blackstart.clock import Clock, SystemClock


class Boundary(StrEnum):
    """The points between which a process may die. Each is passed before and after every act of the gate."""

    LOGGING = "logging"
    LOGGED = "logged"
    APPLYING = "applying"
    APPLIED = "applied"
    MARKING = "marking"
    MARKED = "marked"
    UNDOING = "undoing"
    UNDONE = "undone"
    VERIFYING = "verifying"
    VERIFIED = "verified"


def unobserved(boundary: Boundary, changes: tuple[str, ...]) -> None:
    """Nobody watches the boundaries."""


@dataclass(frozen=True)
class Reach:
    """``settle_seconds``: how long an API call that was never answered,
    or a read that lags, may still surprise; a target that looks untouched is looked at again after this long.
    ``apply_seconds``: how long a call that applies changes is tried again while its errors may pass.
    ``archive_region``: where copies of journals go, which no drill may break; "" for none.
    ``boundary`` is called, with the ids of the changes in hand, at each boundary, from several threads.
    """

    log: UndoLog
    kinds: Kinds
    clients: Clients
    clock: Clock
    mirror: Mirror
    settle_seconds: float = 10.0
    apply_seconds: float = 30.0
    boundary: Callable[[Boundary, tuple[str, ...]], None] = unobserved
    archive_region: str = ""


def open_reach(log: UndoLog, folder: Path | None, by: str, clock: Clock | None = None) -> Reach:
    """The reach of this process. ``folder`` is the drill's journal; ``by``: "drill", "reverter" or "recover"."""
    clock = clock or SystemClock()
    clients = Clients(listen=CallLog(folder, by, clock).listen)
    return Reach(log, Kinds(), clients, clock, Mirror(folder, by, clock))
