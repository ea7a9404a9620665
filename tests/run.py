"""Every test, in several pytest processes at the same time, because most tests wait most of the time.

Run by ``make test``. Prints how far each is, then the whole output of each, then how much of the product's code they
ran; exits with 1 if one of them failed, or if that was less than pyproject.toml wants. Each line of the file that is
its only argument, if there is one, is a command that runs beside them as one of them, when there is room.
"""

import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
COVERING = (sys.executable, "-m", "slipcover")
MEASURING = ("observer",)
"""Observer and service share a process here: one that is short of time measures nothing, so few run beside it."""
LONG = (
    MEASURING,
    ("changes/test_[p-z]*.py",),
    ("changes/test_[a-k]*.py",),
    ("drills/test_region*.py", "drills/test_[!r]*.py"),  # the labs of the first are gone before the others' begins
    ("lab",),
    (),
)
SHORT = (
    ("changes/test_[l-o]*.py",),
    ("weather",),
    ("crash",),
)
BESIDE, AT_ONCE = 3, 4
"""So many run while one measures, and afterwards: with more, a test waits longer than clients do. Those beside it are
patient ones."""
PATIENT = "changes/"
"""What measures nothing leaves the processors to what does."""
LOOK_SECONDS, TOLD_SECONDS = 1.0, 30.0


@dataclass
class Shard:
    """One pytest process, or what runs as one; its output is in ``output``, and what it ran in ``covered``."""

    name: str
    process: subprocess.Popen
    output: Path
    covered: Path

    @property
    def far(self) -> str:
        """How far it is, as pytest says it."""
        lines = self.output.read_text(errors="replace").splitlines()
        return next((line.split()[-1] for line in reversed(lines) if line.endswith("%]")), "0%]").strip("[]")


def start(folder: Path, also: Sequence[str]) -> Iterator[Shard]:
    """Each folder of tests, or part of one, is in one shard; what no shard names is in the one without names."""
    named = {name.partition("/")[0] for shard in (*LONG, *SHORT) for name in shard}
    others = sorted(path for path in HERE.iterdir() if path.name not in named and _has_tests(path))
    running: list[Shard] = []
    for number, names in enumerate((*LONG, *also, *SHORT), 1):
        if number == BESIDE + 1:
            wait(running[:1])
        wait(running, AT_ONCE - 1)
        running.append(_shard(names, others, folder / f"{number}"))
        yield running[-1]


def _shard(names: str | Sequence[str], others: Sequence[Path], output: Path) -> Shard:
    covered = output.with_suffix(".json")
    if isinstance(names, str):
        return Shard(names, _begun(["bash", "-c", names], output), output, covered)
    paths = [path for name in names for path in sorted(HERE.glob(name))] if names else others
    patient = any(each.startswith(PATIENT) for each in names)
    command = [
        *(["nice", "-n", "5"] if patient else []),
        *COVERING,
        *("--source", "src/blackstart", "--json", "--out", str(covered)),
        *("-m", "pytest", "-q", "--durations=15", *map(str, paths)),
    ]
    name = ", ".join(names or (path.name for path in others))
    return Shard(name, _begun(command, output), output, covered)


def _begun(command: Sequence[str], output: Path) -> subprocess.Popen:
    with output.open("wb") as file:
        return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)


def _has_tests(path: Path) -> bool:
    return path.match("test_*.py") or (path.is_dir() and any(path.rglob("test_*.py")))


def wait(shards: list[Shard], left: int = 0) -> None:
    """Until no more than ``left`` of them run."""
    told = time.monotonic()
    while sum(shard.process.poll() is None for shard in shards) > left:
        time.sleep(LOOK_SECONDS)
        if time.monotonic() - told >= TOLD_SECONDS:
            told = time.monotonic()
            print(" · ".join(f"shard {number}: {shard.far}" for number, shard in enumerate(shards, 1)), flush=True)


def main(arguments: Sequence[str]) -> int:
    also = [line for path in arguments for line in Path(path).read_text().splitlines() if line]
    with tempfile.TemporaryDirectory(prefix="blackstart-tests-") as folder:
        shards: list[Shard] = []
        try:
            for shard in start(Path(folder), also):
                shards.append(shard)
            wait(shards)
        finally:
            for shard in shards:
                if shard.process.poll() is None:
                    shard.process.terminate()
        for shard in shards:
            print(f"\n=== {shard.name}\n{shard.output.read_text(errors='replace')}", flush=True)
        failed = any(shard.process.returncode for shard in shards)
        return int(not _covers_enough(shards) or failed)


def _covers_enough(shards: list[Shard]) -> bool:
    """Whether all shards together ran as much as they should; prints what they did not run."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["coverage"]["report"]["fail_under"]
    found = [str(shard.covered) for shard in shards if shard.covered.exists()]
    told = (
        "--out",
        str(shards[0].covered.with_name("all.json")),
        "--skip-covered",
        "--missing-width",
        "40",
        "--fail-under",
        str(wanted),
    )
    return bool(found) and subprocess.call([*COVERING, "--merge", *found, *told], cwd=ROOT) == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
