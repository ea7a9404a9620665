"""What the platform's own monitoring says, as ``[monitoring]`` of the settings asks it.

Shares are 0–1, times in seconds. Each raises NotMeasured rather than taking no data for good news, and
ServiceUnreachable when monitoring does not answer. Beside what users saw, a drill's report puts them by itself.
"""

import math
import os
from typing import Any, Dict

from blackstart import settings
from blackstart.clock import Clock, SystemClock
from blackstart.errors import ConfigInvalid, NotMeasured
from blackstart.monitoring.alerts import endpoint_of
from blackstart.monitoring.detection import Detection, Drill, Outcome, detections
from blackstart.monitoring.prometheus import Prometheus
from blackstart.monitoring_settings import Monitoring
from blackstart.observer.waiting import POLL_SECONDS, Watched
from blackstart.probes._watched import fault_of, limit, watched

__all__ = ["alert_fired_seconds", "error_budget_left", "error_share", "latency_seconds"]


def error_share() -> float:
    """Share of requests that were not served, as monitoring sees it now: 1 − ``availability``."""
    return min(max(1 - _now("availability"), 0.0), 1.0)


def latency_seconds() -> float:
    """The latency that monitoring sees now: ``latency``."""
    return _now("latency")


def error_budget_left() -> float:
    """Share of the error budget that monitoring sees left now: ``error_budget``; below 0 where it is overdrawn."""
    return _now("error_budget")


def alert_fired_seconds(
    alert: str = "",
    limit_seconds: float = 0.0,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> float | None:
    """Seconds from the fault until ``alert`` fired ("": the first of all that are expected), as the observer saw it.

    Waits for it, at most ``limit_seconds`` from the fault (0: the drill's objective for the time to detect, else for
    recovery), and gives None if it had not fired by then. NotMeasured where it was firing already, or could not be
    looked at.
    """
    clock = SystemClock()
    expected = [pair for pair in _monitoring().expected if alert in ("", pair[0])]
    if not expected:
        raise ConfigInvalid("alert_fired_seconds", "alert", f"[monitoring] names no alert {alert}".rstrip())
    drill = watched(configuration, clock)
    fault = drill.fault_at()
    until = fault + limit(drill, limit_seconds or drill.objective("time_to_detect_seconds") or 0.0)
    while True:
        found = _detected(expected, drill, configuration, clock)
        fired = [each.fired - fault for each in found if each.outcome is Outcome.FIRED and each.fired is not None]
        if fired:
            return min(fired)
        if drill.now() >= until:
            _require_silence(found)
            return None
        clock.sleep(POLL_SECONDS)


def _detected(
    expected: list[tuple[str, str]], drill: Watched, configuration: Dict[str, Any], clock: Clock
) -> tuple[Detection, ...]:
    fault = fault_of(configuration, clock, math.inf)
    origin = Drill.origin_of(fault.wall, drill.fault_at())
    return detections(expected, drill.events(), None, Drill(origin, drill.fault_at(), drill.now()))


def _require_silence(found: tuple[Detection, ...]) -> None:
    """NotMeasured unless every alert surely stayed silent."""
    doubt = next((each for each in found if each.outcome not in (Outcome.SILENT, Outcome.SUPPRESSED)), None)
    if doubt is not None:
        raise NotMeasured(f"when {doubt.name} fired", doubt.why)


def _monitoring() -> Monitoring:
    return settings.current(os.environ).monitoring


def _now(name: str) -> float:
    """The one value of a query of the settings."""
    monitoring = _monitoring()
    query = monitoring.signals.get(name)
    if query is None:
        raise ConfigInvalid("[monitoring]", name, "is not set, so monitoring cannot be asked for it")
    values = Prometheus(endpoint_of(monitoring, "Prometheus")).instant(query, f"ask for {name}")
    if len(values) != 1:
        raise NotMeasured(name, f"the query gives {len(values)} values where one is needed")
    if not math.isfinite(values[0]):
        raise NotMeasured(name, "the query gives no number")
    return values[0]
