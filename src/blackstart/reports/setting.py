"""Where a drill ran and with what: environment, versions, seed, and every setting that was in force. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from blackstart.journals import numbers
from blackstart.journals.folder import Drill
from blackstart.journals.measure import Measured
from blackstart.reports.trust import Line

Json = Any
TABLES = ("service", "observing", "objectives", "scope")
MOST_SETTINGS = 400
LONGEST = 200


def lines(measured: Measured) -> list[Line]:
    """What somebody needs to run it again."""
    drill, service, observing = measured.drill, measured.service, measured.observing
    header = measured.users.samples.header if measured.users else None
    home = ", ".join(
        f"{name} {region}"
        for name, region in (("home", service.home_region), ("standby", service.standby_region))
        if region
    )
    told = [
        Line("Environment", drill.environment or "not recorded"),
        Line("Service", f"{service.name} at {service.host}:{service.port}"),
        Line("Regions", home or "not set"),
        Line("Requests", f"{observing.rate:g} a second, {numbers.share_goal(observing.write_share)} of them writes, "
             f"given up after {numbers.seconds_goal(observing.timeout_seconds)}"),
        Line("Seed", "not recorded" if drill.seed is None else str(drill.seed)),
    ]  # fmt: skip
    if header is not None and header.journeys:
        told.append(Line("Journeys", ", ".join(journey.name for journey in header.journeys)))
    if drill.versions:
        told.append(Line("Versions", ", ".join(f"{name} {version}" for name, version in drill.versions.items())))
    return [*told, Line("To run it again", again(drill))]


def again(drill: Drill) -> str:
    """The command with the same random choices."""
    return f"blackstart run {drill.file}" + ("" if drill.seed is None else f" --seed {drill.seed}")


def in_force(drill: Drill) -> list[tuple[str, str]]:
    """Name and value of every setting that is set, the tables of ``blackstart.toml`` in their order."""
    return list(flat(drill).items())[:MOST_SETTINGS]


def flat(drill: Drill) -> dict[str, str]:
    """``observing.rate`` → ``50``."""
    tables: Mapping[str, Json] = {name: getattr(drill, name) for name in TABLES}
    return dict(_flat("", tables))


def _flat(name: str, value: Json) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _flat(f"{name}.{key}" if name else str(key), each)
    elif value is not None and value != "":
        yield name, _shown(value)


def _shown(value: Json) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        text = ", ".join(map(str, value)) or "none"
    elif isinstance(value, bool):
        text = "yes" if value else "no"
    else:
        text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
