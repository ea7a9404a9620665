"""The metrics of a drill in CloudWatch. Blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from blackstart.access import Aws, Need
from blackstart.errors import NotTold
from blackstart.journal_settings import CloudWatchTarget, Publish
from blackstart.publish import metrics
from blackstart.publish.facts import Facts
from blackstart.publish.sending import Limits

PERMISSION = "cloudwatch:PutMetricData"
LONGEST = 1024
"""Characters of the value of a dimension."""


def needs(publish: Publish) -> tuple[Need, ...]:
    """The permission that telling takes: AWS grants it by namespace, not by resource."""
    if publish.cloudwatch is None:
        return ()
    return (Aws(PERMISSION, when=("StringEquals", "cloudwatch:namespace", publish.cloudwatch.namespace)),)


def tell(facts: Facts, settings: CloudWatchTarget, limits: Limits) -> None:
    """One PutMetricData with everything; NotTold if AWS does not take it."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    try:
        _client(settings.region, limits).put_metric_data(Namespace=settings.namespace, MetricData=list(data(facts)))
    except (BotoCoreError, ClientError, ResponseParserError, ValueError) as error:
        raise NotTold(f"CloudWatch of {settings.region}", f"it answered: {' '.join(str(error).split())}") from error


def data(facts: Facts) -> Iterator[dict[str, Any]]:
    """``MetricData``: every metric, at the end of the drill, with its labels as dimensions. Pure."""
    common = metrics.labels(facts)
    for sample in metrics.samples(facts):
        named = {**common, **sample.labels}
        yield {
            "MetricName": sample.name,
            "Dimensions": [{"Name": name, "Value": ascii_only(text)} for name, text in named.items() if text.strip()],
            "Timestamp": facts.ended,
            "Value": sample.value,
            "Unit": "Seconds" if sample.name.endswith("_seconds") else "None",
        }


def ascii_only(text: str) -> str:
    """``text`` with a question mark for each character that no dimension may have."""
    return "".join(each if " " <= each <= "~" else "?" for each in text)[:LONGEST]


def _client(region: str, limits: Limits) -> Any:
    """A session of its own: boto3's default one is not for several threads."""
    from boto3.session import Session
    from botocore.config import Config

    patience = Config(
        connect_timeout=limits.request / 2,
        read_timeout=limits.request,
        retries={"mode": "standard", "total_max_attempts": 2},
        disable_request_compression=True,  # a few kilobytes; proxies and emulators on the way need not know gzip
        user_agent_extra="blackstart",
    )
    return Session().client("cloudwatch", region_name=region, config=patience)
