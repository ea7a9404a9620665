"""Which processes a lab has and what each is, for its status; with the memory they take."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from blackstart.lab.parts import Address
from blackstart.lab.processes import Processes
from blackstart.lab.status import Part


@dataclass(frozen=True)
class Entry:
    """What the part of one name is; ``region`` and ``zone`` empty where they do not apply."""

    kind: str
    address: Address
    region: str = ""
    zone: str = ""


class Catalog:
    """Entries by the name of the process. A part stays listed, as down, when its process has ended."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._entries: dict[str, Entry] = {}

    def add(self, name: str, entry: Entry) -> None:
        self._entries[name] = entry

    def parts(self) -> list[Part]:
        """Every part, in the order in which they were added."""
        found = []
        for name, entry in self._entries.items():
            process = self._processes.running.get(name)
            state = "running" if process else "down"
            where = f"{entry.address[0]}:{entry.address[1]}"
            found.append(Part(name, entry.kind, entry.region, entry.zone, process.pid if process else 0, where, state))
        return found


def memory(pids: Iterable[int]) -> tuple[int, int]:
    """Bytes that the processes and their descendants take: resident, and proportional (0: not known on this system)."""
    seen: dict[int, psutil.Process] = {}
    for pid in pids:
        try:
            process = psutil.Process(pid)
            seen |= {one.pid: one for one in (process, *process.children(recursive=True))}
        except psutil.NoSuchProcess:
            continue
    resident = proportional = 0
    for pid, process in seen.items():
        try:
            resident += process.memory_info().rss
            proportional += _proportional(pid)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return resident, proportional


def _proportional(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
