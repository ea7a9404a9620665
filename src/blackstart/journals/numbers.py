"""How numbers are written for people: units after a no-break space, true minus, no false precision.

Durations: under 10 s to 0.01 s, under 600 s to 0.1 s, above as minutes. Shares of requests are rounded down, so that
100 % is only ever written when nothing failed.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

NBSP = "\u00a0"
MINUS = "\u2212"
PLUS_MINUS = "\u00b1"


def count(number: int) -> str:
    """``30,000``; a true minus below zero."""
    return f"{number:,}".replace("-", MINUS)


def plural(number: int, noun: str, many: str = "") -> str:
    """``1 write``, ``7 writes``; ``many`` where an s does not do."""
    return f"{count(number)}{NBSP}{noun if number == 1 else many or noun + 's'}"


def decimals(seconds: float) -> int:
    """How many decimals a duration of ``seconds`` is worth."""
    size = abs(seconds)
    if size < 9.995:
        return 2
    return 1 if size < 599.95 else 0


def seconds(value: float) -> str:
    """A duration: ``0.61 s``, ``71.2 s``, ``12 min 04 s``."""
    if math.isinf(value):
        return "never"
    if value == 0:
        return f"0{NBSP}s"
    places = decimals(value)
    if places == 0:
        return _minutes(value)
    return f"{_signless(value, places)}{NBSP}s"


def seconds_with_error(value: float, error: float) -> str:
    """``71.2 ± 0.1 s``: the error to as many decimals as the value, rounded up."""
    places = decimals(value)
    shown = _rounded_up(error, places)
    if places == 0:
        return f"{_minutes(value)} {PLUS_MINUS}{NBSP}{shown:.0f}{NBSP}s"
    return f"{_signless(value, places)}{NBSP}{PLUS_MINUS}{NBSP}{shown:.{places}f}{NBSP}s"


def seconds_goal(value: float) -> str:
    """A duration that people chose, without trailing zeros: ``90 s``, ``0.5 s``, ``60 min``."""
    if value >= 600:
        minutes, rest = divmod(round(value), 60)
        return f"{minutes}{NBSP}min" + (f"{NBSP}{rest:02d}{NBSP}s" if rest else "")
    return f"{value:.10g}{NBSP}s"


def latency(value: float) -> str:
    """A latency given in seconds: whole milliseconds, above 1,000 ms as ``1.2 s``."""
    milliseconds = value * 1000
    if milliseconds >= 1000:
        return f"{value:.1f}{NBSP}s"
    return f"<{NBSP}1{NBSP}ms" if 0 < milliseconds < 0.95 else f"{milliseconds:.0f}{NBSP}ms"


def latency_goal(value: float) -> str:
    """A latency that people chose: ``100 ms``, ``1.5 s``."""
    if value >= 1:
        return f"{value:.10g}{NBSP}s"
    return f"{value * 1000:.10g}{NBSP}ms"


def offset(value: float) -> str:
    """A moment in seconds from the fault: ``+41.3 s``, ``−0.61 s``, ``0 s``."""
    if abs(value) < 0.005:
        return f"0{NBSP}s"
    return ("+" if value > 0 else MINUS) + seconds(abs(value))


def signed(text: str, negative: bool) -> str:
    """``text`` (a size without a sign) with + or a true minus before it."""
    return (MINUS if negative else "+") + text


def percent(part: int, whole: int) -> str:
    """``part`` of ``whole`` to two decimals, rounded down; ``100 %`` only if it is all of it."""
    if whole <= 0:
        return f"?{NBSP}%"
    if part == whole:
        return f"100{NBSP}%"
    if part == 0:
        return f"0{NBSP}%"
    hundredths = part * 10_000 // whole
    return f"{hundredths // 100}.{hundredths % 100:02d}{NBSP}%"


def share_percent(share: float) -> str:
    """A share 0–1 to two decimals, rounded down; shares within 1e-9 of a hundredth count as that hundredth."""
    if share >= 1:
        return f"100{NBSP}%"
    hundredths = math.floor(max(share, 0) * 10_000 + 1e-9)
    return f"{hundredths // 100}.{hundredths % 100:02d}{NBSP}%" if hundredths else f"0{NBSP}%"


def rough_percent(part: int, whole: int) -> str:
    """For verdict sentences: whole percent, ``less than 1 %`` where that would read as none, never a rounded 100."""
    if whole <= 0:
        return f"?{NBSP}%"
    value = 100 * part / whole
    if 0 < value < 1:
        return f"less than 1{NBSP}%"
    shown = round(value) if part == whole else min(round(value), 99)
    return f"{shown}{NBSP}%"


def share_goal(share: float) -> str:
    """A share that people chose, as they wrote it: 0.9999 → ``99.99 %``."""
    return f"{share * 100:.10g}{NBSP}%"


def points(difference: float) -> str:
    """A difference of two shares, without sign: ``9.16 points``."""
    return f"{abs(difference) * 100:.2f}{NBSP}points"


def clock_time(moment: datetime, places: int = 0) -> str:
    """``14:04:41Z``; with ``places`` decimals of a second, cut off (a moment is not rounded into the future)."""
    text = moment.astimezone(UTC).strftime("%H:%M:%S")
    if places:
        text += f".{moment.microsecond:06d}"[: places + 1]
    return text + "Z"


def day(moment: datetime) -> str:
    """``23 Nov 2026``, in UTC."""
    moment = moment.astimezone(UTC)
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[moment.month - 1]
    return f"{moment.day}{NBSP}{month}{NBSP}{moment.year}"


def _signless(value: float, places: int) -> str:
    text = f"{abs(value):,.{places}f}"
    return MINUS + text if value < 0 and float(text.replace(",", "")) else text


def _minutes(value: float) -> str:
    minutes, rest = divmod(round(abs(value)), 60)
    return f"{MINUS if value < 0 else ''}{minutes:,}{NBSP}min{NBSP}{rest:02d}{NBSP}s"


def _rounded_up(error: float, places: int) -> float:
    scale: int = 10**places
    # The tiny allowance keeps 0.1 (which is 0.1000000000000000056) from becoming 0.2.
    return max(math.ceil(error * scale - 1e-9), 0) / scale
