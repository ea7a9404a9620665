"""What everything in one lab's supervisor works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from blackstart.clock import Clock
from blackstart.lab.ports import Ports
from blackstart.lab.processes import Processes


@dataclass(frozen=True)
class Base:
    """``stop`` begins to end the lab in peace, ``fail`` because of a problem."""

    name: str
    folder: Path
    processes: Processes
    ports: Ports
    session: aiohttp.ClientSession
    clock: Clock
    stop: Callable[[], None]
    fail: Callable[[str], None]
