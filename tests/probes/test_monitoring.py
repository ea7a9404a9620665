"""Probes of monitoring: against a small server that speaks as Prometheus does, and events as an observer notes them."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from blackstart.clock import SystemClock
from blackstart.errors import ConfigInvalid, NotMeasured, ServiceUnreachable
from blackstart.observer import jsonl
from blackstart.probes import monitoring

FAULT = 4.0
TOML = """
[scope]
environment = "test"
[service]
name = "orders"
host = "127.0.0.1"
port = 1
home_region = "us-east-1"
[monitoring]
prometheus = "{url}"
availability = "served"
error_budget = "left"
alerts = ["OrdersFailing", "HighLatency"]
"""


@pytest.fixture
def says(tmp_path, monkeypatch):
    """What a Prometheus gives for each query: a list of values."""
    given = {}

    class Saying(BaseHTTPRequestHandler):
        def do_GET(self):
            query = self.path.partition("query=")[2]
            result = [{"metric": {}, "value": [1.0, value]} for value in given.get(query, ())]
            body = {"status": "success", "data": {"resultType": "vector", "result": result}}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Saying)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    (tmp_path / "blackstart.toml").write_text(TOML.format(url=f"http://127.0.0.1:{server.server_port}"))
    monkeypatch.setenv("BLACKSTART_CONFIG", str(tmp_path / "blackstart.toml"))
    yield given
    server.shutdown()
    server.server_close()


def test_shares_are_what_prometheus_says(says):
    says |= {"served": ["0.75"], "left": ["-0.5"]}
    assert monitoring.error_share() == 0.25
    assert monitoring.error_budget_left() == -0.5


@pytest.mark.parametrize("values", [[], ["NaN"], ["0.9", "0.8"], ["+Inf"]])
def test_no_data_is_not_good_news(says, values):
    says["served"] = values
    with pytest.raises(NotMeasured, match="availability was not measured"):
        monitoring.error_share()


def test_what_is_not_set_cannot_be_asked(says):
    with pytest.raises(ConfigInvalid, match="latency: is not set"):
        monitoring.latency_seconds()


def test_a_prometheus_that_is_gone_is_not_answered_for(says, tmp_path):
    (tmp_path / "blackstart.toml").write_text(TOML.format(url="http://127.0.0.1:9"))
    with pytest.raises(ServiceUnreachable, match="could not ask for availability"):
        monitoring.error_share()


@pytest.fixture
def drill(says, tmp_path):
    """A drill that began ten seconds ago, with its fault at `FAULT`; ``look(at, state)`` notes looks at one alert."""
    origin = SystemClock().monotonic() - 10
    tables = {"origin_monotonic": origin, "objectives": {"rto_seconds": 60}}
    (tmp_path / "drill.json").write_text(json.dumps(tables))
    line = {"state": "applied", "change": "c", "began": origin + FAULT, "monotonic": origin + FAULT}
    jsonl.append(tmp_path / "changes.jsonl", line)

    def look(at, state, name="OrdersFailing", last=None):
        told = {"name": name, "source": "prometheus", "state": state, "asked": at, "last": last}
        jsonl.append(tmp_path / "events.jsonl", {"at": at, "kind": "alert", "before": "", **told})

    look.configuration = {"blackstart_journal": str(tmp_path)}
    return look


def test_the_first_alert_counts_or_the_one_that_is_named(drill):
    for name, at in (("OrdersFailing", 6.0), ("HighLatency", 9.0)):
        drill(0.0, "inactive", name)
        drill(at, "firing", name, last=at - 1)
    assert monitoring.alert_fired_seconds(configuration=drill.configuration) == 1.5
    assert monitoring.alert_fired_seconds("HighLatency", configuration=drill.configuration) == 4.5


def test_an_alert_that_stays_silent_is_waited_for_no_longer_than_allowed(drill):
    for name in ("OrdersFailing", "HighLatency"):
        drill(0.0, "inactive", name)
        drill(9.0, "inactive", name, last=9.0)
    assert monitoring.alert_fired_seconds(limit_seconds=5.0, configuration=drill.configuration) is None


@pytest.mark.parametrize("state", ["unknown", "firing"])
def test_an_alert_that_cannot_tell_is_not_answered_for(drill, state):
    drill(0.0, state)
    with pytest.raises(NotMeasured, match="when OrdersFailing fired was not measured"):
        monitoring.alert_fired_seconds("OrdersFailing", limit_seconds=5.0, configuration=drill.configuration)


def test_an_alert_that_nobody_expects_is_refused(drill):
    with pytest.raises(ConfigInvalid, match="names no alert Nobody"):
        monitoring.alert_fired_seconds("Nobody", configuration=drill.configuration)
