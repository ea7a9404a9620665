"""Copies the platform's own record of AWS calls into a drill's journal, at its end.

The record answers ``GET <calls_url>?since=0`` with ``{"calls": [{"seq", "at" (UTC), "service", "region", "operation",
"status", "user_agent", "held", "seconds"}, …]}``, oldest first, numbered from 1 without a gap.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from blackstart.clock import Clock
from blackstart.errors import JournalUnreadable, JournalUnwritable, ServiceUnreachable
from blackstart.journals import folder as folders
from blackstart.journals.calls import ANSWERED, PLATFORM, home_of
from blackstart.observer import events

Json = Any

TIMEOUT_SECONDS = 10.0
SLACK_SECONDS = 1.0


def fetch(url: str) -> list[Mapping[str, Json]]:
    """The calls that the record at ``url`` holds; ServiceUnreachable if it does not answer with such a record."""
    try:
        with urllib.request.urlopen(f"{url}?since=0", timeout=TIMEOUT_SECONDS) as answer:
            return [dict(call) for call in json.load(answer)["calls"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ServiceUnreachable("read which AWS calls were made", url, f"gave no record of them ({error})") from error


def lines(
    calls: list[Mapping[str, Json]], regions: Collection[str], since: float, clock: Clock
) -> Iterator[dict[str, Json]]:
    """Lines for ``calls.jsonl``: the calls of ``regions`` that came after ``since`` (monotonic), and from when to when
    these are all."""
    offset = clock.monotonic() - clock.now().timestamp()
    known = float("-inf")
    for number, call in enumerate(calls):
        at = datetime.fromisoformat(str(call["at"])).timestamp() + offset
        if number == 0 and int(call.get("seq", 1)) > 1:
            known = at  # what came before is forgotten
        home = home_of(str(call.get("service", "")), str(call.get("region", "")))
        if at >= since - SLACK_SECONDS and home in regions:
            yield {
                "at": call["at"], "monotonic": round(at, 6), "by": PLATFORM, "agent": call.get("user_agent", ""),
                "service": call.get("service", ""), "region": call.get("region", ""),
                "operation": call.get("operation", ""), "seconds": call.get("seconds", 0.0),
                "outcome": "no answer" if call.get("held") or not call.get("status") else ANSWERED,
            }  # fmt: skip
    yield {"by": PLATFORM, "complete": True, "since": max(known, since), "until": clock.monotonic()}


def collect(folder: Path, url: str, regions: Collection[str], since: float, clock: Clock) -> None:
    """Append to the journal in ``folder`` what the record at ``url`` has of calls of ``regions`` from ``since``
    (monotonic) on, or why it has nothing. JournalUnwritable if that cannot be written."""
    try:
        found = list(lines(fetch(url), regions, since, clock))
    except (ServiceUnreachable, ValueError, KeyError, TypeError) as error:
        found = [{"by": PLATFORM, "problem": str(error)}]
    folders.append_all(folder, folders.CALLS, found)


def ask(folder: Path, url: str, home_region: str, clock: Clock) -> None:
    """At the end of the drill in ``folder``: collect the calls of the region it lost (of ``home_region``, if it lost
    none) from the fault on, if there is a record at ``url``; a journal that cannot take them ends without."""
    with suppress(JournalUnwritable, JournalUnreadable):
        began = events.fault_at(folder)
        if url and began is not None:
            since = began + events.origin(folder)
            lost = {str(event.fields["region"]) for event in events.read(folder) if event.kind == "lost"}
            collect(folder, url, lost or {home_region}, since, clock)
