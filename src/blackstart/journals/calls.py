"""Who called a region while it was lost: the drill itself, by its own record, and everybody, by the platform's. Pure.

"No call" is only known from a record that was kept for the whole time. Services without regions have their control
plane in one, `GLOBAL_REGION`, and count as calls of it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from blackstart.changes.clients import USER_AGENT
from blackstart.journals.story import ChangeStory
from blackstart.observer.events import Event

Json = Any

PLATFORM, DRILL = "platform", "drill"
GLOBAL_REGION = "us-east-1"
ROUNDED = 0.001
GLOBAL_SERVICES = ("route53", "iam", "cloudfront")
NO_REGION = ("", "aws-global")
ANSWERED = "answered"
NO_RECORD = "the drill kept no record of its calls"
NO_PLATFORM = "the platform did not tell which calls were made ([evidence] calls_url)"
_BOILERPLATE = re.compile(r"^(Boto3|Botocore|aiobotocore|md|ua|os|lang|cfg|m|exec-env|api)/", re.IGNORECASE)


@dataclass(frozen=True)
class Called:
    """One call of ``region`` at ``at`` (seconds since the origin), which took ``seconds``. ``by``: whose record it is
    in: `PLATFORM`'s, else that of one of the drill's processes. ``who``: the user agent, shortened."""

    at: float
    by: str
    who: str
    region: str
    operation: str
    seconds: float
    outcome: str


@dataclass(frozen=True)
class Caller:
    """The calls of one operation by one caller. ``first`` in seconds from the fault, ``waited`` for all of them
    together; ``unanswered`` of them. ``ours``: by the drill's own record."""

    who: str
    operation: str
    count: int
    first: float
    waited: float
    unanswered: int
    ours: bool


@dataclass(frozen=True)
class LostCalls:
    """The calls of ``region`` while it was lost, [``began``, ``ended``) in seconds since the origin. ``no_own`` and
    ``no_platform``: why that record does not cover the time; "" if it does."""

    region: str
    began: float
    ended: float
    callers: tuple[Caller, ...]
    no_own: str
    no_platform: str

    @property
    def none(self) -> bool:
        """Whether it is proven that nobody called."""
        return not self.callers and not self.no_own and not self.no_platform


def lost_region(events: Sequence[Event], changes: Sequence[ChangeStory]) -> str:
    """The region that the drill took away, in its own words; "" for none: users may move away from one that works."""
    told = Counter(str(event.fields.get("region") or "") for event in events if event.kind == "lost")
    named = [region for region, _ in told.most_common() if region]
    return named[0] if named and any(change.made for change in changes) else ""


def lost_at(events: Sequence[Event], fault_at: float) -> float:
    """When the region was lost: the fault had been applied whole, so that what it took of calls is behind it."""
    return min((event.at for event in events if event.kind == "lost" and event.at >= fault_at), default=fault_at)


def read(lines: Sequence[Mapping[str, Json]], origin: float) -> list[Called]:
    """The calls in ``calls.jsonl``; lines that are none are left out. The drill's own are taken from its own record:
    it knows how long they waited."""
    found = []
    for line in lines:
        at, by, agent = line.get("monotonic"), str(line.get("by")), str(line.get("agent") or "")
        if not isinstance(at, int | float) or "operation" not in line or (by == PLATFORM and _ours(agent)):
            continue
        service = str(line.get("service") or "")
        found.append(
            Called(
                at=float(at) - origin,
                by=by,
                who=shortened(agent) if by == PLATFORM else f"the {by}" if by != "recover" else "blackstart recover",
                region=home_of(service, str(line.get("region") or "")),
                operation=f"{service}:{line['operation']}",
                seconds=float(line.get("seconds") or 0.0),
                outcome=str(line.get("outcome") or ""),
            )
        )
    return found


def home_of(service: str, region: str) -> str:
    """The region in which a call of ``service``, signed for ``region``, is answered."""
    return GLOBAL_REGION if service in GLOBAL_SERVICES or region in NO_REGION else region


def lost_calls(
    lines: Sequence[Mapping[str, Json]],
    origin: float,
    region: str,
    span: tuple[float, float],
    *,
    fault_at: float,
    cut_off: bool,
) -> LostCalls:
    """The calls of ``region`` that began in ``span``. ``cut_off``: the drill's process was killed, and with it what it
    was waiting for. Times in seconds since the origin."""
    began, ended = span
    calls = [call for call in read(lines, origin) if call.region == region and began <= call.at < ended]
    no_platform = _no_platform(lines, origin, span)
    return LostCalls(region, began, ended, _callers(calls, fault_at), _no_own(lines, cut_off), no_platform)


def _callers(calls: Sequence[Called], fault_at: float) -> tuple[Caller, ...]:
    def key(call: Called) -> tuple[bool, str, str]:
        return call.by == PLATFORM, call.who, call.operation

    found = []
    for (told, who, operation), group in groupby(sorted(calls, key=key), key):
        each = list(group)
        unanswered = sum(call.outcome != ANSWERED for call in each)
        first, waited = min(call.at for call in each) - fault_at, sum(call.seconds for call in each)
        found.append(Caller(who, operation, len(each), first, waited, unanswered, not told))
    return tuple(sorted(found, key=lambda caller: (not caller.ours, caller.first)))


def _no_own(lines: Sequence[Mapping[str, Json]], cut_off: bool) -> str:
    if not any(line.get("by") == DRILL and line.get("begun") for line in lines):
        return NO_RECORD
    return "the drill was cut off, and with it the record of its calls" if cut_off else ""


def _no_platform(lines: Sequence[Mapping[str, Json]], origin: float, span: tuple[float, float]) -> str:
    told = [line for line in lines if line.get("by") == PLATFORM]
    whole = [line for line in told if line.get("complete")]
    for line in whole:
        since, until = (line.get(name) for name in ("since", "until"))
        if not (isinstance(since, int | float) and isinstance(until, int | float)):
            continue
        if since - origin <= span[0] + ROUNDED and span[1] <= until - origin + ROUNDED:
            return ""
    problems = [str(line["problem"]) for line in told if line.get("problem")]
    if problems:
        return problems[-1]
    return "the platform’s record of calls does not cover that time" if whole else NO_PLATFORM


def _ours(agent: str) -> bool:
    return any(token.partition("/")[0] == USER_AGENT for token in agent.split())


def shortened(agent: str) -> str:
    """What a caller calls itself, without what its library adds: ``failover-automation``, ``Boto3/1.43.2``."""
    tokens = re.sub(r"\([^)]*\)", " ", agent).split()
    named = next((token[4:] for token in tokens if token.startswith("app/")), "")
    own = [token for token in tokens if not _BOILERPLATE.match(token) and "#" not in token]
    return (named or " ".join(own[:2]) or (tokens[0] if tokens else "nobody it names"))[:60]
