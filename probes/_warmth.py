"""When a cache was warm again, as users see it: by the answers that said whether the cache had them. Pure."""

from __future__ import annotations

from collections import deque

from blackstart.observer.samples import Cache, Sample, Samples

WARM_READS = 50
"""Over how many answers a share of hits is taken."""


def told(samples: Samples, region: str = "") -> list[Sample]:
    """The ok answers, of ``region`` or of all, that say whether the cache had it, in the order in which they came."""
    rows = (row for row in samples.rows if row.ok and row.cache is not Cache.NONE and region in ("", row.region))
    return sorted(rows, key=lambda row: row.ended)


def warm_again(samples: Samples, fault_at: float, share: float, region: str = "") -> tuple[bool, float | None]:
    """Whether fewer than ``share`` of the last answers were hits at any time since the fault; and how many seconds
    after it so many were again, and have been since. None while they are not."""
    last: deque[bool] = deque(maxlen=WARM_READS)
    cold, since = False, None
    for row in told(samples, region):
        last.append(row.cache is Cache.HIT)
        if row.ended < fault_at or len(last) < WARM_READS:
            continue
        if sum(last) < share * WARM_READS:
            cold, since = True, None
        elif since is None:
            since = row.ended - fault_at
    return cold, since
