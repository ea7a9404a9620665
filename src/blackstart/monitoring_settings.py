"""The ``[monitoring]`` table of ``blackstart.toml``: what else looks at the service, and which alerts should notice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from blackstart.scope import Alarm

Url = Annotated[str, Field(pattern="^(https?://.+)?$")]
Name = Annotated[str, Field(min_length=1)]
CLOUDWATCH_POLL_SECONDS = 2.0  # an alarm looks every 10 s at most, and says itself when its state changed


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class CloudWatchMetric(_Table):
    """One metric that tells how users are served. ``means``: a share of requests that ``failed`` or were ``served``
    (0–1, or ``percent``), or ``latency`` in seconds. With ``of``, it is a count out of the count ``of``."""

    name: Name = Field(description="what it measures, for sentences: errors at the load balancer")
    region: Name
    namespace: Name
    metric: Name
    dimensions: Mapping[str, str] = Field(default_factory=dict)
    statistic: Name = "Sum"
    of: str = Field(default="", description="metric of the same dimensions that counts all requests: RequestCount")
    means: Literal["failed", "served", "latency"] = "failed"
    percent: bool = False
    period_seconds: int = Field(default=60, description="10, 30, or a multiple of 60")

    @model_validator(mode="after")
    def _period(self) -> Self:
        if self.period_seconds not in (1, 5, 10, 20, 30) and self.period_seconds % 60:
            raise ValueError("period_seconds should be 1, 5, 10, 20, 30, or a multiple of 60")
        if self.of and (self.percent or self.means == "latency"):
            raise ValueError("of makes a share of two counts, so it goes with neither percent nor latency")
        return self


class Monitoring(_Table):
    """Where monitoring is asked, and for what. Empty: it is not. Shares 0–1, times in seconds.

    Addresses may hold a name and a password; journals and messages never show them.
    """

    prometheus: Url = Field(default="", description="of its API, or of what speaks it: Thanos, Mimir, VictoriaMetrics")
    availability: str = Field(default="", description="PromQL, one series: share of requests that were served")
    latency: str = Field(default="", description="PromQL, one series: a percentile of the latency, in seconds")
    error_budget: str = Field(default="", description="PromQL, one series: share of the error budget that is left")
    step_seconds: float = Field(default=15.0, gt=0, description="between two values; no less than the scrape interval")
    alerts: tuple[Name, ...] = Field(default=(), description="names of alerts that should notice a fault")
    alertmanager: Url = ""
    token_file: str = Field(default="", description="file with the bearer token for Prometheus and Alertmanager")
    headers: Mapping[str, str] = Field(default_factory=dict, description="for both, such as X-Scope-OrgID; no secrets")
    cloudwatch: tuple[CloudWatchMetric, ...] = ()
    cloudwatch_alarms: tuple[Alarm, ...] = Field(default=(), description="alarms that should notice a fault")
    poll_seconds: float = Field(default=1.0, ge=0.1, description="between two looks at Prometheus and Alertmanager")

    @model_validator(mode="after")
    def _asked_somewhere(self) -> Self:
        if (self.availability or self.latency or self.error_budget) and not self.prometheus:
            raise ValueError("availability, latency and error_budget are asked of prometheus, which is not set")
        if self.alerts and not (self.prometheus or self.alertmanager):
            raise ValueError("alerts are looked for in prometheus and alertmanager, and neither is set")
        return self

    @property
    def asks(self) -> bool:
        """Whether there is anything to ask at all."""
        return bool(self.signals or self.cloudwatch or self.expected)

    @property
    def signals(self) -> dict[str, str]:
        """The PromQL that is set, by what it means."""
        queries = {"availability": self.availability, "latency": self.latency, "error_budget": self.error_budget}
        return {name: query for name, query in queries.items() if query}

    @property
    def expected(self) -> tuple[tuple[str, str], ...]:
        """(name, source) of every alert that should notice a fault; a name may have two sources."""
        named = (("alertmanager", self.alertmanager), ("prometheus", self.prometheus))
        sources = [source for source, url in named if url]
        alarms = ((alarm_name(alarm, self.cloudwatch_alarms), cloudwatch(alarm)) for alarm in self.cloudwatch_alarms)
        return (*((name, source) for name in self.alerts for source in sources), *alarms)


def cloudwatch(alarm: Alarm) -> str:
    """The source of ``alarm``, as events and journals call it."""
    return f"cloudwatch {alarm.region}"


def alarm_name(alarm: Alarm, among: tuple[Alarm, ...]) -> str:
    """Its name, with its region where another region has an alarm of that name, too."""
    twins = sum(other.name == alarm.name for other in among)
    return alarm.name if twins == 1 else f"{alarm.name} of {alarm.region}"
