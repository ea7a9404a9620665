"""What there is to say about a plan, worked out once for the terminal and for machines. Pure, but for looking up kinds.

As JSON: ``experiment`` (the file), ``title``, ``environment``, ``seed``, ``would_run``, ``reasons`` (sentences that
begin with "not"), ``run`` (the command), ``read`` (the calls that were made to find this), ``not_by_blackstart``, and
``faults``, each with

- ``activity``, ``subject``, ``duration_seconds`` (null: until somebody ends it), ``kept`` (true: what comes back
  meanwhile is changed again), ``found`` (false: the action refused
  before it knew its targets);
- ``changes``: ``kind``, ``target``, ``step``, ``before``, ``after``, ``summary``, ``undone_by``, ``restored`` (false:
  undo waits until what ``undone_by`` names has healed it);
- ``calls``: ``call``, ``region``, ``requests``, ``resources``;
- ``estimate``: ``seconds``, ``waits_seconds``, ``limited_by`` and ``source`` (null: by no limit);
- ``permissions``: what applying, undoing and verifying need;
- ``cost``: ``currency``, ``amount``, ``unpriced`` and ``endless`` (kinds);
- ``guards``: ``guard`` and ``objection`` (null: none).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from shlex import quote
from typing import Any

from blackstart.access import Call
from blackstart.changes.costs import Cost, cost
from blackstart.changes.model import Change
from blackstart.changes.proposal import Plan, Proposal
from blackstart.changes.rates import Calls, Estimate, buckets, counted, estimated
from blackstart.changes.registry import Kinds
from blackstart.settings import Prices


@dataclass(frozen=True)
class FaultView:
    """One proposal, with what follows from it. ``lost``: ids of changes that undo does not give back itself."""

    proposal: Proposal
    calls: tuple[Calls, ...]
    estimate: Estimate
    cost: Cost
    permissions: tuple[str, ...]
    lost: frozenset[str]


@dataclass(frozen=True)
class PlanView:
    """The whole plan. ``read``: the names of the calls that were made to find all this, sorted."""

    plan: Plan
    faults: tuple[FaultView, ...]
    read: tuple[str, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Every objection as a sentence."""
        return tuple(
            f"not {fault.proposal.subject}: {finding.objection}"
            for fault in self.faults
            for finding in fault.proposal.objections
        )

    @property
    def command(self) -> str:
        """What runs exactly this."""
        scope = f" --scope {quote(self.plan.scope)}" if self.plan.scope else ""
        return f"blackstart run {quote(self.plan.file)}{scope} --seed {self.plan.seed}"


def view(plan: Plan, calls: Iterable[Call], kinds: Kinds, prices: Prices) -> PlanView:
    """Work out what there is to say."""
    faults = tuple(_fault(proposal, kinds, prices) for proposal in plan.proposals)
    return PlanView(plan, faults, tuple(sorted({call.action for call in calls})))


def _fault(proposal: Proposal, kinds: Kinds, prices: Prices) -> FaultView:
    changes = proposal.changes
    permissions = {need.action for change in changes for need in kinds.lookup(change.kind).needs(change)}
    return FaultView(
        proposal,
        counted(changes, kinds),
        estimated(changes, kinds),
        cost(changes, proposal.duration_seconds, prices),
        tuple(sorted(permissions)),
        frozenset(change.id for change in changes if not kinds.lookup(change.kind).restores),
    )


def to_json(seen: PlanView) -> dict[str, Any]:
    """The plan for machines, as this module's docstring says."""
    plan = seen.plan
    return {
        "experiment": plan.file,
        "title": plan.title,
        "environment": plan.environment,
        "seed": plan.seed,
        "would_run": plan.would_run,
        "reasons": list(seen.reasons),
        "run": seen.command,
        "read": list(seen.read),
        "not_by_blackstart": list(plan.foreign),
        "faults": [_fault_json(fault) for fault in seen.faults],
    }


def _fault_json(fault: FaultView) -> dict[str, Any]:
    proposal, limited = fault.proposal, fault.estimate.limited
    return {
        "activity": proposal.activity,
        "subject": proposal.subject,
        "duration_seconds": proposal.duration_seconds,
        "kept": proposal.kept,
        "found": proposal.found,
        "changes": [_change_json(change, fault.lost) for change in proposal.changes],
        "calls": [asdict(calls) for calls in fault.calls],
        "estimate": {
            "seconds": round(fault.estimate.seconds, 3),
            "waits_seconds": round(fault.estimate.waits, 3),
            "limited_by": limited.call if limited else None,
            "source": buckets(limited.call)[0].source if limited else None,
        },
        "permissions": list(fault.permissions),
        "cost": asdict(fault.cost),
        "guards": [{"guard": found.guard, "objection": found.objection} for found in proposal.findings],
    }


def _change_json(change: Change, lost: frozenset[str]) -> Mapping[str, Any]:
    target = asdict(change.target)
    target.pop("tags")
    return {
        "kind": change.kind,
        "target": target,
        "step": change.step,
        "before": change.before,
        "after": change.after,
        "summary": change.summary,
        "undone_by": change.undo_summary,
        "restored": change.id not in lost,
    }
