"""What the observer knows of a region that is lost and comes back, read from the drill's journal while it goes on.

Nothing is never good news: each raises NotMeasured where nobody looked. Times in seconds.
"""

from typing import Any, Dict, List

from blackstart import drill as drills
from blackstart.errors import BlackstartError, NotMeasured
from blackstart.journals import calls, calls_source, failback, watching
from blackstart.observer import writers as databases
from blackstart.observer.events import Event
from blackstart.observer.waiting import Watched
from blackstart.probes._watched import watched

__all__ = ["calls_to_region", "failback_downtime_seconds", "failback_seconds", "writers_at_once"]

LIMIT_SECONDS = 120.0


def writers_at_once(configuration: Dict[str, Any] = None) -> float:  # type: ignore[assignment]
    """For how many seconds, in the whole drill so far, the databases of two regions took writes at the same time.

    0.0: every database named in ``[stores] databases`` was asked, and no two were proven to be writers at once.
    """
    drill = watched(configuration)
    found = databases.writers(drill.events(), drill.writes())
    if len(found.looked) < 2:
        raise NotMeasured("who takes writes", "fewer than two regions' databases are asked; name them in [stores]")
    if found.unseen:
        raise NotMeasured("who takes writes", f"the database in {' and '.join(found.unseen)} has never answered")
    return found.seconds


def failback_seconds(limit_seconds: float = LIMIT_SECONDS, configuration: Dict[str, Any] = None) -> float | None:  # type: ignore[assignment]
    """Seconds from the undo until the home region alone served users again, for good.

    Waits for it at most ``limit_seconds`` from the undo, and gives None if it had not come by then. So it belongs
    into the rollbacks, after the undo.
    """
    undo_at, found, _ = watching.wait(watched(configuration), limit_seconds)
    return None if found.edge is None else found.edge.at - undo_at


def failback_downtime_seconds(
    limit_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> float:
    """Seconds of the way home in which every request, of reads or of writes, failed; waits as `failback_seconds`."""
    undo_at, found, samples = watching.wait(watched(configuration), limit_seconds)
    if found.edge is None:
        raise NotMeasured("the downtime of the way home", found.gap)
    return failback.downtime(samples, undo_at, found.edge.at)


def calls_to_region(region: str, by: str = "", configuration: Dict[str, Any] = None) -> int:  # type: ignore[assignment]
    """How many calls of AWS in ``region`` were made from its loss (else from the fault) until the undo, or until now.

    ``by``: only those of callers whose name holds this; ``drill`` are the drill's own. NotMeasured where a record that
    counts was not kept: the drill's, or the platform's (``[evidence] calls_url``).
    """
    subject = f"counting calls to {region}"
    drill = watched(configuration)
    fault, until, origin = drill.fault_at(), _until(drill), drill.origin()
    began = calls.lost_at(drill.events(), fault)
    lines: List[Any] = list(drill.calls())
    if by != calls.DRILL:
        lines += _platforms(drills.of(configuration, subject), region, began + origin)
    found = calls.lost_calls(lines, origin, region, (began, until), fault_at=fault, cut_off=False)
    why = found.no_own or (found.no_platform if by != calls.DRILL else "")
    if why:
        raise NotMeasured(f"calls to {region}", why)
    return sum(caller.count for caller in found.callers if by in caller.who)


def _platforms(drill: drills.RunningDrill, region: str, since: float) -> List[Any]:
    url = drill.settings.evidence.calls_url
    try:
        return list(calls_source.lines(calls_source.fetch(url), (region,), since, drill.clock)) if url else []
    except BlackstartError as error:
        return [{"by": calls.PLATFORM, "problem": str(error)}]


def _until(drill: Watched) -> float:
    def undo(event: Event) -> bool:
        return event.kind == "phase" and event.fields.get("name") == "undo"

    return min((event.at for event in drill.events() if undo(event)), default=drill.now())
