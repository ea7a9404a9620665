"""CloudWatch is moto's: metrics, the states of alarms; their history, which moto lacks, as AWS gives it."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.stub import Stubber
from moto import mock_aws
from moto.cloudwatch.models import cloudwatch_backends
from moto.core import DEFAULT_ACCOUNT_ID

from blackstart.errors import ServiceUnreachable
from blackstart.monitoring import cloudwatch
from blackstart.monitoring.alerts import Seen, sources
from blackstart.monitoring.collect import Span, collect
from blackstart.monitoring_settings import Monitoring
from blackstart.scope import Alarm

REGION, BALANCER = "us-east-1", {"LoadBalancer": "app/orders/1"}
METRIC = {
    "name": "errors at the load balancer", "region": REGION, "namespace": "AWS/ApplicationELB", "dimensions": BALANCER,
    "metric": "HTTPCode_Target_5XX_Count", "of": "RequestCount",
}  # fmt: skip
START = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=10)
ALARM = {
    "MetricName": "5xx", "Namespace": "shop", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1.0,
    "ComparisonOperator": "GreaterThanThreshold", "Statistic": "Sum",
}  # fmt: skip


@pytest.fixture(scope="module")
def account():
    """One client, as the observer makes it: to make one takes longer than all else here."""
    with pytest.MonkeyPatch.context() as environ, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environ.setenv(name, "test")
        environ.delenv("AWS_ENDPOINT_URL", raising=False)
        yield cloudwatch.client(REGION)


@pytest.fixture
def aws(account, monkeypatch):
    monkeypatch.setattr(cloudwatch, "client", lambda region: account)
    yield account
    for backend in cloudwatch_backends[DEFAULT_ACCOUNT_ID].values():
        backend.reset()


def put(aws, metric, values):
    data = [
        {
            "MetricName": metric, "Value": value, "Timestamp": START + timedelta(minutes=minute),
            "Dimensions": [{"Name": name, "Value": value} for name, value in BALANCER.items()],
        }
        for minute, value in enumerate(values)
        if value is not None
    ]  # fmt: skip
    aws.put_metric_data(Namespace="AWS/ApplicationELB", MetricData=data)


def signal(aws, **changed):
    monitoring = Monitoring(cloudwatch=[{**METRIC, **changed}])
    span = Span(START, 0.0, 300.0, lambda: 300.0)
    (found,) = collect(monitoring, span, lambda region: aws).signals
    return found


def test_a_count_out_of_a_count_is_a_share(aws):
    """AWS reports no errors where there are none: that is not no data, as long as there were requests."""
    put(aws, "RequestCount", [100, 200, None, 100, 100])
    put(aws, "HTTPCode_Target_5XX_Count", [None, 50, None, 100, None])
    found = signal(aws)
    assert not found.problem
    assert [(p.start, p.end, p.value) for p in found.points] == [
        (0, 60, 0), (60, 120, 0.25), (120, 180, None), (180, 240, 1), (240, 300, 0),
    ]  # fmt: skip


def test_a_percentage_is_a_share_too(aws):
    put(aws, "5xxErrorRate", [0, 40.0])
    found = signal(aws, metric="5xxErrorRate", of="", percent=True, statistic="Average")
    assert [point.value for point in found.points] == [0, 0.4]
    assert "no share" in signal(aws, metric="5xxErrorRate", of="", statistic="Average").problem


def test_a_metric_without_a_value_says_so(aws):
    assert "has no value of it" in signal(aws).problem


def test_what_cannot_be_asked_is_a_problem_in_the_record(aws):
    with Stubber(aws) as strict:
        strict.add_client_error("get_metric_data", "AccessDenied", "not authorized:\nno", 403)
        found = signal(aws)
    assert "CloudWatch of us-east-1 answered: " in found.problem
    assert "\n" not in found.problem


def watched(*names, region=REGION):
    return Monitoring(cloudwatch_alarms=[Alarm(name=name, region=region) for name in names])


@pytest.mark.parametrize(
    ("state", "acts", "seen"),
    [("OK", True, None), ("INSUFFICIENT_DATA", True, None), ("ALARM", True, "firing"), ("ALARM", False, "suppressed")],
)
def test_the_state_of_an_alarm_is_seen(aws, state, acts, seen):
    aws.put_metric_alarm(AlarmName="orders-5xx", ActionsEnabled=acts, **ALARM)
    aws.set_alarm_state(AlarmName="orders-5xx", StateValue=state, StateReason="the test says so")
    (source,) = sources(watched("orders-5xx"))
    assert source.name == "cloudwatch us-east-1"
    found = source.look()
    assert found.get("orders-5xx", Seen("")).state == (seen or "")
    if seen:
        assert abs((found["orders-5xx"].since - datetime.now(UTC)).total_seconds()) < 60


def test_an_alarm_that_does_not_exist_cannot_be_looked_at(aws):
    aws.put_metric_alarm(AlarmName="orders-5xx", **ALARM)
    (source,) = sources(watched("orders-5xx", "misspelt"))
    with pytest.raises(ServiceUnreachable, match=r"could not look at alarm misspelt: .* has no such alarm"):
        source.look()


def test_two_regions_may_have_alarms_of_one_name():
    both = [Alarm(name="orders-5xx", region=region) for region in ("us-east-1", "us-west-2")]
    assert Monitoring(cloudwatch_alarms=both).expected == (
        ("orders-5xx of us-east-1", "cloudwatch us-east-1"),
        ("orders-5xx of us-west-2", "cloudwatch us-west-2"),
    )


def test_the_history_of_an_alarm_tells_when_it_fired(aws):
    def item(second, state, old):
        data = json.dumps({"oldState": {"stateValue": old}, "newState": {"stateValue": state}})
        at = START + timedelta(seconds=second)
        return {"AlarmName": "orders-5xx", "Timestamp": at, "HistoryItemType": "StateUpdate", "HistoryData": data}

    items = [item(20.5, "ALARM", "OK"), item(80, "OK", "ALARM"), item(200, "ALARM", "OK")]
    with Stubber(aws) as told:
        told.add_response("describe_alarm_history", {"AlarmHistoryItems": items})
        record = collect(watched("orders-5xx"), Span(START, 0.0, 300.0, lambda: 300.0), lambda region: aws)
    assert [(each.since, each.until) for each in record.firings] == [(20.5, 80), (200, None)]
    assert record.problems == {"cloudwatch us-east-1": ""}


def test_a_summary_will_do_where_the_history_holds_no_data():
    assert cloudwatch._new_state({"HistorySummary": "Alarm updated from OK to ALARM"}) == "ALARM"


def test_what_asking_takes_is_said_by_region():
    monitoring = Monitoring(
        cloudwatch=[METRIC], cloudwatch_alarms=[Alarm(name=name, region="us-west-2") for name in ("a", "b")]
    )
    assert [(need.action, need.when[2]) for need in cloudwatch.needs(monitoring)] == [
        ("cloudwatch:DescribeAlarms", "us-west-2"),
        ("cloudwatch:DescribeAlarmHistory", "us-west-2"),
        ("cloudwatch:GetMetricData", "us-east-1"),
    ]
