"""Plays a plan: the planted server, Blackstart's own observer in front of it, and whatever else shall watch."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from truth_plan import Plan, Trouble

from blackstart.clock import SystemClock
from blackstart.observer import events, ledger, process, readback, samples
from blackstart.observer.events import Event
from blackstart.observer.ledger import ReadBack, Write
from blackstart.observer.samples import Samples
from blackstart.scope import Scope
from blackstart.settings import Observing, Service, Settings

HERE = Path(__file__).parent
DRILL = "truth"
NEAR_SECONDS = 0.002  # between the server's lateness and a switch, for the one to belong to the other
SETTLE_SECONDS = 0.6  # from when the observer began until the plan does


@dataclass(frozen=True)
class Planted:
    """One trouble as it really was, in seconds since the origin: it began and ended at some moment in each of these
    two intervals, which are wider than a microsecond only because the server itself was late."""

    trouble: Trouble
    began_in: tuple[float, float]
    ended_in: tuple[float, float]

    @property
    def began(self) -> float:
        return sum(self.began_in) / 2

    @property
    def ended(self) -> float:
        return sum(self.ended_in) / 2

    @property
    def seconds(self) -> float:
        return self.ended - self.began

    @property
    def slack(self) -> float:
        """How far the truth itself may be off, at both edges together."""
        return (self.began_in[1] - self.began_in[0] + self.ended_in[1] - self.ended_in[0]) / 2


@dataclass(frozen=True)
class Asked:
    """One request as the server saw it; ``ended`` 0 and ``status`` 0 when it had no answer. Seconds since origin."""

    arrived: float
    ended: float
    status: int
    method: str
    address: str


@dataclass(frozen=True)
class Truth:
    """What the server says. Times in seconds since the observer's origin; keys of writes with when they were stored
    (or can be read from), and when they were acknowledged."""

    planted: tuple[Planted, ...]
    requests: tuple[Asked, ...]
    stored: dict[str, float]
    acknowledged: dict[str, float]
    names: tuple[tuple[float, tuple[str, ...]], ...]

    def between(self, start: float, end: float) -> Sequence[Asked]:
        """The requests that arrived in [start, end)."""
        first, last = (bisect_left(self.requests, at, key=lambda each: each.arrived) for at in (start, end))
        return self.requests[first:last]


@dataclass
class Server:
    """The planted server's process, and where it listens."""

    plan: Plan
    folder: Path
    process: subprocess.Popen[bytes]
    port: int
    dns: int
    go_at: float = 0.0

    @property
    def url(self) -> str:
        return f"http://{self.plan.addresses[0]}:{self.port}/products/1"

    def go(self, after: float = 0.1) -> None:
        """The plan begins ``after`` seconds from now."""
        self.go_at = time.monotonic() + after
        self._pipe.write(f"go {self.go_at}\n".encode())

    @property
    def over_at(self) -> float:
        """When the plan is over, monotonic seconds."""
        return self.go_at + self.plan.seconds

    def stop(self, origin: float) -> Truth:
        """End it; ``origin`` in seconds of the machine's monotonic clock."""
        self._pipe.close()
        code = self.process.wait(20)
        if code:
            said = (self.folder / "server.log").read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"the planted server ended with code {code}: {said[-2000:]}")
        return _truth(self.plan, json.loads((self.folder / "truth.json").read_text(encoding="utf-8")), origin)

    @property
    def _pipe(self) -> Any:
        return self.process.stdin


@contextmanager
def serving(plan: Plan, folder: Path) -> Iterator[Server]:
    """The planted server, listening and doing well until it is told to go."""
    command = [sys.executable, str(HERE / "truth_server.py"), str(folder)]
    with (folder / "server.log").open("wb") as log:
        started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, bufsize=0)
    assert started.stdin is not None
    assert started.stdout is not None
    try:
        started.stdin.write(plan.to_json().encode() + b"\n")
        port, dns = (int(word) for word in started.stdout.readline().split())
        yield Server(plan, folder, started, port, dns)
    finally:
        started.stdout.close()
        started.stdin.close()
        started.kill()
        started.wait()


def _truth(plan: Plan, told: dict[str, Any], origin: float) -> Truth:
    lags = [(began, ended) for began, ended in told["lags"]]
    edges = {(number, which): _widened(before, after, lags) for number, which, before, after in told["edges"]}

    def since(span: tuple[float, float]) -> tuple[float, float]:
        return span[0] - origin, span[1] - origin

    def moved(moments: dict[str, float]) -> dict[str, float]:
        return {key: at - origin for key, at in moments.items()}

    planted = tuple(
        Planted(trouble, since(edges[number, "began"]), since(edges[number, "ended"]))
        for number, trouble in enumerate(plan.troubles)
        if (number, "ended") in edges
    )
    requests = tuple(
        Asked(arrived - origin, ended - origin if ended else 0.0, status, method, address)
        for arrived, ended, status, method, address in sorted(told["requests"])
    )
    names = tuple((at - origin, tuple(addresses)) for at, addresses in told["names"])
    return Truth(planted, requests, moved(told["stored"]), moved(told["acknowledged"]), names)


def _widened(before: float, after: float, lags: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """A switch, and the moments around it in which the server did not get to work: nobody could tell the difference."""
    touching = [lag for lag in lags if lag[0] <= after + NEAR_SECONDS and lag[1] >= before - NEAR_SECONDS]
    return min([before, *(lag[0] for lag in touching)]), max([after, *(lag[1] for lag in touching)])


@dataclass(frozen=True)
class Seen:
    """One plan, played: what the observer saw and what was true. ``origin`` in monotonic seconds."""

    plan: Plan
    origin: float
    samples: Samples
    events: tuple[Event, ...]
    writes: tuple[Write, ...]
    reads: tuple[ReadBack, ...]
    truth: Truth
    observing: Observing


def settings(server: Server, observing: Observing) -> Settings:
    """By name if the plan has a DNS server, by address if not."""
    named = bool(server.dns)
    service = Service(
        name="orders",
        host=server.plan.name if named else server.plan.addresses[0],
        port=server.port,
        dns=f"127.0.0.1:{server.dns}" if named else "",
        home_region="us-east-1",
        standby_region="us-west-2",
    )
    return Settings(scope=Scope(environment="test"), service=service, observer=observing)


def observing(rate: float = 100, timeout: float = 0.5, window: float = 0.5, **more: float) -> Observing:
    return Observing(rate=rate, timeout_seconds=timeout, recovery_window_seconds=window, **more)


def play(
    plan: Plan,
    folder: Path,
    watching: Observing | None = None,
    beside: Sequence[Any] = (),
    checks: Sequence[float] = (0.0,),
) -> Seen:
    """Play ``plan`` in front of the observer, and of each of ``beside``, which watch the same: ``start(server)`` before
    it begins, ``stop()`` when it is over. The writes are read back once for each of ``checks``, so many seconds after
    the check before, or after the observer's end."""
    watching = watching or observing()
    folder.mkdir(parents=True, exist_ok=True)
    with serving(plan, folder) as server:
        chosen = settings(server, watching)
        origin = time.monotonic()
        for each in beside:
            each.start(server)
        handle = process.start(folder, chosen, DRILL, origin)
        try:
            server.go(SETTLE_SECONDS)
            time.sleep(max(0.0, server.over_at - time.monotonic()))
        finally:
            handle.stop()
        reads = []
        for pause in checks:
            time.sleep(pause)
            reads.append(readback.record_check(folder, chosen.service, SystemClock()))
        for each in beside:
            each.stop()
        truth = server.stop(origin)
    seen = samples.read(folder)
    return Seen(plan, origin, seen, events.read(folder), ledger.read(folder), tuple(reads), truth, watching)
