"""What a drill may touch at all, and when. Pure: a scope, and the question whether it permits a target, or a moment.

Outside the lab nothing is allowed without a scope; a question that the scope cannot answer is answered "no".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, tzinfo
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, model_validator

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEK: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WORKDAYS = WEEK[:5]
NOTHING = "nothing"
"""The unit of the share of a change that takes nothing away: it adds something, sets a value, or promises."""


@dataclass(frozen=True)
class Target:
    """One resource that a fault is aimed at.

    ``kind`` is a noun ("subnet", "pod", "health check"); empty strings mean "does not apply".
    """

    kind: str
    id: str
    account: str = ""
    region: str = ""
    zone: str = ""
    cluster: str = ""
    namespace: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


def _zone(value: Any) -> tzinfo:
    if isinstance(value, tzinfo):
        return value
    try:
        return ZoneInfo(value)
    except (KeyError, ValueError, TypeError, AttributeError, OSError) as error:
        problem = f"{value!r} is no time zone that this machine knows; write an IANA name such as Europe/Berlin"
        raise ValueError(f"{problem} (if it is one, install the package tzdata)") from error


def _time(value: Any) -> time:
    """Numbers are refused: 10 would be ten seconds past midnight."""
    found = time.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(found, time) or found.tzinfo is not None:
        raise ValueError(f"{value!r} is no time of day; write 10:00, and the time zone in timezone")
    return found


def _moment(value: Any) -> datetime:
    """Numbers are refused: they would be seconds since 1970."""
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    if isinstance(found, datetime):
        return found
    if isinstance(found, date):
        return datetime.combine(found, time())
    raise ValueError(f"{value!r} is no moment; write 2026-12-24T10:00:00 or 2026-12-24")


TimeZone = Annotated[tzinfo, PlainValidator(_zone)]
TimeOfDay = Annotated[time, PlainValidator(_time)]
Moment = Annotated[datetime, PlainValidator(_moment)]
ShareLimit = Annotated[float, Field(gt=0, le=1, strict=True)]
Name = Annotated[str, Field(min_length=1)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Window(_Table):
    """When faults may happen, every week, by the clock on the wall there. ``end`` is the first moment outside.

    ``end`` before ``start`` means: until the next day.
    """

    days: tuple[Day, ...] = Field(default=WORKDAYS, min_length=1)
    start: TimeOfDay
    end: TimeOfDay
    timezone: TimeZone = Field(description="IANA name: Europe/Berlin")

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.start == self.end:
            problem = f"start and end are both {self.start:%H:%M}, so it is never open"
            raise ValueError(f"{problem}; 00:00 to 12:00 and 12:00 to 00:00 make a whole day")
        return self

    def holds(self, now: datetime) -> bool:
        """Whether ``now`` (aware) is inside."""
        there = now.astimezone(self.timezone)
        clock, today, yesterday = there.time(), WEEK[there.weekday()], WEEK[there.weekday() - 1]
        if self.start < self.end:
            return today in self.days and self.start <= clock < self.end
        return (today in self.days and clock >= self.start) or (yesterday in self.days and clock < self.end)

    def __str__(self) -> str:
        return f"{' '.join(self.days)} {self.start:%H:%M}–{self.end:%H:%M} {self.timezone}"


class Freeze(_Table):
    """When no fault may happen, once; ``begins`` and ``ends`` with an offset, or in ``timezone``.

    A date alone is its midnight. What daylight saving makes ambiguous is frozen.
    """

    reason: str
    begins: Moment
    ends: Moment
    timezone: TimeZone = UTC

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if min(self._meant(self.begins)) >= max(self._meant(self.ends)):
            raise ValueError(f"it ends ({self.ends.isoformat()}) before it begins ({self.begins.isoformat()})")
        return self

    def holds(self, now: datetime) -> bool:
        """Whether ``now`` (aware) is inside."""
        return min(self._meant(self.begins)) <= now < max(self._meant(self.ends))

    def __str__(self) -> str:
        return f"{self.reason} (until {self.ends:%Y-%m-%d %H:%M} {self.ends.tzinfo or self.timezone})"

    def _meant(self, moment: datetime) -> tuple[datetime, ...]:
        """In UTC: once, or both if the clocks there show this time twice, or never."""
        if moment.tzinfo is not None:
            return (moment.astimezone(UTC),)
        there = moment.replace(tzinfo=self.timezone)
        return tuple(there.replace(fold=fold).astimezone(UTC) for fold in (0, 1))


class Alarm(_Table):
    """A CloudWatch alarm that must be in the state OK: no data is not good news."""

    name: Name
    region: Name


class Query(_Table):
    """An instant query to Prometheus. Stops on any of its samples ``above`` or ``below``, and on no sample at all.

    For what is left of an error budget: ``below = 0.2``.
    """

    name: Name = Field(description="what it measures, for sentences: share of the error budget left")
    url: str = Field(pattern="^https?://", description="of Prometheus: https://prometheus.example.org")
    query: Name
    above: float | None = None
    below: float | None = None

    @model_validator(mode="after")
    def _can_trip(self) -> Self:
        if self.above is None and self.below is None:
            raise ValueError("it needs above or below, or it would never stop anything")
        return self


class StopConditions(_Table):
    """What refuses a drill before it starts and ends it while it runs."""

    alarms: tuple[Alarm, ...] = ()
    queries: tuple[Query, ...] = ()
    availability: float | None = Field(
        default=None, ge=0, le=1, strict=True, description="of users: what it falls below …"
    )
    seconds: float = Field(default=30.0, gt=0, description="… for so long, and the drill ends")
    every_seconds: float = Field(default=5.0, gt=0, description="between two looks at alarms and queries")
    patience_seconds: float = Field(default=20.0, ge=0, description="a condition that cannot answer for so long counts")


class Scope(_Table):
    """The ``[scope]`` table of ``blackstart.toml``. Empty lists permit nothing."""

    environment: str = Field(description="name shown in reports: lab, staging, production …")
    accounts: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    cluster_ids: Mapping[str, str] = Field(
        default_factory=dict, description="uid of the namespace kube-system of each cluster, so that its name is proven"
    )
    namespaces: tuple[str, ...] = ()
    required_tag: str = Field(default="", description="a tag or label (key, or key=value) that every target must carry")
    forbidden_tags: tuple[Name, ...] = Field(default=(), description="a key, or key=value, that no target may carry")
    whole_region: bool = Field(default=False, description="may a region drill lose all zones of a region at once")
    past_budgets: bool = Field(default=False, description="may pods go that a PodDisruptionBudget wants to keep")
    cold_caches: bool = Field(default=False, description="may a cache be emptied, which nobody can put back")
    load_users: int = Field(default=0, ge=0, strict=True, description="users that a drill may load the service with")
    largest_share: ShareLimit = Field(default=0.5, description="of anything that a selection counts")
    shares: Mapping[str, ShareLimit] = Field(
        default_factory=dict, description="largest share by unit (pod, instance, zone …), instead of largest_share"
    )
    share_regions: bool = Field(default=False, description="may other drills that share be in the same region")
    windows: tuple[Window, ...] = Field(default=(), description="none: at any time")
    freezes: tuple[Freeze, ...] = ()
    stop: StopConditions = StopConditions()


def objection(scope: Scope, target: Target) -> str | None:
    """Why ``scope`` does not permit ``target``, as the end of a sentence; None if it does."""
    checks = (
        ("account", target.account, scope.accounts),
        ("region", target.region, scope.regions),
        ("cluster", target.cluster, scope.clusters),
        ("namespace", target.namespace, scope.namespaces),
    )
    for name, value, allowed in checks:
        if value and value not in allowed:
            return f"{target} is in {name} {value}, which is outside the scope ({', '.join(allowed) or 'none'})"
    if not target.account and not target.cluster:
        return f"{target} names no account and no cluster, so the scope cannot tell whether it is inside"
    if scope.required_tag and not _carries(target, scope.required_tag):
        return f"{target} does not carry {scope.required_tag}, so it has not opted in"
    forbidden = next((tag for tag in scope.forbidden_tags if _carries(target, tag)), None)
    return f"{target} carries {forbidden}, which the scope forbids" if forbidden else None


def _carries(target: Target, tag: str) -> bool:
    """``tag`` is a key, or key=value; keys may hold an equals sign themselves."""
    return tag in target.tags or any(f"{key}={value}" == tag for key, value in target.tags.items())


def out_of_hours(scope: Scope, now: datetime) -> str | None:
    """Why the windows of ``scope`` do not permit ``now`` (aware), as the end of a sentence; None if they do."""
    if not scope.windows or any(window.holds(now) for window in scope.windows):
        return None
    told = "; ".join(str(window) for window in scope.windows)
    return f"now ({now.astimezone(UTC):%a %Y-%m-%d %H:%M} UTC) is outside the scope's windows ({told})"


def frozen(scope: Scope, now: datetime) -> str | None:
    """The freeze of ``scope`` that ``now`` (aware) is in, as the end of a sentence; None if there is none."""
    found = next((freeze for freeze in scope.freezes if freeze.holds(now)), None)
    return f"there is a freeze: {found}" if found else None
