"""The users, for Locust: each asks for something, thinks, and asks again, over a connection that it holds.

Told what to do by ``$BLACKSTART_LOAD`` (a ``Plan`` as JSON). With ``$BLACKSTART_LOAD_LIFELINE``, a file descriptor,
this process ends as soon as the other end of that pipe is closed, whatever else it does.

It also serves a Locust master of your own: ``BLACKSTART_LOAD='{…}' locust -f …/locustfile.py --master``.
"""

from __future__ import annotations

import functools
import json
import os
import signal
from pathlib import Path
from random import Random
from typing import Any

import gevent
from gevent.monkey import get_original
from locust import FastHttpUser, argument_parser, events, runners, task

from blackstart import redaction
from blackstart.clock import SystemClock
from blackstart.load import record
from blackstart.load.browser import Browser, Crowd
from blackstart.load.names import Names
from blackstart.load.plan import LEAVE_PER_SECOND, Plan, sources

PLAN, WORKER, WORKERS = "BLACKSTART_LOAD", "BLACKSTART_LOAD_WORKER", "BLACKSTART_LOAD_WORKERS"
LIFELINE, FOLDER, ORIGIN = "BLACKSTART_LOAD_LIFELINE", "BLACKSTART_LOAD_FOLDER", "BLACKSTART_LOAD_ORIGIN"
KEY = "blackstart"
PATIENCE_SECONDS = 300  # who has no processor is not gone: whether a process lives is the supervisor's to tell
SAMPLE_SECONDS = 1.0
LEAVE_TOGETHER = 20
CLOCK = SystemClock()
if FOLDER in os.environ:
    redaction.guard_stderr(Path(os.environ[FOLDER]))  # it is load.log


class Visitor(FastHttpUser):  # type: ignore[misc]
    """One user of the service."""

    plan: Plan
    crowd: Crowd
    max_redirects = 0

    def __init__(self, environment: Any) -> None:
        self.client_pool = Browser(self.crowd, self.plan.timeout_seconds)
        self.network_timeout = self.connection_timeout = self.plan.timeout_seconds
        super().__init__(environment)

    def on_stop(self) -> None:
        self.client_pool.close()

    def wait_time(self) -> float:
        return self.crowd.random.uniform(*self.plan.think_seconds)

    @task  # type: ignore[untyped-decorator]
    def ask(self) -> None:
        """Ask, and as long as there is no answer, ask again."""
        while True:
            number = self.crowd.random.randint(1, self.plan.products)
            answer = self.client.get(self.plan.path.format(number=number), name=self.plan.path)
            if answer.status_code and answer.status_code < 500:
                return
            gevent.sleep(self.crowd.random.uniform(*self.plan.retry_seconds))


def _end_with(descriptor: int) -> None:
    """End this process when the pipe is closed. In a real thread: greenlets may be too busy to look."""

    def wait() -> None:
        while get_original("os", "read")(descriptor, 1):
            pass
        os.kill(os.getpid(), signal.SIGKILL)

    get_original("_thread", "start_new_thread")(wait, ())


@events.init.add_listener  # type: ignore[untyped-decorator]
def _begin(environment: Any, runner: Any, **_: Any) -> None:
    if LIFELINE in os.environ:
        _end_with(int(os.environ[LIFELINE]))
    # A worker asks for it some seventy times for every message that users should come, and making it takes 20 ms.
    argument_parser.default_args_dict = functools.cache(argument_parser.default_args_dict)
    runners.HEARTBEAT_LIVENESS = runners.MASTER_HEARTBEAT_TIMEOUT = PATIENCE_SECONDS
    plan = Plan.from_json(json.loads(os.environ[PLAN]))
    environment.host = f"http://{plan.host}:{plan.port}"
    Visitor.plan = plan
    if isinstance(runner, runners.MasterRunner):
        if FOLDER in os.environ:
            _Master(environment, runner, _recorder(plan)).begin()
        return
    number = int(os.environ.get(WORKER, "0"))
    names = Names(plan.host, plan.dns, CLOCK.monotonic, gevent.sleep)
    Visitor.crowd = Crowd(names, sources(number), Random(f"{plan.seed}-{number}"), CLOCK.monotonic)
    _tell(environment, Visitor.crowd)
    together = int(os.environ.get(WORKERS, "1"))
    environment.events.test_stopping.add_listener(lambda **_: _leave(runner, LEAVE_PER_SECOND / together))


def _leave(runner: Any, per_second: float) -> None:
    """Have users go one after the other: the end of all connections in one moment would be a fault of its own."""
    for number, user in enumerate(list(runner.user_greenlets), 1):
        user.kill(block=False)
        if not number % LEAVE_TOGETHER:
            gevent.sleep(LEAVE_TOGETHER / per_second)


def _recorder(plan: Plan) -> record.Recorder:
    return record.Recorder(Path(os.environ[FOLDER]), plan.users, float(os.environ[ORIGIN]))


def _tell(environment: Any, crowd: Crowd) -> None:
    """What happens to users goes to the crowd, and with every report to the master."""

    def ended(response_time: float, exception: Any, **_: Any) -> None:
        crowd.ended(crowd.now() - response_time / 1000, exception is None)

    def report(client_id: str, data: dict[str, Any]) -> None:
        data[KEY] = {"open": crowd.open, "seconds": crowd.take()}

    environment.events.request.add_listener(ended)
    environment.events.report_to_master.add_listener(report)


class _Master:
    """Writes down, in the master, what the workers report."""

    def __init__(self, environment: Any, runner: Any, recorder: record.Recorder) -> None:
        self._environment = environment
        self._runner = runner
        self._recorder = recorder
        self._open: dict[str, int] = {}
        self._ending = False

    def begin(self) -> None:
        self._environment.events.worker_report.add_listener(self._heard)
        self._environment.events.test_stopping.add_listener(self._stopping)
        self._environment.events.quitting.add_listener(self._end)
        gevent.spawn(self._sample)

    def _heard(self, client_id: str, data: dict[str, Any]) -> None:
        told = data.get(KEY) or {}
        self._open[client_id] = int(told.get("open", 0))
        self._recorder.count(told.get("seconds") or {})

    def _sample(self) -> None:
        while not self._ending:
            total = self._runner.stats.total
            users, held = self._runner.user_count, sum(self._open.values())
            self._recorder.point(CLOCK.monotonic(), users, held, total.num_requests, total.num_failures)
            gevent.sleep(SAMPLE_SECONDS)

    def _stopping(self, **_: Any) -> None:
        """From now on there are fewer users because that is wanted."""
        self._ending = True

    def _end(self, **_: Any) -> None:
        total = self._runner.stats.total
        of = total.get_response_time_percentile
        tail = [of(share) / 1000 for share in (0.5, 0.95, 0.99)] if total.num_requests else []
        self._recorder.end(total.num_requests, total.num_failures, tail)
