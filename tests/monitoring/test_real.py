"""Against a real Prometheus and a real Alertmanager: they are understood, and an alert is seen to come and go."""

import asyncio
import json
import time
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest
import real

from blackstart.clock import SystemClock
from blackstart.errors import ServiceUnreachable
from blackstart.monitoring import alertmanager
from blackstart.monitoring.alerts import Alerts
from blackstart.monitoring.collect import Span, collect
from blackstart.monitoring.detection import Drill, Outcome, detections
from blackstart.monitoring.prometheus import Prometheus
from blackstart.monitoring.web import Endpoint
from blackstart.monitoring_settings import Monitoring
from blackstart.observer.events import EventLog, read

SERVED, NAMES = "1 - orders_failing_share", ("OrdersFailing", "OrdersPending", "NoSuchAlert")


def ask(url):
    return Prometheus(Endpoint("Prometheus", url))


def no_cloudwatch(region):
    raise AssertionError(region)


def test_its_own_clock_is_ours(world):
    assert abs(ask(world.prometheus).now() - time.time()) < 0.5


def test_a_range_is_its_values_and_gaps_where_there_are_none(world):
    now = time.time()
    asked = [now - 3, now - 2, now - 1, now]
    (series,) = ask(world.prometheus).range(f"vector(time()) > {now - 1.5:.3f}", asked, "ask")
    assert series.values[:2] == (None, None)
    assert [round(value - now) for value in series.values[2:]] == [-1, 0]
    (series,) = ask(world.prometheus).range("vector(0) / 0", asked, "ask")
    assert series.values == (None,) * 4
    assert ask(world.prometheus).range("no_such_metric", [now - 1, now], "ask") == []


@pytest.mark.parametrize("query", ["up[", '"text"', "up[5m]"])
def test_a_query_that_it_does_not_understand_is_not_answered_for(world, query):
    with pytest.raises(ServiceUnreachable, match="could not ask for availability: Prometheus at http://127"):
        ask(world.prometheus).range(query, [1.0, 2.0], "ask for availability")


def test_a_long_range_is_asked_for_in_parts(world):
    now = time.time()
    (series,) = ask(world.prometheus).range("vector(1)", [now - 12_000 + at for at in range(12_000)], "ask")
    assert series.values == (1.0,) * 12_000


def test_an_alert_is_seen_to_fire_and_to_end_and_is_remembered(world, tmp_path):
    """The whole way: polled while it happens, asked for afterwards, put beside the fault."""
    monitoring = Monitoring(
        prometheus=world.prometheus, alertmanager=world.alertmanager, alerts=NAMES, availability=SERVED,
        poll_seconds=0.2, step_seconds=0.5,
    )  # fmt: skip
    clock = SystemClock()
    origin, started = clock.monotonic(), clock.now()
    log = EventLog(tmp_path, clock, origin)
    fault_at, ended = asyncio.run(_break(world, monitoring, log, clock, tmp_path))
    drill = Drill(started, fault_at, log.now())
    record = collect(monitoring, Span(started, 0.0, log.now(), log.now), no_cloudwatch)
    assert record.problems == {"prometheus": ""}
    (signal,) = record.signals
    assert not signal.problem
    assert min(p.value for p in signal.points if p.value is not None and p.end > fault_at) == 0.5
    found = {each.name: each for each in detections(monitoring.expected, read(tmp_path), record, drill)}
    fired = found["OrdersFailing"]
    assert (fired.outcome, fired.source) == (Outcome.FIRED, "alertmanager")
    assert fault_at <= fired.low <= fired.fired <= fired.high < ended
    assert fired.high - fired.low < 5  # on a busy machine
    assert fired.resolved > ended
    assert found["OrdersPending"].outcome is Outcome.SILENT  # it is only ever pending
    assert found["NoSuchAlert"].outcome is Outcome.SILENT
    alone = {each.name: each for each in detections(monitoring.expected, [], record, drill)}
    assert alone["OrdersFailing"].outcome is Outcome.UNKNOWN  # that Prometheus remembers is not that people were told
    assert "fired in prometheus" in alone["OrdersFailing"].why
    told = {each.name: each for each in detections([("OrdersFailing", "prometheus")], [], record, drill)}
    assert abs(told["OrdersFailing"].fired - fired.fired) < 5


async def _break(world, monitoring, log, clock, folder):
    """Fail until both have said so for two seconds; when that began, and ended."""
    alerts = Alerts(monitoring, log, clock)
    await alerts.prepare()
    watching = asyncio.create_task(alerts.run())
    await _seen(folder, "inactive")
    fault_at, world.values["orders_failing_share"] = log.now(), 0.5
    await _seen(folder, "firing")
    await asyncio.sleep(2.0)
    ended, world.values["orders_failing_share"] = log.now(), 0.0
    await _seen(folder, "resolved")
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    return fault_at, ended


async def _seen(folder, state):
    """Both sources have said this of the alert."""
    both = {"alertmanager", "prometheus"}
    while {event.fields["source"] for event in read(folder) if event.fields["state"] == state} != both:  # noqa: ASYNC110
        await asyncio.sleep(0.1)


def test_a_silenced_alert_tells_nobody(world):
    names, endpoint = ["By Hand"], Endpoint("Alertmanager", world.alertmanager)
    assert alertmanager.alerts(endpoint, names) == []
    post(world, "alerts", [{"labels": {"alertname": "By Hand", "zone": zone}} for zone in ("a", "b")])
    held = real.until(lambda: alertmanager.alerts(endpoint, names), "the alerts did not come")
    assert [(each.name, each.told) for each in held] == [("By Hand", True)] * 2
    now = datetime.now(UTC)
    silence = {
        "matchers": [{"name": "alertname", "value": "By Hand", "isRegex": False, "isEqual": True}],
        "startsAt": now.isoformat(), "endsAt": (now + timedelta(hours=1)).isoformat(), "createdBy": "a", "comment": "b",
    }  # fmt: skip
    post(world, "silences", silence)
    real.until(lambda: not any(each.told for each in alertmanager.alerts(endpoint, names)), "it was not silenced")


def post(world, path, data):
    body = json.dumps(data).encode()
    request = urllib.request.Request(
        f"{world.alertmanager}/api/v2/{path}", body, {"Content-Type": "application/json"}, method="POST"
    )
    urllib.request.urlopen(request, timeout=5).close()


def test_a_prometheus_that_is_not_there_is_a_problem_in_the_record():
    monitoring = Monitoring(prometheus="http://me:secret@127.0.0.1:9", alerts=NAMES, availability=SERVED)
    record = collect(monitoring, Span(datetime.now(UTC), 0.0, 10.0, lambda: 10.0), no_cloudwatch)
    assert "Prometheus at http://…@127.0.0.1:9 did not answer" in record.signals[0].problem
    assert record.problems["prometheus"] == record.signals[0].problem
    assert "secret" not in json.dumps(record.to_json())
