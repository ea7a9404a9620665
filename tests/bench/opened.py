"""A drill as the product opens it, but for the observer: for figures of the gate alone."""

from pathlib import Path

from blackstart.changes.gate import Gate, open_gate
from blackstart.clock import SystemClock
from blackstart.journals import folder as folders
from blackstart.scope import Scope

DRILL, ACCOUNT, REGION = "bench", "123456789012", "us-east-1"


def gate(place: Path, required_tag: str) -> Gate:
    """Its journal and its undo log are in ``place``; its reverter listens."""
    scope = Scope(environment="bench", accounts=(ACCOUNT,), regions=(REGION,), required_tag=required_tag)
    clock = SystemClock()
    record = folders.Drill(
        drill=DRILL,
        experiment=DRILL,
        title="figures of the gate",
        file="",
        started=clock.now(),
        origin_monotonic=clock.monotonic(),
        environment=scope.environment,
        fault="none",
        scope=scope.model_dump(mode="json"),
    )
    journal = folders.create(place / "journals", record)
    opened = open_gate(scope, DRILL, record.title, journal, log_url=f"sqlite://{place}/undo.sqlite", clock=clock)
    opened.watch.ensure("measuring")
    opened.reach.clients.account()  # every action has asked that before it comes to the gate
    return opened
