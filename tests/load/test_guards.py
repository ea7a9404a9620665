"""What may not be loaded is refused, and what cannot be told forbids; and what probes say of a load."""

import http.server
import json
import random
import subprocess
import sys
import threading
from contextlib import contextmanager
from importlib.util import find_spec

import pytest

from blackstart.actions.load import start_load
from blackstart.clock import SystemClock
from blackstart.drill import DRILL_KEY
from blackstart.errors import ConfigInvalid, NotMeasured, Refused, ServiceUnreachable
from blackstart.load import external, record, supervise
from blackstart.load.plan import Plan
from blackstart.probes._watched import JOURNAL_KEY
from blackstart.probes.load import failed_share, users_held
from blackstart.scope import Freeze, Query, Scope, StopConditions

CLOCK = SystemClock()
NEVER = "http://127.0.0.1:9"  # nobody listens at the discard port


class Opened:
    """A drill that is only planned, with a scope."""

    clients = kinds = None
    random = random.Random(1)

    def __init__(self, scope):
        self.scope = scope

    def inject(self, *_, **__): ...

    def keep(self, *_, **__): ...

    def note(self, *_, **__): ...


def asked(scope, **more):
    return start_load(100, configuration={DRILL_KEY: Opened(scope)}, **more)


def test_a_plan_starts_nothing_and_says_who_would():
    assert asked(Scope(environment="lab", load_users=100)) == {"users": 100, "by": "Locust on this machine"}


FROZEN = Freeze(reason="sale", begins="2020-01-01", ends="2099-01-01")
BLIND = StopConditions(queries=(Query(name="errors", url=NEVER, query="x", above=1.0),))


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        (Scope(environment="production"), "permits no load"),
        (Scope(environment="production", load_users=99), "more than the scope permits"),
        (Scope(environment="production", load_users=100, freezes=(FROZEN,)), "sale"),
        (Scope(environment="production", load_users=100, stop=BLIND), "cannot be"),
        (None, "the scope is not known"),
    ],
)
def test_load_needs_the_same_permission_as_a_fault(scope, words):
    with pytest.raises(Refused, match=words):
        asked(scope)


def test_without_a_drill_there_is_no_load():
    with pytest.raises(Refused, match="no drill is open"):
        start_load(1, configuration={})


def test_a_think_time_that_ends_before_it_begins_is_refused():
    with pytest.raises(ConfigInvalid, match="think_from_seconds"):
        asked(Scope(environment="lab", load_users=100), think_from_seconds=5.0, think_to_seconds=1.0)


@pytest.fixture
def journal(tmp_path):
    (tmp_path / "drill.json").write_text(json.dumps({"origin_monotonic": CLOCK.monotonic() - 30}))
    (tmp_path / "observer.json").write_text("{}")
    return tmp_path


def test_users_held_is_what_locust_told_and_nothing_else_once_a_load_was_asked_for(journal):
    told = {JOURNAL_KEY: str(journal)}
    assert users_held(last_seconds=5, unasked=7, configuration=told) == 7
    with pytest.raises(NotMeasured, match="none was started"):
        users_held(last_seconds=5, configuration=told)
    (journal / "events.jsonl").write_text('{"at": 1.0, "kind": "load", "state": "begun"}\n')
    with pytest.raises(NotMeasured, match="none was started"):
        users_held(last_seconds=5, unasked=7, configuration=told)
    recorder = record.Recorder(journal, 20, CLOCK.monotonic() - 30)
    for back, users in ((8.0, 20), (4.0, 18), (1.0, 20)):
        recorder.point(CLOCK.monotonic() - back, users, users, int(100 - back), 1)
    assert users_held(last_seconds=6, unasked=7, configuration=told) == 18
    assert users_held(last_seconds=2, unasked=7, configuration=told) == 18
    assert failed_share(last_seconds=10, configuration=told) == 0
    record.append(journal, {"ended": "its worker 0 ended with code -9"})
    with pytest.raises(NotMeasured, match="worker 0"):
        users_held(last_seconds=6, unasked=7, configuration=told)


@contextmanager
def master(state):
    """Something that answers like a Locust master; the paths that were asked for."""
    paths = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            paths.append(self.path)
            body = json.dumps({"state": state, "user_count": 3, "stats": [], "success": True}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            self.do_GET()

        def log_message(self, *_): ...

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{found.server_port}", paths
        found.shutdown()
        thread.join()


def of(url, folder, **more):
    plan = Plan(5, "127.0.0.1", 1, "/", master=url, **more)
    return external.External(plan, record.Recorder(folder, 5, CLOCK.monotonic()))


@pytest.mark.parametrize("state", ["running", "spawning", "missing", "None"])
def test_a_master_that_somebody_uses_is_left_alone(tmp_path, state):
    with master(state) as (url, paths):
        found = of(url, tmp_path)
        with pytest.raises(Refused, match="somebody uses it"):
            found.begin()
        found.end(CLOCK)
    assert paths == ["/stats/requests"]


def test_a_master_that_does_not_answer_is_told(tmp_path):
    with pytest.raises(ServiceUnreachable, match="did not answer"):
        of(NEVER, tmp_path).begin()


def test_a_master_is_started_watched_and_stopped(tmp_path):
    with master("ready") as (url, paths):
        found = of(url, tmp_path)
        found.begin()
        found.look(CLOCK)
        found.end(CLOCK)
    assert paths == ["/stats/requests", "/swarm", "/stats/requests", "/stop"]
    loaded = record.read(tmp_path)
    assert loaded is not None
    assert (loaded.points[0].users, loaded.points[0].open) == (3, None)
    assert loaded.summary is not None
    assert loaded.summary.seconds == ()


@pytest.mark.sweep
@pytest.mark.skipif(find_spec("locust") is None, reason="Locust is not installed")
def test_a_real_master_of_somebody_elses_carries_the_load(tmp_path, server):
    port, web = supervise._free_port(), supervise._free_port()
    plan = Plan(20, "127.0.0.1", server.port, "/products/{number}", users_per_second=50.0, think_seconds=(0.2, 0.4))
    env = {"BLACKSTART_LOAD": json.dumps(plan.to_json()), "PATH": ""}
    base = [sys.executable, "-m", "locust", "-f", str(supervise.LOCUSTFILE)]
    roles = (
        ["--master", "--master-bind-port", str(port), "--web-host", "127.0.0.1", "--web-port", str(web)],
        ["--worker", "--master-port", str(port)],
    )
    started = [subprocess.Popen([*base, *role], env=env, stderr=subprocess.DEVNULL) for role in roles]
    try:
        found = of(f"http://127.0.0.1:{web}", tmp_path, users_per_second=50.0)
        ends = CLOCK.monotonic() + 90
        while True:
            try:
                workers = found._ask("/stats/requests").get("worker_count")
            except ServiceUnreachable:
                workers = 0
            if workers:
                break
            assert CLOCK.monotonic() < ends
            CLOCK.sleep(0.2)
        found.begin()
        while found._last.get("user_count") != 5:
            assert CLOCK.monotonic() < ends
            found.look(CLOCK)
            CLOCK.sleep(0.2)
        assert found.problem() == ""
        found.end(CLOCK)
        assert record.read(tmp_path).points[-1].users == 5
    finally:
        for process in started:
            process.kill()
            process.wait()
