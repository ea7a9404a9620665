"""The points of the sweep: which experiment dies where and how, and what is called afterwards. Pure."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from labs import ROOT

HEALTH_CHECK = "health-check"
"""zone-network-loss with an inverted health check as its fault."""
TRAFFIC: dict[str, tuple[str, dict[str, Any]]] = {
    "weights": (
        "shift_weights",
        {"zone": "shop.test", "name": "weighted.shop.test", "weights": {"us-east-1": 0, "us-west-2": 100}},
    ),
    "routing-controls": ("switch_routing", {"cluster": "shop", "on": "us-west-2", "off": "us-east-1"}),
}
"""The same with another action on traffic, which no experiment has."""
UNREAD = {"cache-cold", "region-loss-100k"}
"""One is undone once users have filled a cache again, and here nobody is left to (tests/changes/test_emptied_cache.py);
the other changes what region-loss does, under load (tests/load)."""
EXPERIMENTS = (
    *sorted(path.stem for path in (ROOT / "experiments").glob("*.yaml") if path.stem not in UNREAD),
    HEALTH_CHECK,
    *TRAFFIC,
)
SMALL = "small"
"""The drill of many kinds that needs no lab, and knows no reverter that dies."""
# where ways of dying other than SIGKILL are tried: before, in the middle of, and after the fault
CORNERS = ("logged:1", "applied:last", "undone:1")
DYING = ("SIGINT", "SIGTERM", "group", "with-reverter")
# where a `recover`, or a reverter, dies that has everything to put back
RECOVER = ("undoing:1", "undone:1", "undone:last", "marking:1", "marked:1", "verifying:1", "verified:1", "marked:last")
REVERT = ("undoing:1", "undone:1", "verified:1")
RANDOM_TIMES = 6
RANDOM_WAYS = ("SIGKILL", "SIGKILL", "group", "SIGINT", "SIGTERM", "SIGKILL")
MARKED_LAST = "marked:last"
QUICK_SECONDS = 2


@dataclass(frozen=True)
class Point:
    """``deaths``: part (drill, revert, recover) → where it dies, and how.

    Where is ``boundary:n``; a drill may also die some time after its start (``12.5s``). ``name`` says it all.
    """

    experiment: str
    deaths: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        dying = "+".join(f"{part}:{how}@{at}" for part, (at, how) in self.deaths.items())
        return f"{self.experiment}/{dying or 'nobody-dies'}"

    @classmethod
    def named(cls, name: str) -> Point:
        """The point with this name."""
        experiment, _, dying = name.partition("/")
        deaths = {}
        for death in dying.split("+") if dying != "nobody-dies" else ():
            part, _, rest = death.partition(":")
            how, _, at = rest.partition("@")
            deaths[part] = (at, how)
        return cls(experiment, deaths)

    @property
    def seconds(self) -> float | None:
        """When the drill dies, if at no boundary."""
        at, _ = self.deaths.get("drill", (":", ""))
        return None if ":" in at else float(at.removesuffix("s"))

    @property
    def needs_recover(self) -> bool:
        """Whether nobody is left who would put everything back by himself."""
        return (
            "recover" in self.deaths
            or "revert" in self.deaths
            or self.deaths.get("drill", ("", ""))[1] == "with-reverter"
        )


@dataclass
class Result:
    """``reached``: whether what was to die did. ``left``: what was not as before, one line each."""

    point: str
    reached: bool
    left: list[str]
    seconds: float
    passages: list[str] = field(default_factory=list)


def every(experiment: str, passages: Sequence[str], seconds: float, chance: random.Random) -> Iterator[Point]:
    """All points of ``experiment``, whose drill passes these boundaries when nobody dies, and takes ``seconds``."""
    counts = Counter(passages)
    for boundary, total in counts.items():
        for number in range(1, total + 1):
            yield Point(experiment, {"drill": (f"{boundary}:{number}", "SIGKILL")})
    for how in DYING:
        for at in CORNERS:
            yield Point(experiment, {"drill": (last(at, counts), how)})
    after_all = last(MARKED_LAST, Counter(passages[: passages.index("undoing")]))
    undoing = Counter(passages[passages.index("undoing") :])
    for at in RECOVER:
        yield Point(experiment, {"drill": (after_all, "with-reverter"), "recover": (last(at, undoing), "SIGKILL")})
    for how in ("reverter", "reverter-first"):
        yield Point(experiment, {"drill": (after_all, how)})
    if experiment == SMALL:
        return
    for at in REVERT:
        yield Point(experiment, {"drill": (after_all, "SIGKILL"), "revert": (last(at, undoing), "SIGKILL")})
    for number in range(RANDOM_TIMES):
        at = round(chance.uniform(0.2, seconds), 2)
        yield Point(experiment, {"drill": (f"{at}s", RANDOM_WAYS[number % len(RANDOM_WAYS)])})


def last(at: str, counts: Counter[str]) -> str:
    """``boundary:last`` with its number."""
    boundary, _, number = at.partition(":")
    return f"{boundary}:{counts[boundary]}" if number == "last" else at


def shortened(name: str, health_check: str) -> dict[str, Any]:
    """The experiment as the sweep runs it: the real file, all of its actions and the first of its probes, less waiting,
    and for one of them another fault."""
    faults = {**TRAFFIC, HEALTH_CHECK: ("fail_health_check", {"health_check": health_check})}
    function, asked = faults.get(name, ("", {}))
    file = "zone-network-loss" if function else name
    found: dict[str, Any] = yaml.safe_load((ROOT / "experiments" / f"{file}.yaml").read_text())
    for each in found["configuration"].values():
        if each["key"].endswith("_SECONDS"):
            each["default"] = min(each["default"], QUICK_SECONDS)
    if function:
        action = found["method"][0]["provider"]
        action |= {"module": "blackstart.actions.traffic", "func": function, "arguments": asked}
    del found["steady-state-hypothesis"]["probes"][1:]
    found["steady-state-hypothesis"]["probes"][0]["provider"]["arguments"]["last_seconds"] = 1
    first = next(each for each in found["method"] if each["type"] == "probe")
    arguments = first["provider"].setdefault("arguments", {})
    arguments |= {key: QUICK_SECONDS for key in arguments if key in ("limit_seconds", "settle_seconds")}
    found["method"] = [*(each for each in found["method"] if each["type"] == "action"), first]
    return found
