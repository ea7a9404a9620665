"""The kinds of failure that an incident can name, and which shipped experiment drills each. Pure data.

An experiment of your own belongs to a kind if its tags name it (``tags: [queue, D5]``), and to a way of it if they
name that as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Failure:
    """One kind of failure.

    ``ways``: how it can fail → shipped experiments, the plainest first. ``systems``: ids that are tags of experiments.
    ``wider``: kinds that include this one. ``place``: the key of an experiment's configuration that says where.
    ``stand_in``: where no experiment does it, one that users feel alike; ``instead`` says in what they are alike.
    """

    kind: str
    words: str
    systems: tuple[str, ...]
    ways: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    wider: tuple[str, ...] = ()
    place: str = ""
    stand_in: str = ""
    instead: str = ""


_SCALED = "service-to-zero"
_NOBODY = "nobody is served while the service is scaled to zero"
_REGION = ("region-loss", "region-loss-manual", "region-failback", "region-loss-100k")

FAILURES = (
    Failure(
        "pod", "loss of pods", ("C4",), {"killed": ("pod-kill",), "again-and-again": ("pod-kill-repeated",)},
        ("node", "zone", "region"),
    ),
    Failure("rollout", "roll-out of a bad version", ("C4",), {"does-not-start": ("bad-rollout",)}),
    Failure("scaled-to-zero", "service scaled to zero", ("C4",), {"by-mistake": (_SCALED,)}),
    Failure(
        "node", "loss of a node", ("C1", "C2"), {"not-ready": ("node-not-ready",)}, ("zone", "region"),
    ),
    Failure(
        "spot-node", "loss of spot nodes", ("C2",),
        {"one": ("spot-interruption",), "share": ("spot-reclaim-share",), "no-replacement": ("no-capacity",)},
        ("zone",),
    ),
    Failure("capacity", "no room to grow", ("C3",), {"nodes": ("no-capacity",), "pods": ("autoscaler-pinned",)}),
    Failure(
        "zone", "loss of a zone", ("T5", "C1"),
        {"network": ("zone-network-loss",), "power": ("zone-power-loss",)}, ("region",), "zone",
    ),
    Failure(
        "region", "loss of a region", ("R3", "D2", "T1"),
        {"whole": _REGION, "part": ("region-isolation-partial",)}, (), "region",
    ),
    Failure(
        "database", "loss of a database", ("D1",),
        {"writer": ("database-failover",), "connections": ("database-connections-exhausted",)}, ("region",),
    ),
    Failure(
        "replication", "standstill of replication", ("D2",),
        {"paused": ("replication-paused",), "switch-over": ("region-switchover",)}, (), "standby_region",
    ),
    Failure(
        "cache", "loss of a cache", ("D3",), {"primary": ("cache-failover",), "emptied": ("cache-cold",)}, ("region",),
    ),
    Failure("dns", "wrong answers of DNS", ("T1",), {"health-check": ("dns-failover",)}, ("region",)),
    Failure("backup", "loss of data that a backup holds", ("R1",), {"restore": ("backup-restore",)}),
    Failure(
        "queue", "loss of a queue or its consumers", ("D5",), stand_in=_SCALED,
        instead="nothing is consumed while the consumers are scaled to zero (name theirs as the deployment)",
    ),
    Failure("certificate", "a certificate that is not accepted", ("S2",), stand_in=_SCALED, instead=_NOBODY),
    Failure("secret", "a secret that is wrong or withheld", ("D6",), stand_in=_SCALED, instead=_NOBODY),
    Failure("identity", "access denied by a policy or role", ("S1",), stand_in=_SCALED, instead=_NOBODY),
    Failure("encryption-key", "an encryption key that is disabled", ("D7",), stand_in=_SCALED, instead=_NOBODY),
    Failure("storage", "loss of object storage", ("D4",), stand_in=_SCALED, instead=_NOBODY),
    Failure(
        "network-policy", "a path between services that is closed", ("T6",), stand_in="database-connections-exhausted",
        instead="the service has to do without a connection to its dependency",
    ),
    Failure(
        "load-balancer", "loss of a load balancer or its targets", ("T3",), stand_in="zone-shift",
        instead="the load balancers stop using a zone",
    ),
    Failure("gateway", "loss of a gateway or the mesh", ("T4",), stand_in=_SCALED, instead=_NOBODY),
    Failure("cdn", "loss of the content delivery network", ("T2",), stand_in=_SCALED, instead=_NOBODY),
    Failure("other", "a failure of another kind", (), stand_in=_SCALED, instead=_NOBODY),
)  # fmt: skip

KINDS = tuple(failure.kind for failure in FAILURES)


def of(kind: str) -> Failure:
    """The failure of that ``kind``; KeyError for others, which an incident does not hold."""
    return {failure.kind: failure for failure in FAILURES}[kind]


def ways(failure: Failure, experiment: str, tags: tuple[str, ...]) -> tuple[str, ...] | None:
    """In which ways the experiment of that name drills ``failure``; None: not at all.

    Of an experiment that is not shipped, each tag may be a way.
    """
    if experiment in _SHIPPED:
        return tuple(way for way, names in failure.ways.items() if experiment in names) or None
    return tags if failure.kind in tags else None


_SHIPPED = frozenset(name for failure in FAILURES for names in failure.ways.values() for name in names) | {"zone-shift"}
