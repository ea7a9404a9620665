"""The operator's steps: who decides, what is noted and when, and what a plan makes of them."""

import asyncio
import json
import os
import threading
from random import Random

import kube_server
import pytest
from aiohttp import web
from kube_server import LABELS, NAMESPACE, ORDERS

from blackstart.actions import _operating as operating
from blackstart.actions.operator import (
    decide,
    promote_database,
    scale_standby,
    suspend_automation,
    switch_dns,
    warm_cache,
)
from blackstart.changes.undo import undo
from blackstart.clock import SystemClock
from blackstart.drill import DRILL_KEY, RunningDrill
from blackstart.errors import ConfigInvalid, DrillStopped, Refused, ServiceUnreachable
from blackstart.lab.serving import answering
from blackstart.observer import events
from blackstart.observer.events import EventLog
from blackstart.planning import PlannedDrill
from blackstart.settings import Service, Settings
from blackstart.testing import FakeClock

CLUSTER = {"context": "shop-admin", "namespace": NAMESPACE}


def running(folder, gate, clock, port=1):
    """A drill without an observer, whose service is at ``port`` of this machine."""
    (folder / "drill.json").write_text('{"origin_monotonic": 0.0}')
    service = Service(name="orders", host="127.0.0.1", port=port, home_region="us-east-1")
    settings = Settings(scope=gate.scope, service=service)
    return RunningDrill("drill-1", folder, settings, gate, EventLog(folder, clock, 0.0), Random(1), clock)


@pytest.fixture
def drill(tmp_path, wide_gate):
    return running(tmp_path, wide_gate, wide_gate.reach.clock)


@pytest.fixture
def at(drill):
    return {DRILL_KEY: drill}


@pytest.fixture
def planned(drill):
    return {DRILL_KEY: PlannedDrill(drill.gate.scope, drill.gate.reach, Random(1))}


def told(drill):
    """The events, without when."""
    return [{"kind": event.kind, **event.fields} for event in events.read(drill.journal)]


def test_without_a_terminal_the_decision_falls_after_its_time_and_is_noted_then(drill, at):
    before = drill.clock.monotonic()
    assert decide(after_seconds=7.0, configuration=at)["decision"] == "yes"
    assert drill.clock.monotonic() == pytest.approx(before + 7.0)
    (event,) = events.read(drill.journal)
    assert (event.kind, event.at) == ("decide", pytest.approx(before + 7.0))
    assert (event.fields["source"], event.fields["reason"]) == ("operator", "FailoverDecided")


def test_a_no_ends_the_drill(drill, at):
    with pytest.raises(DrillStopped, match="the operator decided not to go on"):
        decide(answer="no", configuration=at)
    assert told(drill) == []
    with pytest.raises(ConfigInvalid, match="'perhaps' is neither yes nor no"):
        decide(answer="perhaps", configuration=at)


def test_a_drill_that_is_stopped_meanwhile_waits_no_longer(drill, at):
    drill.gate.reach.log.begin(drill.gate.drill)
    drill.gate.reach.log.stop(drill.id, "somebody had enough")
    with pytest.raises(DrillStopped, match="somebody had enough"):
        decide(after_seconds=7.0, configuration=at)
    assert told(drill) == []


@pytest.fixture
def keyboard(monkeypatch):
    """A terminal; gives what types at it."""
    ours, theirs = os.openpty()
    with os.fdopen(theirs) as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        yield lambda line: os.write(ours, line.encode())
    os.close(ours)


def test_at_a_terminal_people_are_asked_until_they_say_yes_or_no(tmp_path, wide_gate, keyboard):
    drill = running(tmp_path, wide_gate, SystemClock())
    keyboard("perhaps\nyes\n")
    assert decide(after_seconds=0.0, limit_seconds=10.0, configuration={DRILL_KEY: drill}) == {
        "decision": "yes",
        "by": "an operator at the terminal",
    }
    keyboard("no\n")
    with pytest.raises(DrillStopped, match="decided not to go on"):
        decide(limit_seconds=10.0, configuration={DRILL_KEY: drill})


def test_at_a_terminal_a_question_that_nobody_answers_ends_the_drill(tmp_path, wide_gate, keyboard):
    drill = running(tmp_path, wide_gate, SystemClock())
    wide_gate.reach.log.begin(wide_gate.drill)
    with pytest.raises(DrillStopped, match=r"nobody answered within 0\.3 s"):
        decide(limit_seconds=0.3, configuration={DRILL_KEY: drill})
    assert wide_gate.reach.log.stopping(drill.id) == "nobody answered within 0.3 s"


def test_a_plan_asks_nobody_and_waits_for_nothing(kube, planned):
    assert decide(after_seconds=7.0, configuration=planned)["decision"] == ""
    assert warm_cache(configuration=planned)["hit_ratio"] == 0.0
    assert switch_dns("us-west-2", configuration=planned) == {"changes": []}
    kube.patch(f"/api/v1/namespaces/{NAMESPACE}", {"metadata": {"labels": LABELS}})
    suspend_automation(**CLUSTER, configuration=planned)
    (proposal,) = planned[DRILL_KEY].proposals
    assert (proposal.objections, [each.kind for each in proposal.changes]) == ((), ["kubernetes.config_value"])


def test_the_standby_is_scaled_up_noted_when_all_is_ready_and_scaled_down_again(kube, drill, at):
    with kube_server.settled_orders(kube) as settle:
        healing = threading.Thread(target=lambda: kube_server.heal(kube, 6))
        healing.start()
        told_ = scale_standby(**CLUSTER, deployment="orders", replicas=6, limit_seconds=9000, configuration=at)
        healing.join()
        assert told_["changes"] == ["Deployment shop/orders: 4 → 6 replicas"]
        (event,) = told(drill)
        assert (event["kind"], event["reason"]) == ("ready", "CapacityScaled")
        again = scale_standby(**CLUSTER, deployment="orders", replicas=5, configuration=at)
        assert again["changes"] == []  # nothing is made smaller
        undo("drill-1", drill.gate.reach)
        assert kube.get(ORDERS)["spec"]["replicas"] == 4
        settle()
        assert undo("drill-1", drill.gate.reach).complete


def test_a_step_that_does_not_show_is_not_noted(kube, drill, at):
    with (
        kube_server.settled_orders(kube),
        pytest.raises(ServiceUnreachable, match="6 replicas ready: orders does not show it after 3 s"),
    ):
        scale_standby(**CLUSTER, deployment="orders", replicas=6, limit_seconds=3, configuration=at)
    assert told(drill) == []


def test_node_groups_are_given_by_name_and_number(at):
    for listed in ("spot", "spot=many", "=2"):
        with pytest.raises(ConfigInvalid, match="is not of the form name=nodes"):
            scale_standby(**CLUSTER, deployment="orders", replicas=6, node_groups=listed, configuration=at)
    with pytest.raises(Refused, match="no Deployment orders"):
        scale_standby(**CLUSTER, deployment="orders", replicas=6, configuration=at)


def test_the_cache_is_warm_when_it_had_its_share_of_the_products(tmp_path, wide_gate):
    cached: set[str] = set()

    async def product(request):
        known = request.match_info["number"] in cached
        cached.add(request.match_info["number"])
        return web.Response(headers={"x-cache": "hit" if known else "miss", "x-region": "us-west-2"})

    def serve(ready, ended):
        async def serving():
            app = web.Application()
            app.router.add_get("/products/{number}", product)
            async with answering(app, "127.0.0.1", 0) as port:
                ports.append(port)
                ready.set()
                await asyncio.to_thread(ended.wait)

        asyncio.run(serving())

    ports, ready, ended = [], threading.Event(), threading.Event()
    server = threading.Thread(target=serve, args=(ready, ended))
    server.start()
    try:
        assert ready.wait(10)
        drill = running(tmp_path, wide_gate, FakeClock(), ports[0])
        warmed = warm_cache("us-west-2", products=20, configuration={DRILL_KEY: drill})
        assert warmed["hit_ratio"] == 1.0
        assert [(event["kind"], event["reason"]) for event in told(drill)] == [("cache", "CacheWarmed")]
        with pytest.raises(ServiceUnreachable, match="90% of the products in the cache"):
            warm_cache("us-east-1", products=20, limit_seconds=1, configuration={DRILL_KEY: drill})
    finally:
        ended.set()
        server.join()


def test_dns_that_has_moved_by_itself_is_noted_as_that(drill, at):
    (drill.journal / "changes.jsonl").write_text(
        json.dumps({"change": "bs-1", "state": "applied", "monotonic": 1.0}) + "\n"
    )
    moved = {
        "name": "orders",
        "before": ["10.0.0.1"],
        "after": ["10.0.0.2"],
        "last_old": 1.5,
        "first_new": 2.0,
        "ttl": 1,
    }
    drill.events.add("dns", **moved)
    assert switch_dns("us-west-2", configuration=at)["changes"] == []
    event = told(drill)[-1]
    assert (event["kind"], event["source"]) == ("dns", "operator")
    assert "moved already, by its health check" in event["message"]


def test_another_way_to_switch_dns_and_a_share_of_nothing_are_no_configuration(at):
    with pytest.raises(ConfigInvalid, match="'prayer' is not a way to switch DNS"):
        switch_dns("us-west-2", by="prayer", configuration=at)
    with pytest.raises(ConfigInvalid, match="share"):
        warm_cache(share=0, configuration=at)


def test_what_a_database_or_cache_that_does_not_answer_says_is_no():
    assert not operating.database_writes("host=127.0.0.1 port=9 dbname=shop user=shop")
    assert not operating.cache_leads("redis://127.0.0.1:9")


def test_without_a_drill_nothing_is_promoted():
    with pytest.raises(Refused, match="no drill is open"):
        promote_database("shop", "us-west-2", configuration={})
