"""CloudWatch: metrics, the states of alarms and their history. Read-only; blocks.

Clients are boto3's, given by who calls. Botocore is loaded when it is first needed: it is slow.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from blackstart.access import Aws, Need, within
from blackstart.errors import ServiceUnreachable
from blackstart.monitoring_settings import CloudWatchMetric, Monitoring

NAME = "blackstart-observer"
ALARM = "ALARM"
MOST_NAMES = 100  # of one DescribeAlarms


@dataclass(frozen=True)
class AlarmState:
    """One alarm. ``acts``: somebody is told, because its actions are enabled. ``since``: when its state began."""

    name: str
    state: str
    acts: bool
    since: datetime | None


def client(region: str) -> Any:
    """A client for looking again and again: asked once, with little patience."""
    import boto3
    from botocore.config import Config

    patience = Config(
        connect_timeout=1, read_timeout=3, retries={"mode": "standard", "max_attempts": 1}, user_agent_extra=NAME
    )
    return boto3.client("cloudwatch", region_name=region, config=patience)


def needs(monitoring: Monitoring) -> tuple[Need, ...]:
    """The permissions that asking takes; AWS grants them on everything, or not at all."""
    alarms = sorted({alarm.region for alarm in monitoring.cloudwatch_alarms})
    metrics = sorted({metric.region for metric in monitoring.cloudwatch})
    return (
        *(Aws("cloudwatch:DescribeAlarms", when=within(region)) for region in alarms),
        *(Aws("cloudwatch:DescribeAlarmHistory", when=within(region)) for region in alarms),
        *(Aws("cloudwatch:GetMetricData", when=within(region)) for region in metrics),
    )


def alarms(cloudwatch: Any, region: str, names: Collection[str], wanted: str = "") -> list[AlarmState]:
    """Those of the alarms ``names`` that exist; ServiceUnreachable if they cannot be looked at."""
    listed = list(dict.fromkeys(names))
    found: list[Any] = []
    with _asking(region, wanted or f"look at {len(listed)} alarms"):
        for first in range(0, len(listed), MOST_NAMES):
            answer = cloudwatch.describe_alarms(
                AlarmNames=listed[first : first + MOST_NAMES], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
            )
            found += [*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])]
    return [_state(alarm) for alarm in found]


def _state(alarm: Mapping[str, Any]) -> AlarmState:
    since = alarm.get("StateTransitionedTimestamp") or alarm.get("StateUpdatedTimestamp")
    return AlarmState(
        name=str(alarm["AlarmName"]),
        state=str(alarm.get("StateValue", "unknown")),
        acts=bool(alarm.get("ActionsEnabled", True)),
        since=since,
    )


def transitions(cloudwatch: Any, region: str, name: str, span: tuple[datetime, datetime]) -> list[tuple[datetime, str]]:
    """(when, the state that began) of alarm ``name`` within ``span``, oldest first; ServiceUnreachable."""
    with _asking(region, f"read the history of alarm {name}"):
        pages = cloudwatch.get_paginator("describe_alarm_history").paginate(
            AlarmName=name,
            HistoryItemType="StateUpdate",
            StartDate=span[0],
            EndDate=span[1],
            ScanBy="TimestampAscending",
        )
        items = [item for page in pages for item in page.get("AlarmHistoryItems", [])]
    return sorted((item["Timestamp"], _new_state(item)) for item in items)


def _new_state(item: Mapping[str, Any]) -> str:
    import json

    try:
        return str(json.loads(item["HistoryData"])["newState"]["stateValue"])
    except (KeyError, TypeError, ValueError):
        return str(item.get("HistorySummary", "")).rpartition(" to ")[2].strip(" .")


def values(cloudwatch: Any, metric: CloudWatchMetric, span: tuple[datetime, datetime]) -> dict[datetime, float]:
    """A value for the start of each period within ``span`` of which CloudWatch has one; ServiceUnreachable.

    A share of two counts: what failed is not reported where nothing did, so it is 0 wherever there were requests.
    """
    asked = {"metric": metric.metric, **({"of": metric.of} if metric.of else {})}
    found: dict[str, dict[datetime, float]] = {name: {} for name in asked}
    begin = span[0].astimezone(UTC).replace(microsecond=0)
    begin -= timedelta(seconds=begin.timestamp() % metric.period_seconds)
    with _asking(metric.region, f"read {metric.name}"):
        pages = cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=[_query(metric, key, name) for key, name in asked.items()],
            StartTime=begin,
            EndTime=span[1] + timedelta(seconds=metric.period_seconds),
            ScanBy="TimestampAscending",
        )
        for result in (result for page in pages for result in page["MetricDataResults"]):
            found[result["Id"]].update(zip(result["Timestamps"], map(float, result["Values"]), strict=True))
    if metric.of:
        return {at: found["metric"].get(at, 0.0) / whole for at, whole in found["of"].items() if whole > 0}
    return {at: value / 100 if metric.percent else value for at, value in found["metric"].items()}


def _query(metric: CloudWatchMetric, key: str, name: str) -> dict[str, Any]:
    dimensions = [{"Name": dimension, "Value": value} for dimension, value in metric.dimensions.items()]
    named = {"Namespace": metric.namespace, "MetricName": name, "Dimensions": dimensions}
    return {"Id": key, "MetricStat": {"Metric": named, "Period": metric.period_seconds, "Stat": metric.statistic}}


@contextmanager
def _asking(region: str, wanted: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        problem = f"answered: {' '.join(str(error).split())}"
        raise ServiceUnreachable(wanted, f"CloudWatch of {region}", problem) from error
