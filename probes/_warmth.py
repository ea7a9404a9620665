"""When a cache was warm again, as users see it: by the answers that said whether the cache had them. Pure."""

from __future__ import annotations

import numpy as np

from blackstart.observer.samples import Cache, Samples

WARM_READS = 50
"""Over how many answers a share of hits is taken."""


def told(samples: Samples, region: str = "") -> Samples:
    """The ok answers, of ``region`` or of all, that say whether the cache had it, in the order in which they came."""
    wanted = np.array([region in ("", name) for name in samples.names("region")])
    said = samples.part(samples.ok & (samples.cache != Cache.NONE) & wanted[samples.region])
    return said.part(np.argsort(said.ended, kind="stable"))


def warm_again(samples: Samples, fault_at: float, share: float, region: str = "") -> tuple[bool, float | None]:
    """Whether fewer than ``share`` of the last answers were hits at any time since the fault; and how many seconds
    after it so many were again, and have been since. None while they are not."""
    said = told(samples, region)
    hits = np.cumsum(np.concatenate(([0], said.cache == Cache.HIT)))
    last = hits[WARM_READS:] - hits[:-WARM_READS]  # of the reads up to each one, from the first that has so many
    ended = said.ended[WARM_READS - 1 :]
    last, ended = last[ended >= fault_at], ended[ended >= fault_at]
    cold = np.flatnonzero(last < share * WARM_READS)
    warm = int(cold[-1]) + 1 if len(cold) else 0
    return len(cold) > 0, float(ended[warm]) - fault_at if warm < len(ended) else None
