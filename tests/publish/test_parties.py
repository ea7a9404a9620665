"""What each is told, as the other side of a real connection reads it."""

import base64
import hashlib
import hmac
import json
import stat
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

sys.path.append(str(Path(__file__).parent))
import planted
from answering import say

from blackstart.errors import NotTold
from blackstart.journal_settings import Publish
from blackstart.publish import facts, grafana, prometheus, slack, traces, webhook
from blackstart.publish.parties import of

ORIGIN = planted.STARTED.timestamp()
PUSHED = "/metrics/job/blackstart/experiment/region-loss/environment/lab/service/orders"
HOSTILE = {"fault": "<script>alert(1)</script>", "title": "*x* <!channel>", "service": "a/b <x>"}


def tell(to, told, sender, **settings):
    """As [publish] with one table says."""
    (party,) = [party for party in of(Publish.model_validate({to: settings}), told.moment) if party.to == to]
    party.tell(told, replace(sender, to=party.who))


@pytest.fixture(scope="session")
def hostile(tmp_path_factory):
    """A drill whose every word is markup."""
    return facts.ended(planted.plant(tmp_path_factory.mktemp("hostile"), planted.SMALL, **HOSTILE), "")


class Grafana:
    """As much of Grafana's API as annotations need, and as strict about its types."""

    def __init__(self):
        self.kept = {}

    def __call__(self, handler, number):
        got = handler.server.got[-1]
        if got.headers["Authorization"] != "Bearer glsa_x":
            return say(handler, 401, b'{"message": "Unauthorized"}')
        asked = urlsplit(got.path)
        if got.method == "GET":
            tags = set(parse_qs(asked.query)["tags"])
            found = [{"id": key, **each} for key, each in self.kept.items() if tags <= set(each["tags"])]
            return say(handler, 200, json.dumps(found).encode())
        body = json.loads(got.body)
        assert isinstance(body["time"], int)
        assert all(isinstance(tag, str) for tag in body["tags"])
        key = len(self.kept) + 1 if got.method == "POST" else int(asked.path.rpartition("/")[2])
        self.kept[key] = {**self.kept.get(key, {}), **body}
        return say(handler, 200, b'{"message": "ok"}')


def test_grafana_has_one_region_from_the_fault_to_the_recovery(server, sender, drill, started, monkeypatch):
    server.answer = shown = Grafana()
    monkeypatch.setenv("GRAFANA_TOKEN", "glsa_x")
    settings = {"url": f"{server.url}/sub/", "token_env": "GRAFANA_TOKEN", "tags": ["payments"]}
    tell("grafana", started, sender, **settings)
    (first,) = shown.kept.values()
    assert first["time"] == round(ORIGIN * 1000)
    assert "timeEnd" not in first
    assert "verdict:started" in first["tags"]
    for _ in range(2):
        tell("grafana", drill, sender, **settings)
    (last,) = shown.kept.values()
    assert last["time"] == round((ORIGIN + 10) * 1000)
    assert last["timeEnd"] == round((ORIGIN + drill.measured.users.recovered_at) * 1000)
    assert {"blackstart", "drill:0142", "experiment:region-loss", "environment:lab", "payments"} < set(last["tags"])
    assert f"verdict:{drill.moment}" in last["tags"]
    assert "verdict:started" not in last["tags"]
    assert '<a href="https://reports.example.org/region-loss/' in last["text"]
    assert {urlsplit(got.path).path.rstrip("0123456789") for got in server.got} == {
        "/sub/api/annotations", "/sub/api/annotations/",
    }  # fmt: skip


def test_grafana_gets_no_markup_out_of_a_journal(hostile):
    told = grafana.annotation(hostile, Publish.model_validate({"grafana": {"url": "http://g"}}).grafana)
    assert "<script>" not in told["text"]
    assert "&lt;script&gt;" in told["text"]


@pytest.mark.parametrize("answer", [b"<html>", b"{}", b'[{"id": "x"}]', b"[1]", b'{"message": "hi"}', b"\xff"])
def test_grafana_that_answers_something_else(server, sender, drill, answer):
    server.answer = lambda handler, number: say(handler, 200, answer)
    if answer == b"{}":
        return tell("grafana", drill, sender, url=server.url)
    with pytest.raises(NotTold, match="no list of annotations"):
        tell("grafana", drill, sender, url=server.url)
    return None


def test_a_drill_without_a_fault_is_shown_as_a_whole(tmp_path):
    told = facts.ended(planted.plant(tmp_path, planted.SMALL, fault_at=None), "")
    began, ended = grafana.span(told)
    assert (began, ended) == (planted.STARTED, told.measured.wall(told.measured.users.end))


def test_a_pushgateway_is_given_the_whole_group_anew(server, sender, drill):
    tell("pushgateway", drill, sender, url=f"{server.url}/")
    (got,) = server.got
    assert (got.method, got.path) == ("PUT", PUSHED)
    assert b"blackstart_drill_lost_writes" in got.body
    assert got.headers["Content-Type"].startswith("text/plain; version=0.0.4")


def test_a_group_may_have_any_name(hostile):
    """Pushgateway takes what a path cannot hold as base64; an empty value is one padding character."""
    settings = Publish.model_validate({"pushgateway": {"url": "http://p"}}).pushgateway
    assert prometheus.group_url(hostile, settings).endswith(
        "/service@base64/" + base64.urlsafe_b64encode(b"a/b <x>").decode()
    )
    nameless = replace(hostile, drill=replace(hostile.drill, environment=""))
    assert "/environment@base64/=/" in prometheus.group_url(nameless, settings)


def test_a_text_file_is_replaced_as_a_whole_and_can_be_read_by_others(tmp_path, drill, sender):
    for _ in range(2):
        tell("textfile", drill, sender, folder=str(tmp_path))
    (path,) = tmp_path.iterdir()
    assert path.name == "blackstart_region-loss_lab.prom"
    assert path.read_text().endswith("# EOF\n")
    assert path.stat().st_mode & stat.S_IROTH


def test_a_folder_that_is_not_there_is_not_made(tmp_path, drill, sender):
    with pytest.raises(NotTold, match=r"could not be written \(.*No such file"):
        tell("textfile", drill, sender, folder=str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_a_webhook_can_check_who_sent_it(server, sender, drill, tmp_path):
    """As standardwebhooks.com says; the same drill has the same id, so a receiver can tell a second delivery."""
    key = base64.b64encode(b"k" * 24).decode()
    (tmp_path / "secret").write_text(f"whsec_{key}\n")
    for _ in range(2):
        _hook(drill, sender, server, str(tmp_path / "secret"))
    first, second = server.got
    told, at = first.headers["webhook-id"], first.headers["webhook-timestamp"]
    signed = hmac.new(b"k" * 24, f"{told}.{at}.".encode() + first.body, hashlib.sha256).digest()
    assert first.headers["webhook-signature"] == f"v1,{base64.b64encode(signed).decode()}"
    assert abs(int(at) - datetime.now(UTC).timestamp()) < 60
    assert told == second.headers["webhook-id"]
    body = json.loads(first.body)
    assert body["type"] == "drill.ended"
    assert body["drill"]["experiment"] == "region-loss"
    assert body["outcome"]["verdict"] == body["moment"] == drill.moment
    assert body["report"].startswith("https://reports.example.org/region-loss/")


def _hook(told, sender, server, secret_file=""):
    hook = {"name": "chatops", "url": f"{server.url}/hook/s3cret?key=1", "secret_file": secret_file}
    hook["on"] = ["started", "passed", "failed", "inconclusive"]
    (party,) = of(Publish.model_validate({"webhook": [hook]}), told.moment)
    party.tell(told, replace(sender, to=party.who))


def test_a_webhook_is_told_of_the_start_if_it_wants_to(server, sender, started):
    _hook(started, sender, server)
    body = json.loads(server.got[0].body)
    assert (body["type"], body["outcome"], body["moment"]) == ("drill.started", None, "started")
    assert server.got[0].headers["webhook-signature"] is None


def test_a_secret_that_is_no_base64(server, sender, drill, tmp_path):
    (tmp_path / "secret").write_text("whsec_§§§")
    with pytest.raises(NotTold, match="not base64") as error:
        _hook(drill, sender, server, str(tmp_path / "secret"))
    assert "§" not in str(error.value)


def test_a_webhooks_address_is_in_no_message(server, sender, drill):
    server.answer = lambda handler, number: say(handler, 404, b"nothing at /hook/s3cret?key=1")
    with pytest.raises(NotTold, match="The webhook chatops") as error:
        _hook(drill, sender, server)
    assert "s3cret" not in str(error.value)


def _slack(told, sender, server, monkeypatch):
    monkeypatch.setenv("SLACK_URL", f"{server.url}/services/T0/B0/s3cret")
    (party,) = of(Publish.model_validate({"slack": [{"url_env": "SLACK_URL"}]}), told.moment)
    party.tell(told, replace(sender, to=party.who))


def test_slack_shows_the_verdict_the_reason_and_the_objectives(server, sender, drill, monkeypatch):
    _slack(drill, sender, server, monkeypatch)
    (got,) = server.got
    assert got.path == "/services/T0/B0/s3cret"
    told = json.loads(got.body)
    header, reason, objectives, context, actions = told["blocks"]
    assert header["text"]["text"] == f"{drill.moment.upper()} · orders · loss of region us-east-1"
    assert reason["text"]["text"] == slack.escaped(drill.sentence)
    assert objectives["fields"][0]["text"].startswith("✗ ")
    assert "drill 0142" in context["elements"][0]["text"]
    assert actions["elements"][0]["url"] == drill.report
    assert drill.moment.upper() in told["text"]


def test_slack_gets_no_markup_out_of_a_journal_and_nothing_too_long(hostile):
    long = replace(
        hostile, drill=replace(hostile.drill, fault="<x>" * 2000), outcome={**hostile.outcome, "reason": "<" * 9000}
    )
    for told in (hostile, long):
        message = slack.message(told)
        header, reason, *_ = message["blocks"]
        assert len(header["text"]["text"]) <= 150
        assert len(reason["text"]["text"]) <= 3000
        assert "<" not in message["text"]
        assert "<" not in reason["text"]["text"]


def test_slack_is_told_once_and_its_no_is_heard(server, sender, drill, monkeypatch):
    server.answer = lambda handler, number: say(handler, 200, b"<html>sign in</html>")
    with pytest.raises(NotTold, match=r"Slack \(slack\) .* where Slack says ok") as error:
        _slack(drill, sender, server, monkeypatch)
    assert "s3cret" not in str(error.value)
    assert len(server.got) == 1


def test_a_trace_is_one_that_opentelemetry_reads(server, sender, drill):
    service = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
    parse = pytest.importorskip("google.protobuf.json_format").Parse
    server.answer = lambda handler, number: say(handler, 200, b'{"partialSuccess": {}}')
    tell("opentelemetry", drill, sender, url=server.url, headers={"X-Scope-OrgID": "shop"})
    (got,) = server.got
    assert (got.path, got.headers["X-Scope-OrgID"]) == ("/v1/traces", "shop")
    (resource,) = parse(_proto(got.body), service.ExportTraceServiceRequest()).resource_spans
    spans = {span.name: span for span in resource.scope_spans[0].spans}
    root = spans["drill region-loss"]
    assert all(len(span.span_id) == 8 and span.trace_id == root.trace_id for span in spans.values())
    assert len({span.span_id for span in resource.scope_spans[0].spans}) == len(resource.scope_spans[0].spans)
    assert root.status.code == traces.STATUS[drill.moment]
    assert not root.parent_span_id
    assert spans["fault"].start_time_unix_nano == round((ORIGIN + 10) * 1e6) * 1000
    assert spans["step: promote"].parent_span_id == spans["recovery"].span_id
    steps = [span for name, span in spans.items() if name.startswith("step: ")]
    took = sum(span.end_time_unix_nano - span.start_time_unix_nano for span in steps) / 1e9
    assert took == pytest.approx(drill.outcome["rto_seconds"], abs=1e-3)
    kept = {each.key: each.value for each in root.attributes}
    assert kept["blackstart.lost_writes"].int_value == 3
    assert kept["blackstart.reason"].string_value == drill.sentence
    assert {event.name for event in root.events} >= {"dns", "writer"}
    assert sum("network ACL" in name for name in spans) == 3


def _proto(body):
    """OTLP's JSON writes ids in hexadecimal, where protobuf's own JSON has base64."""
    told = json.loads(body)
    for span in told["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        for name in {"traceId", "spanId", "parentSpanId"} & set(span):
            span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
    return json.dumps(told)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [(b'{"partialSuccess": {"rejectedSpans": "2", "errorMessage": "too old"}}', "left out 2 spans: too old"),
     (b"<html>", "not that of a collector"), (b"[]", "not that of a collector")],
)  # fmt: skip
def test_a_collector_that_leaves_something_out(server, sender, drill, answer, problem):
    server.answer = lambda handler, number: say(handler, 200, answer)
    with pytest.raises(NotTold, match=problem):
        tell("opentelemetry", drill, sender, url=server.url)


def test_a_cut_off_drill_is_told_as_one(tmp_path):
    loose = {"rto_seconds": 60, **dict.fromkeys(("p95_seconds", "p99_seconds", "error_budget_share"))}
    cut = planted.plant(tmp_path, planted.SMALL, toolkit=None, undo_at=None, ended=False, left=3, objectives=loose)
    told = facts.ended(cut, "")
    assert told.moment == "inconclusive"
    root, *rest = traces.request(told)["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert root["status"]["code"] == 0
    ends = {span["endTimeUnixNano"] for span in rest if span["name"] == "fault"}
    assert ends == {root["endTimeUnixNano"]}
    assert "Not proven undone: 3" in json.dumps(slack.message(told))


def test_webhook_keys_that_are_plain_text():
    assert (
        webhook.signature("plain", "msg_1", "1", b"{}")
        == "v1," + base64.b64encode(hmac.new(b"plain", b"msg_1.1.{}", hashlib.sha256).digest()).decode()
    )
