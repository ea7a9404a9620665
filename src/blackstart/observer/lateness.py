"""What the observer's own lateness may have done to a number. Pure.

A process that is late to send is late to notice answers as well. So whatever was timed while the observer was late may
be wrong by as much; and when it was late by more than a quarter of the time-out, nobody can tell what it missed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from blackstart.observer.outages import Outage
from blackstart.observer.recovery import BLIND_GAPS, BLIND_SECONDS, Recovery
from blackstart.observer.samples import LATE_SHARE, Samples
from blackstart.observer.table import chunks


def lateness(samples: Samples, start: float, end: float) -> float:
    """Seconds by which the latest of the requests due around [start, end] was sent; 0 when none was sent."""
    around, worst = max(BLIND_GAPS * samples.gap, BLIND_SECONDS), 0.0
    table = samples.between(start - around, end + around).table
    for part in chunks(table.size):
        late = table.sent(part) - table.intended(part)
        worst = max(worst, float(np.nanmax(late, initial=0.0)))
    return worst


def doubt(samples: Samples, late: float) -> str:
    """Why a moment that was timed with that lateness says nothing; "" if it does."""
    allowed = LATE_SHARE * samples.header.timeout_seconds
    if late <= allowed:
        return ""
    return f"the observer itself was late by {late:.2f} s when that was timed, where {allowed:.2f} s are allowed"


def allow_for_recovery(samples: Samples, found: Recovery, fault_at: float) -> Recovery:
    """``found`` with the observer's lateness at its end in its error bar: it may have been over by so much earlier."""
    if found.seconds is None or found.lowest is None or found.highest is None or not found.seconds:
        return found
    late = lateness(samples, fault_at + found.lowest, fault_at + found.highest)
    lowest = max(0.0, found.lowest - late)
    error = max(found.error_seconds, found.seconds - lowest)
    return replace(found, lowest=lowest, error_seconds=error, doubt=doubt(samples, late))


def allow_for_outage(samples: Samples, found: Outage) -> tuple[Outage, str]:
    """``found`` with the observer's lateness at both its ends in its error bar; and why it says nothing, or ""."""
    half = found.error_seconds
    at_start = lateness(samples, found.began - half, found.began + half)
    at_end = 0.0 if found.open else lateness(samples, found.ended - half, found.ended + half)
    error = found.error_seconds + (at_start + at_end) / 2
    return replace(found, error_seconds=error), doubt(samples, max(at_start, at_end))
