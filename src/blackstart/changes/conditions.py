"""Stop conditions: what refuses a fault before it happens and ends it while it is in. Read-only.

CloudWatch alarms and Prometheus queries, each behind the same one question. No data is not good news: it trips too.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from blackstart.access import Aws, Need, within
from blackstart.changes.clients import Clients
from blackstart.errors import ServiceUnreachable
from blackstart.scope import Alarm, Query, StopConditions

ANSWER_SECONDS = 5.0
LARGEST_ANSWER = 4 * 1024 * 1024  # bytes; a query that says more than this is not a stop condition


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
    from botocore.exceptions import BotoCoreError, ClientError

    name, wanted = f"alarm {alarm.name} of {alarm.region}", f"look at alarm {alarm.name}"
    try:
        answer = clients.aws("cloudwatch", alarm.region).describe_alarms(
            AlarmNames=[alarm.name], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
    except (BotoCoreError, ClientError) as error:
        raise ServiceUnreachable(
            wanted, f"CloudWatch of {alarm.region}", f"answered: {' '.join(str(error).split())}"
        ) from error
    found = [*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])]
    if not found:
        return f"{name} does not exist, so nothing would stop the drill"
    state = found[0].get("StateValue", "unknown")
    return None if state == "OK" else f"{name} is in the state {state}"


def _query(query: Query) -> str | None:
    samples = _samples(query, _asked(query))
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


def _asked(query: Query) -> Mapping[str, Any]:
    """What Prometheus answers, decoded: an object."""
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.parse import urlencode
    from urllib.request import urlopen

    url = f"{query.url.rstrip('/')}/api/v1/query?{urlencode({'query': query.query})}"
    try:
        with urlopen(url, timeout=ANSWER_SECONDS) as answer:
            body = answer.read(LARGEST_ANSWER + 1)
    except HTTPError as error:
        with error:
            raise _unknown(query, f"answered {error.code}: {_explained(error.read(LARGEST_ANSWER))}") from error
    except (OSError, HTTPException, ValueError) as error:
        raise _unknown(query, f"did not answer: {error}") from error
    if len(body) > LARGEST_ANSWER:
        raise _unknown(query, f"answered more than {LARGEST_ANSWER} bytes")
    try:
        decoded = json.loads(body)
    except ValueError as error:
        raise _unknown(query, "answered without JSON") from error
    if not isinstance(decoded, dict) or decoded.get("status") != "success":
        raise _unknown(query, f"answered without success: {_explained(body)}")
    if decoded.get("warnings"):
        raise _unknown(query, f"answered with a warning, so part may be missing: {decoded['warnings'][0]}")
    return decoded


def _explained(body: bytes) -> str:
    """Prometheus' own words for an error, else the beginning of what was answered, on one line."""
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return " ".join(body[:200].decode(errors="replace").split()) or "nothing"


def _samples(query: Query, answer: Mapping[str, Any]) -> list[float]:
    """The values of an instant vector or of a scalar."""
    try:
        kind, result = answer["data"]["resultType"], answer["data"]["result"]
        pairs: Sequence[Any] = {"vector": lambda: [each["value"] for each in result], "scalar": lambda: [result]}[
            kind
        ]()
        return [float(value) for _, value in pairs]
    except (ValueError, KeyError, TypeError) as error:
        raise _unknown(query, f"answered with no vector and no scalar of numbers ({error!r})") from error


def _unknown(query: Query, problem: str) -> ServiceUnreachable:
    return ServiceUnreachable(f"ask for {query.name}", f"Prometheus at {query.url}", problem)
