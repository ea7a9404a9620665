"""Metrics that CloudWatch has of the nodes of a cache."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Any

NAMESPACE, NODE = "AWS/ElastiCache", "CacheClusterId"
PERIOD_SECONDS = 60


def values(
    cloudwatch: Any, metric: str, nodes: Collection[str], statistic: str, seconds: float, now: datetime
) -> list[float]:
    """One value a minute and node, of those minutes that reach into the last ``seconds``; empty if there is none."""
    begin = now - timedelta(seconds=seconds)
    queries = [
        {
            "Id": f"q{number}",
            "MetricStat": {
                "Metric": {"Namespace": NAMESPACE, "MetricName": metric, "Dimensions": dimensions},
                "Period": PERIOD_SECONDS,
                "Stat": statistic,
            },
        }
        for number, dimensions in enumerate(_dimensions(cloudwatch, metric, nodes))
    ]
    if not queries:
        return []
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=queries,
        StartTime=begin.replace(second=0, microsecond=0),
        EndTime=now + timedelta(seconds=PERIOD_SECONDS),
    )
    return [float(value) for result in answer["MetricDataResults"] for value in result["Values"]]


def _dimensions(cloudwatch: Any, metric: str, nodes: Collection[str]) -> Iterator[Any]:
    """What AWS tells each node's metric by. It has some of them twice: for the node, and for what is in it."""
    pages = cloudwatch.get_paginator("list_metrics").paginate(
        Namespace=NAMESPACE, MetricName=metric, Dimensions=[{"Name": NODE}]
    )
    found: dict[str, Any] = {}
    for each in (each for page in pages for each in page["Metrics"]):
        node = next(item["Value"] for item in each["Dimensions"] if item["Name"] == NODE)
        if node in nodes and len(each["Dimensions"]) < len(found.get(node, (None,) * 9)):
            found[node] = each["Dimensions"]
    yield from found.values()
