"""Load beside the observer: many users, who hold their connections and think, through whatever the drill breaks.

A load changes nothing that would have to be put back, but it is refused like a fault: the scope names the largest
number of users (``load_users``), and its windows, freezes and stop conditions hold. It ends with the drill.
"""

from typing import Any, Dict

from blackstart import drill as drills
from blackstart.changes.conditions import conditions
from blackstart.clock import SystemClock
from blackstart.drill import RunningDrill
from blackstart.errors import BlackstartError, ConfigInvalid, DrillStopped, Refused
from blackstart.load import analysis, process, record
from blackstart.load.plan import Plan, objection
from blackstart.scope import Scope, frozen, out_of_hours
from blackstart.settings import Service

__all__ = ["start_load", "stop_load"]

LIMIT_SECONDS = 900.0
SETTLE_SECONDS = 10.0


def start_load(
    users: int,
    users_per_second: float = 200.0,
    think_from_seconds: float = 60.0,
    think_to_seconds: float = 120.0,
    timeout_seconds: float = 5.0,
    products: int = 200,
    largest_failed_share: float = 0.01,
    limit_seconds: float = LIMIT_SECONDS,
    master: str = "",
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Have so many ``users`` read from the service until `stop_load`, and return when all are there.

    Each holds one connection, reads one of ``products``, and thinks for a time between the two bounds.
    ``users_per_second`` come. Should more than ``largest_failed_share`` of their requests fail in the 10 s after all
    have come (before, if none ended then), the load is what breaks the service, and is refused. It ends by itself
    after ``limit_seconds``. ``master``: the URL of a Locust master that is there already; "" starts Locust here. Gives
    the ``users`` and the ``seconds`` until they were there.
    """
    subject = f"loading the service with {users:,} users"
    drill = drills.opened(configuration, subject)
    if not 0 <= think_from_seconds <= think_to_seconds or min(users_per_second, timeout_seconds, products) <= 0:
        problem = "the think time is from one number to no smaller one, and rates, times and products are above zero"
        raise ConfigInvalid("start_load", "think_from_seconds", problem)
    _permit(drill, users, subject)
    if not isinstance(drill, RunningDrill):
        return {"users": users, "by": master or "Locust on this machine"}
    plan = Plan(
        users,
        *_service(drill.settings.service),
        products=products,
        think_seconds=(think_from_seconds, think_to_seconds),
        timeout_seconds=timeout_seconds,
        users_per_second=users_per_second,
        limit_seconds=limit_seconds,
        master=master,
        seed=drill.random.getrandbits(32),
    )
    return {"users": users, "seconds": _loaded(drill, plan, subject, largest_failed_share)}


def stop_load(configuration: Dict[str, Any] = None) -> Dict[str, Any]:  # type: ignore[assignment]
    """End the load; nothing to do if there is none. Gives the ``requests`` that it made and how many had ``failed``."""
    drill = drills.opened(configuration, "ending the load")
    if not isinstance(drill, RunningDrill) or drill.load is None:
        return {"requests": 0, "failed": 0}
    load, drill.load = drill.load, None
    drill.note("load", state="stopped")
    load.stop()
    loaded = record.read(drill.journal)
    summary = loaded.summary if loaded else None
    return {"requests": summary.requests, "failed": summary.failures} if summary else {"requests": None, "failed": None}


def _permit(drill: drills.OpenDrill, users: int, subject: str) -> None:
    """Refused unless the scope and all that it names permit it now; a guard that cannot answer forbids."""
    running = drill if isinstance(drill, RunningDrill) else None
    scope = running.settings.scope if running else getattr(drill, "scope", None)
    if not isinstance(scope, Scope):
        raise Refused(subject, "the scope is not known")
    if running and running.load is not None:
        raise Refused(subject, "this drill loads it already")
    now = running.clock.now() if running else SystemClock().now()
    reason = objection(scope, users) or out_of_hours(scope, now) or frozen(scope, now)
    if reason is None:
        try:
            looks = (condition.look() for condition in conditions(scope.stop, drill.clients))
            reason = next((told for told in looks if told), None)
        except BlackstartError as error:
            reason = f"the stop conditions cannot be checked ({error})"
    if reason is not None:
        if running:
            _give_up(running, subject)
        raise Refused(subject, reason)


def _loaded(drill: RunningDrill, plan: Plan, subject: str, largest_failed_share: float) -> float:
    """Start it, and see that the service bears it; seconds until all users were there."""

    def look() -> None:
        if reason := drill.gate.reach.log.stopping(drill.id):
            raise DrillStopped(drill.id, reason)

    began = drill.clock.monotonic()
    drill.note("load", state="begun", users=plan.users, master=plan.master)
    drill.load = process.start(drill.journal, plan, began - drill.events.now())
    borne = False
    try:
        drill.load.wait_for_users(drill.clock, look)
        took = drill.clock.monotonic() - began
        drill.note("load", state="there", users=plan.users)
        _borne(drill, subject, largest_failed_share)
        borne = True
    finally:
        if not borne:
            _give_up(drill, subject)
    return round(took, 3)


def _give_up(drill: RunningDrill, subject: str) -> None:
    """End the load and with it the drill: Chaos Toolkit goes on after an action that failed, and what was to be broken
    under load must not be broken without."""
    drill.gate.reach.log.stop(drill.id, f"{subject} did not succeed")
    if drill.load is not None:
        drill.note("load", state="stopped", problem=drill.load.close())
    drill.load = None


def _borne(drill: RunningDrill, subject: str, largest_failed_share: float) -> None:
    drill.clock.sleep(SETTLE_SECONDS)
    loaded, now = record.read(drill.journal), drill.events.now()
    settled = analysis.failed_share(loaded, now - SETTLE_SECONDS, now) if loaded else None
    # Few who think for long may all be thinking: then what they saw when they came has to do.
    failed = analysis.failed_share(loaded, 0.0, now) if loaded and settled is None else settled
    if failed is None:
        raise Refused(subject, "whether the service bears it is not known: no request of theirs ended")
    if failed > largest_failed_share:
        raise Refused(subject, f"{failed:.1%} of its requests failed before anything was broken, so it was ended")


def _service(service: Service) -> tuple[str, int, str, str]:
    """Host, port, path and DNS server, as a ``Plan`` takes them."""
    try:
        service.read_path.format(number=1)
    except (KeyError, IndexError, ValueError) as error:
        raise ConfigInvalid("settings", "service.read_path", f"may only hold {{number}} ({error!r})") from error
    return service.host, service.port, service.read_path, service.dns
