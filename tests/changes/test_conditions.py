"""CloudWatch is moto's; Prometheus is the real one if it is installed, and a small server for what it rarely says."""

import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from botocore.stub import Stubber

from blackstart.changes.clients import Clients
from blackstart.changes.conditions import conditions, needs
from blackstart.errors import ServiceUnreachable
from blackstart.scope import Alarm, Query, StopConditions

ALARM = StopConditions(alarms=(Alarm(name="orders-5xx", region="us-east-1"),))


def look(stop, clients=None):
    (condition,) = conditions(stop, clients or Clients())
    return condition.look()


@pytest.fixture
def alarm(clients):
    """Makes the alarm, in a state."""

    def put(state):
        cloudwatch = clients.aws("cloudwatch", "us-east-1")
        cloudwatch.put_metric_alarm(AlarmName="orders-5xx", **METRIC)
        cloudwatch.set_alarm_state(AlarmName="orders-5xx", StateValue=state, StateReason="the test says so")

    return put


METRIC = {
    "MetricName": "5xx",
    "Namespace": "shop",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 1.0,
    "ComparisonOperator": "GreaterThanThreshold",
    "Statistic": "Sum",
}


def test_an_alarm_that_is_ok_stops_nothing(clients, alarm):
    alarm("OK")
    assert look(ALARM, clients) is None


@pytest.mark.parametrize("state", ["ALARM", "INSUFFICIENT_DATA"])
def test_an_alarm_that_is_not_ok_stops(clients, alarm, state):
    alarm(state)
    assert look(ALARM, clients) == f"alarm orders-5xx of us-east-1 is in the state {state}"


@pytest.mark.parametrize(("state", "stops"), [("OK", False), ("ALARM", True)])
def test_an_alarm_over_other_alarms_counts_too(clients, state, stops):
    asked = {"AlarmNames": ["orders-5xx"], "AlarmTypes": ["MetricAlarm", "CompositeAlarm"]}
    found = {"MetricAlarms": [], "CompositeAlarms": [{"AlarmName": "orders-5xx", "StateValue": state}]}
    with Stubber(clients.aws("cloudwatch", "us-east-1")) as moto_has_none:
        moto_has_none.add_response("describe_alarms", found, asked)
        assert bool(look(ALARM, clients)) is stops


def test_an_alarm_that_does_not_exist_there_stops(clients, alarm):
    alarm("OK")
    elsewhere = StopConditions(alarms=(Alarm(name="orders-5xx", region="us-west-2"),))
    assert "of us-west-2 does not exist, so nothing would stop the drill" in look(elsewhere, clients)


def test_an_alarm_that_cannot_be_read_is_not_answered_for(monkeypatch, clients):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(ServiceUnreachable, match="could not look at alarm orders-5xx: CloudWatch of us-east-1"):
        look(ALARM, Clients(attempts=1))


def test_what_cloudwatch_does_not_permit_is_said_in_one_line(clients):
    with Stubber(clients.aws("cloudwatch", "us-east-1")) as strict:
        strict.add_client_error("describe_alarms", "AccessDenied", "not authorized:\n<b>no</b>", 403)
        with pytest.raises(ServiceUnreachable, match=r"AccessDenied.*not authorized: <b>no</b>") as unknown:
            look(ALARM, clients)
    assert "\n" not in str(unknown.value)


def test_what_looking_at_alarms_takes_is_said_by_region():
    alarms = [Alarm(name=name, region=region) for name, region in (("a", "us-west-2"), ("b", "us-west-2"))]
    (need,) = needs(StopConditions(alarms=tuple(alarms)))
    assert (need.action, need.resources) == ("cloudwatch:DescribeAlarms", ("*",))
    assert need.when == ("StringEquals", "aws:RequestedRegion", "us-west-2")


@pytest.fixture(scope="module")
def answers():
    """A server that says whatever is put into it: status, body, and how long it waits first."""
    said = {}

    class Saying(BaseHTTPRequestHandler):
        def do_GET(self):
            said["asked"] = self.path
            if said.get("hangs"):
                said["hangs"].wait(10)
            self.send_response(said["status"])
            self.end_headers()
            self.wfile.write(said["body"])

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Saying)
    server.handle_error = lambda *_: None  # who hangs too long finds that nobody listens any more
    threading.Thread(target=server.serve_forever, daemon=True).start()
    said["url"] = f"http://127.0.0.1:{server.server_port}"
    yield said
    server.shutdown()
    server.server_close()


def burnt(url, query="budget", **limits):
    limits = limits or {"below": 0.2}
    return StopConditions(queries=(Query(name="share of the error budget left", url=url, query=query, **limits),))


def said(answers, body, status=200):
    answers.update(body=body if isinstance(body, bytes) else json.dumps(body).encode(), status=status)
    return look(burnt(answers["url"]))


def vector(*values):
    result = [{"metric": {"n": str(number)}, "value": [1.0, value]} for number, value in enumerate(values)]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def test_the_query_is_asked_as_it_is_written(answers):
    answers.update(body=json.dumps(vector("1")).encode(), status=200)
    assert look(burnt(answers["url"] + "/prometheus/", query='sum(x{a="b & c"})')) is None
    assert answers["asked"] == "/prometheus/api/v1/query?query=sum%28x%7Ba%3D%22b+%26+c%22%7D%29"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (vector("0.2"), None),
        (vector("0.19"), "share of the error budget left is 0.19, below 0.2"),
        (vector("0.9", "0.1"), "share of the error budget left is 0.1, below 0.2"),
        (vector("-Inf"), "share of the error budget left is -inf, below 0.2"),
        (vector(), "share of the error budget left cannot be told: the query gives no sample"),
        (vector("0.9", "NaN"), "share of the error budget left cannot be told: the query gives NaN"),
        ({"status": "success", "data": {"resultType": "scalar", "result": [1.0, "0.1"]}}, "is 0.1, below 0.2"),
        ({"status": "success", "data": {"resultType": "scalar", "result": [1.0, "0.3"]}}, None),
    ],
)
def test_every_sample_has_to_be_fine(answers, body, reason):
    found = said(answers, body)
    assert found is None if reason is None else found.endswith(reason)


def test_a_query_may_stop_above_and_below(answers):
    answers.update(body=json.dumps(vector("5")).encode(), status=200)
    assert look(burnt(answers["url"], above=4)) == "share of the error budget left is 5, above 4"
    assert look(burnt(answers["url"], above=5, below=5)) is None
    assert look(burnt(answers["url"], above=9, below=6)) == "share of the error budget left is 5, below 6"


@pytest.mark.parametrize(
    ("body", "status", "problem"),
    [
        (b"<html>sign in</html>", 200, "answered without JSON"),
        (b"\xff\xfe", 200, "answered without JSON"),
        (b"[1]", 200, r"answered without success: \[1\]"),
        ({"status": "error", "error": "parse error at char 3"}, 400, "answered 400: parse error at char 3"),
        ({"status": "error", "error": "query timed out"}, 200, "answered without success: query timed out"),
        (b"upstream\nis down", 503, "answered 503: upstream is down"),
        (b"", 500, "answered 500: nothing"),
        ({"status": "success", "data": {"resultType": "matrix", "result": []}}, 200, "no vector and no scalar"),
        ({"status": "success", "data": {"resultType": "vector", "result": [{}]}}, 200, "no vector and no scalar"),
        ({"status": "success", "data": {"resultType": "vector", "result": None}}, 200, "no vector and no scalar"),
        ({"status": "success", "data": None}, 200, "no vector and no scalar"),
        (vector("many"), 200, "no vector and no scalar"),
        (vector("1") | {"warnings": ["a store is missing"]}, 200, "part may be missing: a store is missing"),
        (b" " * (4 * 1024 * 1024 + 1), 200, "answered more than 4194304 bytes"),
    ],
)
def test_an_answer_that_says_nothing_is_not_answered_for(answers, body, status, problem):
    with pytest.raises(ServiceUnreachable, match=problem) as unknown:
        said(answers, body, status)
    assert str(unknown.value).startswith("could not ask for share of the error budget left: Prometheus at http://127")
    assert "\n" not in str(unknown.value)


def test_a_prometheus_that_is_not_there_or_hangs_is_not_answered_for(answers, monkeypatch):
    with pytest.raises(ServiceUnreachable, match="did not answer"):
        look(burnt("http://127.0.0.1:9"))
    monkeypatch.setattr("blackstart.changes.conditions.ANSWER_SECONDS", 0.1)
    answers["hangs"] = threading.Event()
    with pytest.raises(ServiceUnreachable, match="did not answer: timed out"):
        said(answers, vector("1"))
    answers.pop("hangs").set()


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    """A real one, which watches itself."""
    binary = shutil.which("prometheus")
    if binary is None:
        pytest.skip("prometheus is not installed")
    folder = tmp_path_factory.mktemp("prometheus")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    target = f"{{static_configs: [{{targets: ['127.0.0.1:{port}']}}], job_name: itself, scrape_interval: 1s}}"
    (folder / "prometheus.yml").write_text(f"scrape_configs: [{target}]\n")
    arguments = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [binary, *arguments, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log
        )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            if _has_samples(url):
                break
            time.sleep(0.05)
        yield url
    finally:
        process.kill()
        process.wait()


def _has_samples(url):
    try:
        with urllib.request.urlopen(f"{url}/api/v1/query?query=up", timeout=1) as answer:
            return [each["value"][1] for each in json.loads(answer.read())["data"]["result"]] == ["1"]
    except OSError:
        return False


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("up", None),
        ("up * 0.1", "is 0.1, below 0.2"),
        ("0.1", "is 0.1, below 0.2"),
        ("up / up", None),
        ("no_such_metric", "the query gives no sample"),
        ("0 / (up - 1)", "the query gives NaN"),
    ],
)
def test_a_real_prometheus_is_understood(prometheus, query, reason):
    found = look(burnt(prometheus, query=query))
    assert found is None if reason is None else found.endswith(reason)


@pytest.mark.parametrize("query", ["up[", "up[5m]", '"text"'])
def test_a_real_prometheus_that_does_not_understand_is_not_answered_for(prometheus, query):
    with pytest.raises(ServiceUnreachable, match="could not ask for share of the error budget left"):
        look(burnt(prometheus, query=query))
