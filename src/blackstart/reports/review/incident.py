"""An incident, as people write it down: what failed, when, what users felt, what was lost, what was done."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
)

from blackstart.clock import iso
from blackstart.errors import ConfigInvalid
from blackstart.experiment import Expects
from blackstart.reports.review import failures
from blackstart.reports.review.yaml_places import Document, Loc, at, read

Json = Any
MOST_PROBLEMS = 4
_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?\s?(Z|[+-]\d\d:?\d\d)", re.IGNORECASE | re.ASCII)
_YEAR = 365.25 * 24 * 3600


def _with_zone(value: Json) -> Json:
    """Text of a moment; a number, which would be taken for seconds since 1970, or a time without zone is refused."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _ISO.fullmatch(value.strip()):
        raise ValueError("should be a time with its zone, such as 2026-11-20T02:13:00Z")
    return value.strip()


def _utc(value: datetime) -> datetime:
    if not 2000 <= value.year < 9000:
        raise ValueError("is not a time of this century")
    return value.astimezone(UTC)


Moment = Annotated[datetime, BeforeValidator(_with_zone), AfterValidator(_utc)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=300, strip_whitespace=True)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=4000, strip_whitespace=True)]
Seconds = Annotated[float, Field(ge=0, le=10 * _YEAR)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, le=10**12)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Action(_Strict):
    """Something that was done about it."""

    at: Moment | None = None
    what: Text
    by: str = Field(default="", max_length=100, description="a role, not a person: on-call, database team, automation")


class DataLoss(_Strict):
    """Acknowledged writes that are gone."""

    lost_writes: Count | None = None
    rpo_seconds: Seconds | None = Field(default=None, description="age of the oldest of them when the failure began")


class MustHold(Expects):
    """Objectives that must hold when this happens again; null: none of that kind."""

    @field_validator("*")
    @classmethod
    def _possible(cls, value: float | None) -> float | None:
        if value is not None and not (0 <= value < 1e9 and math.isfinite(value)):
            raise ValueError("should be a number from 0 to 1,000,000,000")
        return value

    @field_validator("availability", "error_budget_share")
    @classmethod
    def _share(cls, value: float | None) -> float | None:
        if value is not None and value > 1:
            raise ValueError("is a share: 0 to 1")
        return value


class Incident(_Strict):
    """The whole file. Times are ISO 8601 with their zone; shares 0–1; what is not known is left out."""

    format: int = Field(default=1, ge=1, le=1)
    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="names the files of the review")
    title: Line
    service: str = Field(default="", max_length=100, description="as [service] names it; empty: any service's drills")
    environment: str = Field(default="production", max_length=100)
    failure: str = Field(description="kind of failure", json_schema_extra={"enum": list(failures.KINDS)})
    way: str = Field(default="", max_length=60, pattern=r"^([a-z0-9]+(-[a-z0-9]+)*)?$", description="how it failed")
    where: str = Field(default="", max_length=100, description="the zone, region … that failed: us-east-1b")
    systems: tuple[Line, ...] = Field(
        default=(), max_length=50, description="ids as experiments have them in their tags"
    )
    started: Moment = Field(description="users were hurt from then on, or the failure began")
    detected: Moment | None = Field(default=None, description="an alert, or the first person who knew")
    recovered: Moment | None = Field(default=None, description="users were served again")
    ended: Moment | None = Field(default=None, description="what had failed was back")
    duration_seconds: Seconds | None = Field(default=None, description="instead of recovered: how long users were hurt")
    symptoms: tuple[Text, ...] = Field(default=(), max_length=100)
    availability: Share | None = Field(
        default=None, description="share of requests that were served, start to recovery"
    )
    longest_outage_seconds: Seconds | None = Field(default=None, description="in which no request succeeded")
    p95_seconds: Seconds | None = None
    p99_seconds: Seconds | None = None
    data_loss: DataLoss = DataLoss()
    actions: tuple[Action, ...] = Field(default=(), max_length=500)
    must_hold: MustHold = MustHold()

    @field_validator("failure")
    @classmethod
    def _known(cls, kind: str) -> str:
        if kind in failures.KINDS:
            return kind
        near = difflib.get_close_matches(kind.lower(), failures.KINDS, 1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise ValueError(f"should be a kind of failure; {meant}They are: {', '.join(failures.KINDS)}")

    @property
    def hurt_seconds(self) -> float | None:
        """From the start until users were served again; None if that is not said."""
        return self.duration_seconds if self.recovered is None else (self.recovered - self.started).total_seconds()

    @property
    def detected_seconds(self) -> float | None:
        return None if self.detected is None else (self.detected - self.started).total_seconds()

    @property
    def fault_seconds(self) -> float | None:
        """How long what failed was gone; None if that is not said."""
        return None if self.ended is None else (self.ended - self.started).total_seconds()


def load(path: Path, now: datetime) -> Incident:
    """The incident in ``path``; ConfigInvalid names each thing that is wrong with it, by line and column."""
    return checked(read(path), now)


def checked(document: Document, now: datetime) -> Incident:
    """See `load`. ``now`` bounds when an incident can have been; a day of grace for clocks."""
    if not isinstance(document.data, dict):
        raise ConfigInvalid(
            document.path, at(document.place(())), "an incident is a mapping with id, title, failure and started"
        )
    try:
        found = Incident.model_validate(document.data)
    except ValidationError as error:
        raise _invalid(document, error) from error
    for key, problem in _out_of_order(found, now):
        raise ConfigInvalid(document.path, f"{at(document.place((key,)))}, {key}", problem)
    return found


def _out_of_order(incident: Incident, now: datetime) -> Iterator[tuple[str, str]]:
    """What cannot be true together: key, problem."""
    for key in ("started", "detected", "recovered", "ended"):
        moment = getattr(incident, key)
        if moment is not None and moment > now + timedelta(days=1):
            yield key, f"{iso(moment)} has not come yet; a review looks back"
        if moment is not None and moment < incident.started:
            yield key, f"{iso(moment)} is before started ({iso(incident.started)})"
    hurt, said = incident.hurt_seconds, incident.duration_seconds
    if hurt is not None and said is not None and abs(hurt - said) > max(60.0, 0.02 * said):
        yield "duration_seconds", f"says {said:g} s, but recovered − started is {hurt:g} s; leave one out"


def schema() -> dict[str, Json]:
    """JSON Schema of the file, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Incident.model_json_schema()}


def _invalid(document: Document, error: ValidationError) -> ConfigInvalid:
    """The first complaint with its place, and after it the others; unknown keys first: they may be why others miss."""
    found = sorted(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    told = [_complaint(document, each) for each in found]
    rest = "".join(f"; also {where}: {problem}" for where, problem in told[1:MOST_PROBLEMS])
    more = f"; and {len(told) - MOST_PROBLEMS} more" if len(told) > MOST_PROBLEMS else ""
    return ConfigInvalid(document.path, told[0][0], f"{told[0][1]}{rest}{more}")


def _complaint(document: Document, error: Any) -> tuple[str, str]:
    loc: Loc = error["loc"]
    unknown = error["type"] == "extra_forbidden"
    place = at(document.place(loc, of_key=unknown))
    key = ".".join(str(part) for part in loc)
    where = f"{place}, {key}" if key else place
    if unknown:
        return where, "unknown key"
    if error["type"] == "missing":
        return where, "is missing"
    problem = error["msg"].removeprefix("Value error, ")
    problem = problem[:1].lower() + problem[1:]
    seen = error["input"]
    return where, f"{problem}{_seen(seen)}" if isinstance(seen, str) or seen is None else problem


def _seen(value: str | None) -> str:
    if value is None:
        return " (it is empty)"
    text = " ".join(value.split())
    return f" (it is “{text[:60]}{'…' if len(text) > 60 else ''}”)"
