"""CloudWatch is moto's."""

import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from moto import mock_aws

sys.path.append(str(Path(__file__).parent))
from answering import break_off, garbage, hang, say

from blackstart.errors import NotTold
from blackstart.journal_settings import CloudWatchTarget, Publish
from blackstart.publish import cloudwatch, metrics
from blackstart.publish.sending import Limits

TARGET = CloudWatchTarget(region="us-west-2")


def page(handler, number):
    say(handler, 403, b"<html>sign in</html>")


def no_answer_of_aws(handler, number):
    """A 500 whose body is none of its protocol."""
    say(handler, 500, b"\xff\x00<html", smithy_protocol="rpc-v2-cbor", Content_Type="application/cbor")


@pytest.fixture
def aws(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


def test_every_metric_is_there_and_again(aws, drill):
    with mock_aws():
        cloudwatch.tell(drill, TARGET, Limits())
        client = cloudwatch._client("us-west-2", Limits())
        listed = client.list_metrics(Namespace="Blackstart")["Metrics"]
        assert len(listed) == len(metrics.samples(drill))
        named = [{"Name": name, "Value": value} for name, value in metrics.labels(drill).items()]
        read = client.get_metric_statistics(
            Namespace="Blackstart", MetricName="recovery_time_seconds", Dimensions=named, Period=60,
            StartTime=drill.ended - timedelta(minutes=5), EndTime=drill.ended + timedelta(minutes=5),
            Statistics=["Maximum"],
        )  # fmt: skip
        (point,) = read["Datapoints"]
        assert point["Maximum"] == drill.outcome["rto_seconds"]
        assert point["Unit"] == "Seconds"


def test_a_region_that_is_away_is_a_sentence(aws, drill, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(
        NotTold, match="CloudWatch of us-west-2 was not told of the drill: it answered: Could not connect"
    ):
        cloudwatch.tell(drill, TARGET, Limits())


@pytest.mark.parametrize("answer", [hang, garbage, break_off, page, no_answer_of_aws])
def test_an_endpoint_that_does_anything_else_is_one_too(aws, drill, monkeypatch, server, answer):
    server.answer = answer
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    began = time.monotonic()
    with pytest.raises(NotTold, match="CloudWatch of us-west-2 was not told of the drill: "):
        cloudwatch.tell(drill, TARGET, Limits(0.3, 3.0))
    assert time.monotonic() - began < 8
    assert server.got
    assert not {got.headers["Content-Encoding"] for got in server.got} - {None}


def test_dimensions_are_what_cloudwatch_takes():
    assert cloudwatch.ascii_only("bestellungen · größe\n") == "bestellungen ? gr??e?"


def test_the_permission_is_for_the_namespace_alone():
    assert cloudwatch.needs(Publish()) == ()
    (need,) = cloudwatch.needs(Publish(cloudwatch=TARGET))
    assert (need.action, need.when) == (
        "cloudwatch:PutMetricData", ("StringEquals", "cloudwatch:namespace", "Blackstart"),
    )  # fmt: skip
