"""Stop conditions: what refuses a fault before it happens and ends it while it is in. Read-only.

CloudWatch alarms and Prometheus queries, each behind the same one question. No data is not good news: it trips too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from blackstart.access import Aws, Need, within
from blackstart.changes.clients import Clients
from blackstart.monitoring import cloudwatch
from blackstart.monitoring.prometheus import Prometheus
from blackstart.monitoring.web import Endpoint
from blackstart.scope import Alarm, Query, StopConditions

ANSWER_SECONDS = 5.0


@dataclass(frozen=True)
class Condition:
    """One stop condition. ``name`` is for people ("alarm orders-5xx of us-east-1").

    ``look`` asks once: the end of a sentence if it has tripped, None if all is well; ServiceUnreachable if it cannot
    be told. It blocks for as long as the API takes, and may be called again and again, from any thread.
    """

    name: str
    look: Callable[[], str | None]


def conditions(stop: StopConditions, clients: Clients) -> list[Condition]:
    """Every alarm and query of ``stop``, in its order. Asks nothing yet."""
    return [
        *(Condition(f"alarm {alarm.name} of {alarm.region}", partial(_alarm, alarm, clients)) for alarm in stop.alarms),
        *(Condition(f"query {query.name}", partial(_query, query)) for query in stop.queries),
    ]


def needs(stop: StopConditions) -> tuple[Need, ...]:
    """The permissions that looking takes. AWS wants them on everything, or it keeps composite alarms to itself."""
    regions = sorted({alarm.region for alarm in stop.alarms})
    return tuple(Aws("cloudwatch:DescribeAlarms", when=within(region)) for region in regions)


def _alarm(alarm: Alarm, clients: Clients) -> str | None:
    name, client = f"alarm {alarm.name} of {alarm.region}", clients.aws("cloudwatch", alarm.region)
    found = cloudwatch.alarms(client, alarm.region, (alarm.name,), f"look at alarm {alarm.name}")
    if not found:
        return f"{name} does not exist, so nothing would stop the drill"
    state = found[0].state
    return None if state == "OK" else f"{name} is in the state {state}"


def _query(query: Query) -> str | None:
    samples = Prometheus(Endpoint("Prometheus", query.url, seconds=ANSWER_SECONDS)).instant(
        query.query, f"ask for {query.name}"
    )
    if not samples:
        return f"{query.name} cannot be told: the query gives no sample"
    for value in samples:
        if math.isnan(value):
            return f"{query.name} cannot be told: the query gives NaN"
        if query.above is not None and value > query.above:
            return f"{query.name} is {value:g}, above {query.above:g}"
        if query.below is not None and value < query.below:
            return f"{query.name} is {value:g}, below {query.below:g}"
    return None
