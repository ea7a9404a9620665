"""Probes of the second half of a region drill, against journals as an observer and a drill leave them."""

import importlib.util
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from blackstart import drill as drills
from blackstart.clock import SystemClock, iso
from blackstart.errors import NotMeasured, Refused
from blackstart.observer import jsonl
from blackstart.probes import region

BEGUN = {"by": "drill", "begun": True}


@pytest.fixture(scope="session")
def planted():
    """The generator of synthetic journals."""
    path = Path(__file__).parent.parent / "journals" / "planted.py"
    spec = importlib.util.spec_from_file_location("planted_for_probes", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def journal(planted, tmp_path):
    """``journal(moves=False)``: a small region loss with these fields of its plan, as configuration."""

    def made(**changed):
        return {"blackstart_journal": str(planted.plant(tmp_path, planted.SMALL, databases=True, **changed))}

    return made


def test_writers_at_once_are_seconds_of_overlap(journal):
    assert region.writers_at_once(journal()) == 0.0
    assert 3.9 < region.writers_at_once(journal(second_writer=(25.0, 29.2))) <= 4.2


def test_without_a_look_at_two_databases_nobody_knows_who_writes(planted, tmp_path):
    folder = planted.plant(tmp_path, planted.SMALL)
    configuration = {"blackstart_journal": str(folder)}
    with pytest.raises(NotMeasured, match=r"name them in \[stores\]"):
        region.writers_at_once(configuration)
    for where, state in (("us-east-1", "writer"), ("us-west-2", "away")):
        line = {"at": 1.0, "kind": "database", "region": where, "state": state, "before": "", "asked": 0.9}
        jsonl.append(folder / "events.jsonl", line)
    with pytest.raises(NotMeasured, match="us-west-2 has never answered"):
        region.writers_at_once(configuration)


def test_the_way_home_is_timed_from_the_undo(journal):
    configuration = journal()
    assert region.failback_seconds(configuration=configuration) == pytest.approx(3.0, abs=0.1)
    assert region.failback_downtime_seconds(configuration=configuration) == 0.0


def test_a_way_home_that_has_not_ended_gives_none_and_no_downtime(journal):
    configuration = journal(home_again_at=99.0)
    assert region.failback_seconds(configuration=configuration) is None
    with pytest.raises(NotMeasured, match="us-west-2 still served users"):
        region.failback_downtime_seconds(configuration=configuration)


@pytest.mark.parametrize(
    ("changed", "because"),
    [
        ({"undo_at": None}, "nothing has been put back yet"),
        ({"moves": False}, "served by us-east-1 all along"),
        ({"nobody_for": 99.0, "partly_for": 99.0}, "nobody is known to have served users"),
    ],
)
def test_without_a_way_home_there_is_no_number(journal, changed, because):
    configuration = journal(**changed)
    for probe in (region.failback_seconds, region.failback_downtime_seconds):
        with pytest.raises(NotMeasured, match=because):
            probe(configuration=configuration)


@pytest.mark.parametrize("name", region.__all__)
def test_without_a_drill_no_probe_gives_a_number(name):
    arguments = {"region": "us-east-1"} if name == "calls_to_region" else {}
    with pytest.raises(NotMeasured):
        getattr(region, name)(**arguments)


@pytest.fixture
def platform():
    """A record of calls over HTTP; fill ``calls``."""
    calls = []

    class Record(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"calls": calls}).encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Record)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield SimpleNamespace(calls=calls, url=f"http://127.0.0.1:{server.server_port}/calls")
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def running(tmp_path, monkeypatch):
    """A drill whose fault began 5 s ago, with its own record of calls; ``running(url)`` is its configuration."""
    clock = SystemClock()
    origin = clock.monotonic() - 15
    (tmp_path / "drill.json").write_text(json.dumps({"origin_monotonic": origin}))
    line = {"state": "applied", "began": origin + 10, "monotonic": origin + 10.1}
    jsonl.append(tmp_path / "changes.jsonl", line)
    called = {"service": "rds", "region": "us-east-1", "operation": "D", "seconds": 1.0, "outcome": "ReadTimeoutError"}
    for record in (BEGUN, {"by": "drill", "monotonic": origin + 12, **called}):
        jsonl.append(tmp_path / "calls.jsonl", record)

    def configured(url):
        drill = SimpleNamespace(settings=SimpleNamespace(evidence=SimpleNamespace(calls_url=url)), clock=clock)
        monkeypatch.setattr(drills, "of", lambda configuration, subject: drill)
        return {"blackstart_journal": str(tmp_path)}

    return configured


def test_calls_are_those_of_the_drill_and_of_the_platform(running, platform):
    clock = SystemClock()
    for agent, where in (("failover-automation", "us-east-1"), ("orders", "us-west-2"), ("x blackstart", "us-east-1")):
        call = {"seq": len(platform.calls) + 1, "at": iso(clock.now()), "service": "rds", "operation": "D"}
        platform.calls.append({**call, "region": where, "status": 0, "user_agent": agent, "held": True})
    configuration = running(platform.url)
    assert region.calls_to_region("us-east-1", configuration=configuration) == 2
    assert region.calls_to_region("us-east-1", "automation", configuration) == 1
    assert region.calls_to_region("us-east-1", "drill", configuration) == 1
    assert region.calls_to_region("eu-west-1", configuration=configuration) == 0


def test_without_the_platforms_record_only_the_drills_own_calls_are_known(running):
    assert region.calls_to_region("us-east-1", "drill", running("")) == 1
    with pytest.raises(NotMeasured, match="calls_url"):
        region.calls_to_region("us-east-1", configuration=running(""))
    with pytest.raises(NotMeasured, match="could not read which AWS calls were made"):
        region.calls_to_region("us-east-1", configuration=running("http://127.0.0.1:1/calls"))


def test_a_drill_that_does_not_run_has_no_record_of_the_platforms(planted, tmp_path):
    folder = planted.plant(tmp_path, planted.SMALL, calls=(BEGUN,))
    with pytest.raises(Refused):
        region.calls_to_region("us-east-1", configuration={"blackstart_journal": str(folder)})
