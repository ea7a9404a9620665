"""The peers that watch what our observer watches, at the same time: krkn's health check and Chaos Toolkit's HTTP probe.

krkn is no package of the registry. Its source is taken from ``$KRKN`` (a folder or a git repository) if that is set,
else from GitHub; where neither is to be had, krkn is left out, and the table says so.
"""

import io
import json
import os
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
import venv
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from truth_bed import Planted, Server, Truth

HERE = Path(__file__).parent
HOME = HERE.parents[1] / "build" / "bench" / "krkn"
COMMIT = "673897815fdd1f4d0f623b66ac4069ffc34ec3c9"  # 2026-08-20
ARCHIVE = f"https://github.com/krkn-chaos/krkn/archive/{COMMIT}.tar.gz"
WANTED = ("krkn/__init__.py", "krkn/health_checks")
PACKAGES = ("krkn-lib==6.1.4",)
BESIDES = ("requests", "pyyaml")  # of krkn-lib's 28 packages, all that the health check imports
EARLY_SECONDS = 0.02  # a probe that was under way when the outage began has begun before it
SPARE_SECONDS = 6.0  # our observer's start, which the peers wait through


@dataclass
class Told:
    """What a peer said: when it held the service to be down (seconds since the origin), and its availability."""

    down: list[tuple[float, float]]
    share: float


@dataclass
class Peer:
    """A program that watches: ``command`` for a server and a folder, ``read`` what it left or printed."""

    name: str
    interval: float
    command: Callable[[Server, Path, float], list[str]]
    read: Callable[[Path, str], Told]
    process: subprocess.Popen | None = None
    said: str = ""
    folder: Path = field(default_factory=Path)

    def start(self, server: Server) -> None:
        self.folder = server.folder / self.name.replace(" ", "-").replace(",", "")
        self.folder.mkdir()
        command = self.command(server, self.folder, self.interval)
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def stop(self) -> None:
        assert self.process is not None
        self.said, _ = self.process.communicate(timeout=60)

    def told(self, origin: float) -> Told:
        """Moved to seconds since ``origin``, a moment of the monotonic clock."""
        read = self.read(self.folder, self.said)
        return Told([(began - origin, ended - origin) for began, ended in read.down], read.share)


def krkn_source() -> Path | None:
    """The folder that holds the package ``krkn``; None where it is not to be had."""
    source = HOME / "source"
    if (source / "krkn").is_dir():
        return source
    try:
        _unpack(source)
    except (OSError, urllib.error.URLError, subprocess.CalledProcessError, tarfile.TarError) as error:
        print(f"krkn is left out: {error}", file=sys.stderr)
        return None
    return source


def _unpack(source: Path) -> None:
    named = os.environ.get("KRKN", "")
    if named:
        command = ["git", "-C", named, "archive", "--prefix=x/", COMMIT, *WANTED]
        content = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    else:
        with urllib.request.urlopen(ARCHIVE, timeout=20) as answer:
            content = answer.read()
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive.getmembers():
            member.name = member.name.partition("/")[2]
            if member.name.startswith(WANTED):
                archive.extract(member, source, filter="data")


def krkn(interval: float) -> Peer | None:
    """krkn's health check, asking every ``interval`` seconds."""
    source = krkn_source()
    if source is None:
        return None
    python = HOME / "venv" / "bin" / "python"
    ready = HOME / "ready"
    if not ready.exists() or ready.read_text() != repr(PACKAGES):
        venv.create(HOME / "venv", with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for packages in (("--no-deps", *PACKAGES), BESIDES):
            subprocess.run([*install, *packages], check=True, stderr=subprocess.DEVNULL)
        ready.write_text(repr(PACKAGES))

    def command(server: Server, folder: Path, every: float) -> list[str]:
        return [str(python), str(HERE / "truth_krkn.py"), str(source), server.url, str(every)]

    return Peer(f"krkn, {interval:g} s", interval, command, _krkn_told)


def _krkn_told(folder: Path, said: str) -> Told:
    rows = json.loads(said)
    whole = sum(ended - began for _, began, ended in rows)
    up = sum(ended - began for ok, began, ended in rows if ok)
    return Told([(began, ended) for ok, began, ended in rows if not ok], up / whole)


def chaos_toolkit(interval: float, timeout: float) -> Peer:
    """Chaos Toolkit's HTTP probe as a steady-state hypothesis, ``continuously``, every ``interval`` seconds."""

    def command(server: Server, folder: Path, every: float) -> list[str]:
        provider = {"type": "http", "url": server.url, "timeout": timeout}
        probe = {"type": "probe", "name": "answers", "tolerance": 200, "provider": provider}
        waiting = {"type": "process", "path": "sleep", "arguments": f"{server.plan.seconds + SPARE_SECONDS:.1f}"}
        experiment = {
            "title": "truth",
            "description": "what it says of planted outages",
            "steady-state-hypothesis": {"title": "served", "probes": [probe]},
            "method": [{"type": "action", "name": "wait", "provider": waiting}],
            "rollbacks": [],
        }
        (folder / "experiment.json").write_text(json.dumps(experiment))
        chaos = [str(Path(sys.executable).parent / "chaos"), "--no-version-check", "run", "experiment.json"]
        return [*chaos, "--hypothesis-strategy", "continuously", "--hypothesis-frequency", f"{every:g}"]

    return Peer(f"Chaos Toolkit, {interval:g} s", interval, command, _chaos_told)


def _chaos_told(folder: Path, said: str) -> Told:
    wall_ahead = time.time() - time.monotonic()
    during = json.loads((folder / "journal.json").read_text())["steady_states"]["during"]
    moments = sorted((_utc(each["probes"][0]["start"]) - wall_ahead, each["steady_state_met"]) for each in during)
    down: list[tuple[float, float]] = []
    for place, (at, met) in enumerate(moments):
        if met and place and not moments[place - 1][1]:
            first = max((n for n in range(place) if moments[n][1]), default=-1) + 1
            down.append((moments[first][0], at))
    if moments and not moments[-1][1]:
        first = max((n for n, (_, met) in enumerate(moments) if met), default=-1) + 1
        down.append((moments[first][0], moments[-1][0]))
    return Told(down, sum(bool(met) for _, met in moments) / len(moments))


def _utc(iso: str) -> float:
    moment = datetime.fromisoformat(iso)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


@dataclass(frozen=True)
class PeerVerdict:
    """A planted outage, and the longest outage that the peer reported in its place; None: it saw none."""

    planted: Planted
    down: tuple[float, float] | None

    @property
    def length_error(self) -> float | None:
        return None if self.down is None else self.down[1] - self.down[0] - self.planted.seconds

    @property
    def rto_error(self) -> float | None:
        return None if self.down is None else self.down[1] - self.planted.ended


def judged(told: Told, truth: Truth, modes: tuple[str, ...], slack: float) -> list[PeerVerdict]:
    """For each planted outage. What a peer reports belongs to the last outage that had begun by then, if it begins at
    most ``slack`` seconds after that one's end."""
    planted = [each for each in truth.planted if each.trouble.mode in modes and each.trouble.share == 1]
    mine: dict[int, list[tuple[float, float]]] = {}
    for began, ended in told.down:
        place = bisect_right(planted, began + EARLY_SECONDS, key=lambda each: each.began) - 1
        if place >= 0 and began < planted[place].ended + slack:
            mine.setdefault(place, []).append((began, ended))
    longest = {place: max(found, key=lambda one: one[1] - one[0]) for place, found in mine.items()}
    return [PeerVerdict(each, longest.get(place)) for place, each in enumerate(planted)]
