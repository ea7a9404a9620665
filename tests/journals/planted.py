"""Journals of drills that never ran: synthetic, but written by the same writers as real ones. ``plant(root, Plan(…))``
makes one folder; what the code under test says about it must follow from its files alone."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from blackstart.changes.leftovers import Found, Residue, Whose
from blackstart.changes.log import Mark
from blackstart.changes.mirror import Mirror
from blackstart.changes.model import Change, State
from blackstart.clock import iso
from blackstart.journals import folder as folders
from blackstart.journals.close import open_verdict
from blackstart.journals.folder import Drill
from blackstart.journals.restoration import Restoration
from blackstart.observer import jsonl
from blackstart.observer.ledger import Ledger, key, prefix
from blackstart.observer.recorder import Recorder
from blackstart.observer.samples import Cache, Cause, Header, Kind, Outcome, Sample
from blackstart.observer.schedule import Schedule
from blackstart.scope import Target

ORIGIN, HOME, STANDBY = 5000.0, "us-east-1", "us-west-2"  # the origin is monotonic
SOMEBODY = "subnet subnet-0 has network ACL acl-other, which somebody else gave it"
STARTED = datetime(2026, 11, 23, 14, 3, 0, 250_000, tzinfo=UTC)


@dataclass(frozen=True)
class Plan:
    """What happened. Times in seconds since the origin unless they end in ``_for`` (from the fault).

    ``databases``: who takes writes was asked of both regions; ``second_writer``: from when to when home's did, too, and
    served every other request. ``calls``: the lines of calls.jsonl.
    """

    experiment: str = "region-loss"
    fault: str = "loss of region us-east-1"
    rate: float = 100.0
    write_share: float = 0.38
    fault_at: float | None = 60.0
    nobody_for: float = 53.6
    partly_for: float = 71.2
    moves: bool = True
    undo_at: float | None = 240.4
    home_again_at: float = 263.0
    end: float = 300.0
    lost: int = 7
    lost_within: float = 0.61
    failing_before: float = 0.0
    stray_failures: int = 4
    timeout: float = 2.0
    steps: Mapping[str, float] = field(default_factory=lambda: dict(_STEPS))
    objectives: Mapping[str, Any] = field(default_factory=lambda: dict(_OBJECTIVES))
    changes: int = 3
    left: int = 0
    marked: bool = True
    conflicts: int = 0
    residue: tuple[Found, ...] = ()
    residue_problems: tuple[str, ...] = ()
    proven: bool = True
    stopped: str = ""
    lapsed: str = ""
    checked: bool = True
    gap: tuple[float, float] | None = None
    toolkit: Mapping[str, Any] | None = field(default_factory=lambda: {"status": "completed", "deviated": False})
    ended: bool = True
    seed: int = 1
    service: str = "orders"
    zones: str = "abc"
    databases: bool = False
    second_writer: tuple[float, float] | None = None
    calls: tuple[Mapping[str, Any], ...] = ()
    title: str = "Lose the primary region"


_STEPS = {"detect": 18.4, "decide": 24.1, "reroute": 35.0, "promote": 53.6, "scale": 64.2, "warm": 70.9}
_OBJECTIVES = {
    "rto_seconds": 90, "rpo_seconds": 5, "lost_writes": 0, "availability": 0.7, "p99_seconds": 0.3, "p95_seconds": None,
    "error_budget_share": None,
}  # fmt: skip


SMALL = Plan(
    rate=40.0, fault_at=10.0, nobody_for=8.0, partly_for=12.0, undo_at=35.0, home_again_at=38.0, end=45.0, lost=3,
    stray_failures=0, steps={step: after / 6.7 for step, after in _STEPS.items()},
    objectives={**_OBJECTIVES, "rto_seconds": 15, "availability": 0.6, "p99_seconds": 0.6},
)  # fmt: skip


class Hands:
    """A clock whose hands are set."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return STARTED + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return ORIGIN + self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    async def pause(self, seconds: float) -> None:
        self.seconds += seconds


def plant(root: Path, plan: Plan | None = None, **changed: Any) -> Path:
    """Write the whole journal of ``plan`` (or of a region loss), with ``changed`` fields; returns its folder."""
    plan = replace(plan or Plan(), **changed)
    folder = folders.create(root, drill(plan))
    open_verdict(folder)
    samples = list(requests(plan))
    _write_samples(folder, plan, samples)
    _write_ledger(folder, plan, samples)
    _write_changes(folder, plan)
    _write_events(folder, plan)
    _write_restoration(folder, plan)
    for line in plan.calls:
        jsonl.append(folder / folders.CALLS, line)
    if plan.toolkit is not None:
        folders.write_json(folder / folders.TOOLKIT, plan.toolkit)
    return folder


def drill(plan: Plan) -> Drill:
    service = {"name": plan.service, "host": "orders.shop.test", "port": 8080, "home_region": HOME}
    return Drill(
        drill="0142", experiment=plan.experiment, title=plan.title, file=f"experiments/{plan.experiment}.yaml",
        started=STARTED, origin_monotonic=ORIGIN, environment="lab", fault=plan.fault,
        service={**service, "standby_region": STANDBY}, objectives=dict(plan.objectives), seed=plan.seed,
        observing={"rate": plan.rate, "write_share": plan.write_share, "timeout_seconds": plan.timeout},
        versions={"blackstart": "0.1.0", "chaostoolkit": "1.19.0", "python": "3.11.7"}, sha256="9f2c" * 16,
    )  # fmt: skip


def requests(plan: Plan) -> Iterator[Sample]:
    chance = random.Random(plan.seed)
    schedule = Schedule(0.0, plan.rate, plan.write_share)
    total = schedule.count(0.0, plan.end)
    stray = set(chance.sample(range(total), min(plan.stray_failures, total)))
    for number in range(total):
        due = schedule.intended(number)
        if plan.gap and plan.gap[0] <= due < plan.gap[1]:
            yield Sample(number, due, float("nan"), due, schedule.kind(number), Outcome.FAILED, Cause.UNSENT)
            continue
        yield _fate(
            plan, chance, Sample(number, due, due + 0.0004, 0, schedule.kind(number), Outcome.OK), number in stray
        )


def _fate(plan: Plan, chance: random.Random, sample: Sample, stray: bool) -> Sample:
    due = sample.intended
    since = due - plan.fault_at if plan.fault_at is not None else -1.0
    hurting = plan.fault_at is not None and (plan.undo_at is None or due < plan.undo_at)
    calm = since < 0 or since >= plan.partly_for or not hurting
    if (stray and calm) or (since < 0 and chance.random() < plan.failing_before):
        return _failed(plan, sample, chance, 0.2)
    if hurting and 0 <= since < plan.nobody_for:
        return _failed(plan, sample, chance, 0.8)
    if hurting and plan.nobody_for <= since < plan.partly_for and chance.random() < _still_failing(plan, since):
        return _failed(plan, sample, chance, 0.5)
    return _served(plan, sample, chance, since)


def _still_failing(plan: Plan, since: float) -> float:
    share = (since - plan.nobody_for) / max(plan.partly_for - plan.nobody_for, 0.001)
    return 0.65 if share < 0.55 else 0.05


def _failed(plan: Plan, sample: Sample, chance: random.Random, silent: float) -> Sample:
    quiet = chance.random() < silent
    outcome = Outcome.UNKNOWN if quiet and sample.kind is Kind.WRITE else Outcome.FAILED
    ended = sample.intended + (plan.timeout if quiet else 0.004)
    cause = Cause.TIMEOUT if quiet else Cause.STATUS
    return sample._replace(ended=ended, outcome=outcome, cause=cause, status=0 if quiet else 503, address="127.0.0.10")


def _served(plan: Plan, sample: Sample, chance: random.Random, since: float) -> Sample:
    away = plan.moves and since >= plan.nobody_for and sample.intended < plan.home_again_at
    second = plan.second_writer
    if second and second[0] <= sample.intended < second[1] and sample.number % 4 < 2:
        away = False
    region = STANDBY if away else HOME
    slow = 0.036 if away else 0.024
    if 0 <= since < plan.end and away:
        slow += 0.18 * 2.718 ** (-(since - plan.nobody_for) / 22)
    took = min(chance.lognormvariate(0, 0.35) * slow * (4 if chance.random() < 0.01 else 1), plan.timeout * 0.95)
    zone = region + plan.zones[sample.number % len(plan.zones)]
    cache = Cache.NONE if sample.kind is Kind.WRITE else Cache.HIT
    pod = f"orders-{zone}-{sample.number % 6}"
    sample = sample._replace(ended=sample.intended + took, status=200, cache=cache, address="127.0.0.10")
    return sample._replace(region=region, zone=zone, pod=pod)


def header(plan: Plan) -> Header:
    return Header(
        ORIGIN, "2026-11-23T14:03:00.250Z", 0.0, plan.rate, plan.timeout, plan.write_share,
        recovery_window_seconds=5.0, home_region=HOME, standby_region=STANDBY, service=plan.service, drill="0142",
        prefix=prefix("0142"),
    )  # fmt: skip


def _write_samples(folder: Path, plan: Plan, samples: list[Sample]) -> None:
    recorder = Recorder(folder, header(plan))
    for sample in sorted(samples, key=lambda each: each.ended):
        recorder.add(sample)
    if plan.ended:
        recorder.close(plan.end)
    else:
        recorder.flush()


def _write_ledger(folder: Path, plan: Plan, samples: list[Sample]) -> None:
    log = Ledger(folder)
    writes = [sample for sample in samples if sample.kind is Kind.WRITE]
    for write in writes:
        log.sending(write.number, key("0142", write.number), write.intended)
        log.ended(write.number, write.outcome, write.ended, write.region)
    log.close()
    if plan.checked:
        found = {key("0142", write.number) for write in writes if write.outcome is Outcome.OK} - set(
            lost_keys(plan, writes)
        )
        unknown = [key("0142", write.number) for write in writes if write.outcome is Outcome.UNKNOWN]
        _write_found(folder, 1, (plan.undo_at or plan.end) - 2, found | set(unknown[:3]))
        _write_found(folder, 2, plan.end + 1, found | set(unknown[:3]))


def lost_keys(plan: Plan, writes: list[Sample]) -> list[str]:
    """The newest acknowledged writes before the fault, spread over ``lost_within`` seconds."""
    if plan.fault_at is None or not plan.lost:
        return []
    acknowledged = [
        w for w in writes if w.outcome is Outcome.OK and plan.fault_at - plan.lost_within <= w.ended < plan.fault_at
    ]
    acknowledged.sort(key=lambda write: write.ended)
    step = max(len(acknowledged) // plan.lost, 1)
    return [key("0142", write.number) for write in acknowledged[::step][: plan.lost]]


def _write_found(folder: Path, number: int, at: float, keys: set[str]) -> None:
    path = folder / "found.jsonl"
    ordered = sorted(keys)
    for first in range(0, len(ordered), 1000):
        jsonl.append(path, {"check": number, "at": at, "keys": ordered[first : first + 1000]})
    jsonl.append(path, {"check": number, "began": at - 0.5, "at": at, "complete": True})


def change(number: int) -> Change:
    target = Target(
        "subnet", f"subnet-{number}", account="123456789012", region=HOME, zone=f"{HOME}{'abc'[number % 3]}"
    )
    return Change(
        id=f"bs-{number:012x}", kind="ec2.subnet_acl", target=target,
        before={"acl": "acl-1"}, after={"acl": "acl-deny"},
        summary=f"subnet subnet-{number} ({target.zone}): network ACL acl-1 → deny all",
        undo_summary="giving it acl-1 back", calls=("ec2:ReplaceNetworkAclAssociation",),
    )  # fmt: skip


def _write_changes(folder: Path, plan: Plan) -> None:
    if plan.fault_at is None or not plan.changes:
        return
    hands = Hands()
    mirror = Mirror(folder, "drill", hands)
    changes = [change(number) for number in range(plan.changes)]
    hands.seconds = plan.fault_at - 0.02
    mirror.planned(changes)
    for number, each in enumerate(changes if plan.marked else ()):
        hands.seconds = plan.fault_at + 0.05 + 0.01 * number
        mirror.marked({each.id: Mark(State.APPLIED)}, {each.id: ORIGIN + plan.fault_at + 0.01 * number})
    if plan.undo_at is None:
        return
    for each in changes[plan.left :][: plan.conflicts]:
        mirror.marked({each.id: Mark(State.CONFLICT, SOMEBODY)})
    for number, each in enumerate(changes[plan.left + plan.conflicts :]):
        hands.seconds = plan.undo_at + 0.1 * (number + 1)
        mirror.marked({each.id: Mark(State.UNDONE)})
        hands.seconds += 0.05
        mirror.marked({each.id: Mark(State.VERIFIED, "read back: network ACL acl-1")})


def left_acl(whose: Whose = Whose.OURS, change: str = f"bs-{2:012x}", drill: str = "") -> Found:
    """A network ACL that a scan for residue found."""
    return Found("network-acl", "acl-left", change, HOME, whose, drill)


def _write_restoration(folder: Path, plan: Plan) -> None:
    if plan.fault_at is None or not plan.changes or plan.undo_at is None or not plan.proven:
        return
    ids = [change(number).id for number in range(plan.changes)]
    borders = plan.left, plan.left + plan.conflicts
    looked = () if plan.residue_problems else (f"{HOME} (EC2 tags)",)
    proof = Restoration(
        iso(STARTED + timedelta(seconds=plan.undo_at + 1)), "drill", plan.changes, plan.changes - borders[1],
        dict.fromkeys(ids[borders[0] : borders[1]], SOMEBODY), dict.fromkeys(ids[: borders[0]], ""),
        residue=Residue(looked, plan.residue, plan.residue_problems),
    )  # fmt: skip
    folders.write_json(folder / folders.RESTORATION, {"format": 1, "drill": "0142", **asdict(proof)})


def _write_events(folder: Path, plan: Plan) -> None:
    lines: list[dict[str, Any]] = [{"at": 0.0, "kind": "phase", "name": "baseline"}]
    first = {
        "name": "orders.shop.test",
        "before": [],
        "after": ["127.0.0.11"],
        "last_old": None,
        "first_new": 0.1,
        "ttl": 2,
    }
    lines.append({"at": 0.1, "kind": "dns", **first})
    lines.append({"at": 0.2, "kind": "writer", "region": HOME, "before": "", "source": "rds"})
    lines.append({"at": 0.2, "kind": "ready", "ready": 2, "desired": 2, "source": "deployment"})
    if plan.fault_at is not None:
        lines.append({"at": plan.fault_at, "kind": "phase", "name": "fault"})
        if plan.moves:
            lines.append({"at": plan.fault_at, "kind": "lost", "region": HOME})
        for step, after in plan.steps.items():
            lines.append({"at": plan.fault_at + after, **_step_event(step, plan.fault_at + after)})
    if plan.stopped:
        lines.append({"at": plan.undo_at, "kind": "stop", "reason": plan.stopped})
    if plan.lapsed:
        lines.append({"at": plan.undo_at, "kind": "lapse", "reason": plan.lapsed})
    if plan.undo_at is not None and plan.fault_at is not None:
        lines.append({"at": plan.undo_at, "kind": "phase", "name": "undo"})
    for line in [*lines, *(_databases(plan) if plan.databases else ())]:
        jsonl.append(folder / folders.EVENTS, line)


def _databases(plan: Plan) -> Iterator[dict[str, Any]]:
    """What the looks at both databases, five a second, would have noted of a fail-over and the way back."""
    assert plan.fault_at is not None
    back = plan.undo_at or plan.end
    promoted = plan.fault_at + plan.steps.get("promote", 1.0)
    home = [(0.3, "writer"), (plan.fault_at + 0.1, "away"), (back + 1, "reader"), (plan.home_again_at - 0.2, "writer")]
    if plan.second_writer:
        home += [(plan.second_writer[0], "writer"), (plan.second_writer[1], "away")]
    standby = [(0.3, "reader"), (promoted, "writer"), (plan.home_again_at - 0.9, "reader")]
    for region, seen in ((HOME, sorted(home)), (STANDBY, standby)):
        before = ""
        for at, state in [*seen, (plan.end, seen[-1][1])]:
            line = {"at": at, "kind": "database", "region": region, "state": state, "before": before}
            yield {**line, "asked": at - 0.01, "last": at - 0.21 if before else None, "source": "database"}
            before = state


def _step_event(step: str, at: float) -> dict[str, Any]:
    told = {"object": "orders", "source": "kubernetes event"}
    return {
        "detect": {"kind": "detect", "reason": "PrimaryUnhealthy", "message": "4 of 4 probes failed", **told},
        "decide": {"kind": "decide", "reason": "FailoverDecided", "message": "moving to us-west-2", **told},
        "reroute": {
            "kind": "dns", "name": "orders.shop.test", "before": ["127.0.0.11"], "after": ["127.0.0.12"],
            "last_old": at - 2, "first_new": at, "ttl": 2,
        },
        "promote": {"kind": "writer", "region": STANDBY, "before": HOME, "source": "rds"},
        "scale": {"kind": "ready", "ready": 6, "desired": 6, "source": "deployment"},
        "warm": {"kind": "cache", "reason": "CacheWarmed", "message": "hit ratio 0.93", **told},
    }[step]  # fmt: skip
