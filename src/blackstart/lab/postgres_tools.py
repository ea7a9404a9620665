"""PostgreSQL's programs as one server of the lab runs them: the server itself, and tools that come to an end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from blackstart.errors import LabError
from blackstart.lab import postgres_files as files
from blackstart.lab.parts import Account, Process, Spawn

SECONDS, POLL_SECONDS = 60.0, 0.01

# The process table tells that a program ended, not how: so its output and its exit code are left in files.
TOOL = '"$@" <"${0%.*}.in" >"$0" 2>&1; echo $? >"${0%.*}.code"'


@dataclass(frozen=True)
class Tools:
    """``programs`` of the server ``name``, run in its ``folder`` as ``account`` (None: as we do)."""

    name: str
    folder: Path
    programs: Path
    account: Account | None
    spawn: Spawn

    def start(self, program: str, *arguments: str) -> Process:
        """Start ``program`` under the server's name."""
        return self._start(self.name, [str(self.programs / program), *arguments])

    async def run(self, program: str, *arguments: str, given: str = "") -> str:
        """Run ``program`` to its end, with ``given`` as its input; its output. LabError if it fails."""
        stem = self.folder / program
        code, output = stem.with_suffix(".code"), stem.with_suffix(".out")
        code.unlink(missing_ok=True)
        stem.with_suffix(".in").write_text(given, encoding="utf-8")
        files.give(stem.with_suffix(".in"), self.account)
        path = str(self.programs / program)
        process = self._start(f"{self.name}-{program}", ["/bin/sh", "-c", TOOL, str(output), path, *arguments])
        try:
            async with asyncio.timeout(SECONDS):
                await ended(process)
        except TimeoutError:
            raise LabError(f"run {program} for {self.name}", f"no end after {SECONDS:.0f} s") from None
        finally:
            process.kill()
        said = output.read_text(encoding="utf-8", errors="replace").strip() if output.exists() else ""
        if not code.exists() or code.read_text().strip() != "0":
            raise LabError(f"run {program} for {self.name}", _complaint(said), f"all it said is in {output}")
        return said

    def _start(self, name: str, argv: list[str]) -> Process:
        return self.spawn(name, argv, cwd=self.folder, user=self.account.uid if self.account else None)


async def ended(process: Process) -> None:
    """Return when ``process`` has ended."""
    while True:
        if not process.alive():
            return
        await asyncio.sleep(POLL_SECONDS)


def _complaint(said: str) -> str:
    """The line of a program's output that tells why it failed."""
    lines = said.splitlines() or ["it was killed"]
    telling = [line for line in lines if any(word in line for word in ("error:", "ERROR:", "FATAL:", "PANIC:"))]
    return (telling or lines)[-1].strip()
