"""What users of the service see, read from the observer's samples while the drill goes on.

Each waits until the samples can say what is asked, and raises NotMeasured rather than giving a number that rests on
nothing. Shares are 0–1, times in seconds.
"""

from typing import Any, Dict

from blackstart import drill as drills
from blackstart.errors import ConfigInvalid, NotMeasured
from blackstart.journals.effects import felt
from blackstart.observer import analysis
from blackstart.observer import ledger as ledgers
from blackstart.observer.replicas import Replicas
from blackstart.probes._watched import limit, watched

__all__ = [
    "availability",
    "data_loss_seconds",
    "dns_failover_seconds",
    "failed_share",
    "latency_seconds",
    "longest_outage_seconds",
    "lost_writes",
    "recovery_seconds",
    "serving_region",
]

CHECK_PAUSE_SECONDS = 1.0


def availability(last_seconds: float = 0.0, configuration: Dict[str, Any] = None) -> float:  # type: ignore[assignment]
    """Share of requests that were ok in time, of those due in the ``last_seconds`` of which everything is known.

    0: since the fault, or since the start while there is none. Waits until ``last_seconds`` have been watched.
    """
    return analysis.availability(*watched(configuration).last(last_seconds)).share


def failed_share(last_seconds: float = 0.0, configuration: Dict[str, Any] = None) -> float:  # type: ignore[assignment]
    """Share of requests that were not ok in time; the rest of `availability`."""
    found = analysis.availability(*watched(configuration).last(last_seconds))
    return (found.planned - found.ok) / found.planned


def latency_seconds(
    percentile: float = 99.0,
    last_seconds: float = 0.0,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> float:
    """A percentile (0–100) of the time from when an ok request was due until its answer; interval as `availability`."""
    if not 0 < percentile <= 100:
        raise ConfigInvalid("latency_seconds", "percentile", f"{percentile} is not between 0 and 100")
    return analysis.percentile(*watched(configuration).last(last_seconds), percentile)


def longest_outage_seconds(configuration: Dict[str, Any] = None) -> float:  # type: ignore[assignment]
    """The longest stretch since the fault in which no request, of reads or of writes, was ok; 0.0 if there was none."""
    drill = watched(configuration)
    fault = drill.fault_at()
    samples, _, end = drill.last(0.0)
    analysis.availability(samples, fault, end)  # NotMeasured when nothing was observed since
    found = analysis.longest_outage(samples, fault, end)
    return found.seconds if found else 0.0


def recovery_seconds(
    limit_seconds: float = 0.0,
    settle_seconds: float = 0.0,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> float | None:
    """Seconds from the fault until users were served again for good; 0.0 if they were all along.

    Waits for it, at most ``limit_seconds`` from the fault (0: the drill's objective), and gives None if they were not
    served again by then. The fault has ``settle_seconds`` to show: to fail a request, or to silence a region, a zone or
    a pod that answered before. Once it has, or has not in that time, a recovery window without harm decides.
    """
    drill = watched(configuration)
    return drill.recovered(limit(drill, limit_seconds), settle_seconds, felt)


def lost_writes(checks: int = 2, configuration: Dict[str, Any] = None) -> int:  # type: ignore[assignment]
    """How many acknowledged writes are gone. Reads them all back through the service, ``checks`` times, and from the
    databases where ``[ledger]`` says how."""
    drill = watched(configuration)
    return len(drill.ledger(max(checks, 1), CHECK_PAUSE_SECONDS, _replicas(configuration)).lost)


def data_loss_seconds(checks: int = 0, configuration: Dict[str, Any] = None) -> float:  # type: ignore[assignment]
    """How long before the fault the oldest lost write had been acknowledged; 0.0 if none is lost.

    Reads the writes back ``checks`` times; 0: judges by what `lost_writes` read.
    """
    drill = watched(configuration)
    result = drill.ledger(checks, CHECK_PAUSE_SECONDS, _replicas(configuration) if checks else None)
    return ledgers.data_loss(result, drill.fault_at()).seconds


def _replicas(configuration: Dict[str, Any] | None) -> Replicas | None:
    """The databases that are read back beside the service, in a drill that the control has opened."""
    drill = (configuration or {}).get(drills.DRILL_KEY)
    return Replicas.of(drill.settings) if isinstance(drill, drills.RunningDrill) else None


def dns_failover_seconds(limit_seconds: float = 0.0, configuration: Dict[str, Any] = None) -> float:  # type: ignore[assignment]
    """Seconds from the fault until the service's name was first resolved to other addresses, its TTL included.

    Waits for it at most ``limit_seconds`` from the fault.
    """
    return watched(configuration).dns_failover(limit_seconds).seconds


def serving_region(last_seconds: float = 2.0, configuration: Dict[str, Any] = None) -> str:  # type: ignore[assignment]
    """The region that gave most ok answers in the ``last_seconds``; "nobody" if there was none."""
    samples, start, end = watched(configuration).last(last_seconds)
    analysis.availability(samples, start, end)  # NotMeasured when nothing was observed
    found = analysis.serving_region(samples, start, end)
    if found == "":
        raise NotMeasured("the serving region", "answers carry no x-region header")
    return "nobody" if found is None else found
