"""A drill as the product opens it, but for the observer: for figures of the gate and of actions alone."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from blackstart.access import Call
from blackstart.changes.clients import Clients
from blackstart.changes.gate import Gate, open_gate
from blackstart.clock import SystemClock
from blackstart.drill import RunningDrill
from blackstart.journals import folder as folders
from blackstart.observer.events import EventLog
from blackstart.scope import Scope
from blackstart.settings import Service, Settings

DRILL, ACCOUNT, REGION = "bench", "123456789012", "us-east-1"


def scope(**more) -> Scope:
    return Scope(environment="bench", accounts=(ACCOUNT,), regions=(REGION,), **more)


def gate(place: Path, permitted: Scope) -> Gate:
    """Its journal and its undo log are in ``place``; its reverter listens."""
    clock = SystemClock()
    record = folders.Drill(
        drill=DRILL,
        experiment=DRILL,
        title="figures of the gate",
        file="",
        started=clock.now(),
        origin_monotonic=clock.monotonic(),
        environment=permitted.environment,
        fault="none",
        scope=permitted.model_dump(mode="json"),
    )
    journal = folders.create(place / "journals", record)
    opened = open_gate(permitted, DRILL, record.title, journal, log_url=f"sqlite://{place}/undo.sqlite", clock=clock)
    opened.watch.ensure("measuring")
    if not permitted.clusters:
        opened.reach.clients.account()  # every action on AWS has asked that before it comes to the gate
    return opened


def drill(place: Path, permitted: Scope, record: Callable[[Call], None]) -> RunningDrill:
    """What actions act in; ``record`` is told of every call of an API."""
    opened, clock = gate(place, permitted), SystemClock()
    opened = replace(opened, reach=replace(opened.reach, clients=Clients(record=record)))
    service = Service(name="orders", host="127.0.0.1", port=9, home_region=REGION)
    events = EventLog(Path(opened.drill.folder), clock, clock.monotonic())
    in_force = Settings(scope=permitted, service=service)
    return RunningDrill(DRILL, Path(opened.drill.folder), in_force, opened, events, random.Random(1), clock)
