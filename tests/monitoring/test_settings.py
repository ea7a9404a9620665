"""What ``[monitoring]`` may say, and what follows from it."""

import pytest
from pydantic import ValidationError

from blackstart.monitoring_settings import Monitoring

URL = "http://prometheus.shop.test"
METRIC = {"name": "errors", "region": "us-east-1", "namespace": "shop", "metric": "5xx"}


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"availability": "up"}, "which is not set"),
        ({"alerts": ["OrdersFailing"]}, "neither is set"),
        ({"prometheus": "prometheus:9090"}, "match pattern"),
        ({"prometheus": URL, "query": "up"}, "Extra inputs"),
        ({"cloudwatch": [{**METRIC, "period_seconds": 45}]}, "multiple of 60"),
        ({"cloudwatch": [{**METRIC, "of": "all", "percent": True}]}, "neither percent nor latency"),
    ],
)
def test_what_could_never_be_asked_is_refused(table, problem):
    with pytest.raises(ValidationError, match=problem):
        Monitoring.model_validate(table)


def test_without_the_table_nothing_is_asked():
    assert not Monitoring().asks
    assert not Monitoring(prometheus=URL).asks


def test_an_alert_is_looked_for_wherever_it_may_be():
    both = Monitoring(prometheus=URL, alertmanager=URL, alerts=["A"])
    assert both.expected == (("A", "alertmanager"), ("A", "prometheus"))
    assert Monitoring(prometheus=URL, alerts=["A"]).expected == (("A", "prometheus"),)
