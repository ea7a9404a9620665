"""The table ``[publish]``: what it takes, and that every part of it is somebody who is told."""

import pytest
from pydantic import ValidationError

from blackstart.journal_settings import Publish
from blackstart.publish.parties import NAMES, of


def test_every_table_has_its_party():
    one = {name: {"url": "http://x"} for name in ("grafana", "pushgateway", "opentelemetry")}
    more = {"textfile": {"folder": "/x"}, "cloudwatch": {"region": "us-west-2"}}
    lists = {"webhook": [{"name": "x", "url": "http://x"}], "slack": [{"url_env": "X"}]}
    everybody = Publish.model_validate({**one, **more, **lists})
    assert sorted(party.to for party in of(everybody, "passed")) == sorted(NAMES)
    assert [party.to for party in of(everybody, "started")] == ["grafana"]
    assert everybody.asked
    assert not Publish(report_url="https://reports.example.org").asked


@pytest.mark.parametrize(
    "wrong",
    [{"grafana": {"url": "file:///etc/passwd"}}, {"slack": [{"url": "https://hooks.slack.com/services/x"}]},
     {"slack": [{}]}, {"webhook": [{"name": "x"}]}, {"webhook": [{"name": "x", "url": "http://x", "url_env": "X"}]},
     {"pushgateway": {"url": "http://x:99999"}}, {"cloudwatch": {"region": "x", "namespace": "AWS/EC2"}}],
)  # fmt: skip
def test_settings_that_are_refused(wrong):
    with pytest.raises(ValidationError):
        Publish.model_validate(wrong)
