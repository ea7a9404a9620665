"""How many API calls a fault takes, and how long under the rate limits of the services. Pure, but for looking up kinds.

Services count calls with token buckets: so many at once, then so many a second. What a service does not publish is
not guessed. Other users of the account draw from the same buckets, so the time is a lower bound.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from blackstart.changes import pool
from blackstart.changes.model import Change
from blackstart.changes.registry import Kinds

CALL_SECONDS = 0.1
"""What one call is taken to last, from asking to answer."""


@dataclass(frozen=True)
class Bucket:
    """``burst`` at once, then ``per_second``; counts the resources that a call names instead of calls if
    ``by_resource``. For each account and region."""

    burst: int
    per_second: float
    source: str
    by_resource: bool = False


_EC2 = "Amazon EC2 Developer Guide: Request throttling for the Amazon EC2 API"
_ROUTE53 = "Amazon Route 53 Developer Guide: Throttling for Amazon Route 53 API requests"
BUCKETS = {
    "ec2:StartInstances": (Bucket(1000, 2, _EC2, by_resource=True), Bucket(50, 5, _EC2)),
    "ec2:StopInstances": (Bucket(1000, 20, _EC2, by_resource=True), Bucket(50, 5, _EC2)),
    "ec2:TerminateInstances": (Bucket(1000, 20, _EC2, by_resource=True), Bucket(50, 5, _EC2)),
    "ec2:Describe": (Bucket(100, 20, _EC2),),
    "ec2:": (Bucket(50, 5, _EC2),),
    "route53:UpdateHealthCheck": (Bucket(50, 5, _ROUTE53),),
    "route53:": (Bucket(50, 10, _ROUTE53),),
}
"""By how a call's name begins; the longest that fits counts. Each EC2 call has buckets of its own."""


@dataclass(frozen=True)
class Calls:
    """``requests`` of one API call in one region ("": outside of all), on so many ``resources``."""

    call: str
    region: str
    requests: int
    resources: int


@dataclass(frozen=True)
class Estimate:
    """Seconds to apply a fault with up to ``at_once`` calls under way, of which it waits ``waits`` for the limit of
    ``limited`` (None: for none)."""

    seconds: float
    at_once: int
    waits: float
    limited: Calls | None


def buckets(call: str) -> tuple[Bucket, ...]:
    """The limits of ``call``; empty if its service publishes none."""
    fitting = [prefix for prefix in BUCKETS if call.startswith(prefix)]
    return BUCKETS[max(fitting, key=len)] if fitting else ()


def counted(changes: Sequence[Change], kinds: Kinds) -> tuple[Calls, ...]:
    """The calls that would apply ``changes``, not those that only read; ConfigInvalid for a kind that is not there."""
    requests: Counter[tuple[str, str]] = Counter()
    resources: Counter[tuple[str, str]] = Counter()
    for step in _steps(changes):
        for batch in pool.batches(step, kinds):
            named = Counter((call, change.target.region) for change in batch.changes for call in change.calls)
            resources.update(named)
            requests.update(dict.fromkeys(named, 1) if batch.kind.joined else named)
    return tuple(Calls(*key, requests[key], resources[key]) for key in sorted(requests))


def estimated(changes: Sequence[Change], kinds: Kinds) -> Estimate:
    """How long applying ``changes`` takes at least, with as many calls under way at once as their kinds allow."""
    waves, most = 0, 1
    for step in _steps(changes):
        waves += 1  # what is to be written is read first
        slowest = 0
        for name in {change.kind for change in step}:
            at_once = kinds.lookup(name).at_once
            writes = sum(calls.requests for calls in counted([each for each in step if each.kind == name], kinds))
            slowest, most = max(slowest, math.ceil(writes / at_once)), max(most, at_once)
        waves += slowest
    limited = max(counted(changes, kinds), key=_waits, default=None)
    waits = _waits(limited) if limited else 0.0
    return Estimate(waves * CALL_SECONDS + waits, most, waits, limited if waits else None)


def _steps(changes: Sequence[Change]) -> Iterator[list[Change]]:
    ordered = sorted(changes, key=lambda change: change.step)
    return (list(step) for _, step in groupby(ordered, key=lambda change: change.step))


def _waits(calls: Calls) -> float:
    over = (
        ((calls.resources if bucket.by_resource else calls.requests) - bucket.burst) / bucket.per_second
        for bucket in buckets(calls.call)
    )
    return max(0.0, max(over, default=0.0))
