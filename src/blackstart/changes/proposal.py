"""What an experiment would do, as data: the changes that each of its actions proposes, and what the guards say."""

from __future__ import annotations

from dataclasses import dataclass

from blackstart.access import Need
from blackstart.changes.guards import Finding
from blackstart.changes.model import Change


@dataclass(frozen=True)
class Proposal:
    """What one action would change, as one fault.

    ``activity`` is its name in the experiment, ``subject`` completes "not …". ``duration_seconds``: after which the
    reverter ends the fault, if nobody else has; None: never. ``findings``: every guard's word, in their order.
    ``kept``: what comes back while the fault lasts would be changed again,
    and ``keeping`` what finding it takes. ``found`` is False if the action refused,
    or could not tell, before it knew what it would change.
    """

    activity: str
    subject: str
    changes: tuple[Change, ...] = ()
    duration_seconds: float | None = None
    findings: tuple[Finding, ...] = ()
    found: bool = True
    kept: bool = False
    keeping: tuple[Need, ...] = ()

    @property
    def objections(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.objection)


@dataclass(frozen=True)
class Plan:
    """What a run of the experiment in ``file`` would do with this ``seed``.

    ``environment`` is the scope's. ``foreign`` names activities that are not Blackstart's: nobody can say what those
    change. ``scope`` is the file that stands for the configuration's scope, "" if none does.
    """

    file: str
    title: str
    environment: str
    seed: int
    proposals: tuple[Proposal, ...]
    foreign: tuple[str, ...] = ()
    scope: str = ""

    @property
    def would_run(self) -> bool:
        """Whether nobody objects to any fault. What other tools do is not known here."""
        return not any(proposal.objections for proposal in self.proposals)

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(change for proposal in self.proposals for change in proposal.changes)
