"""What became of the acknowledged writes of one drill. Pure; the set arithmetic is the observer's ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from blackstart.errors import NotMeasured
from blackstart.observer import ledger
from blackstart.observer.samples import Outcome


@dataclass(frozen=True)
class Data:
    """``result`` and ``loss`` are None where ``gap`` says why they cannot be known. ``acknowledged_before`` counts
    the writes acknowledged before the fault: with none of them, no loss could have shown. The age in ``loss`` counts
    back from when the fault had taken hold: from the fault, or from the newest lost write if that came later. Writes
    that were acknowledged once it was overcome were lost by the way back, so theirs counts from the undo in the same
    way; the greater age of both is the loss."""

    writes: tuple[ledger.Write, ...] = ()
    reads: tuple[ledger.ReadBack, ...] = ()
    result: ledger.LedgerResult | None = None
    loss: ledger.DataLoss | None = None
    acknowledged_before: int = 0
    gap: str = ""


def accounted(
    writes: Sequence[ledger.Write],
    reads: Sequence[ledger.ReadBack],
    fault_at: float | None,
    settled_at: float | None,
    undo_at: float | None = None,
) -> Data:
    """Check the ledger by the reads that began after ``settled_at`` (recovery, else the fault), seconds since origin.

    A read before the fault cannot show what the fault lost, so it does not count as a check of it.
    """
    told = Data(tuple(writes), tuple(reads))
    if fault_at is None:
        return Data(told.writes, told.reads, gap="no fault was injected")
    after = [read for read in reads if read.began >= (fault_at if settled_at is None else settled_at)]
    before = len([w for w in writes if w.outcome is Outcome.OK and w.at is not None and w.at <= fault_at])
    if not writes:
        return Data(told.writes, told.reads, gap="the observer made no writes")
    try:
        result = ledger.check(writes, after)
    except NotMeasured as error:
        return Data(told.writes, told.reads, acknowledged_before=before, gap=error.why)
    return Data(told.writes, told.reads, result, _loss(result, fault_at, settled_at, undo_at), before)


def _loss(
    result: ledger.LedgerResult, fault_at: float, settled_at: float | None, undo_at: float | None
) -> ledger.DataLoss:
    by_fault = [lost for lost in result.lost if settled_at is None or lost.acknowledged < settled_at]
    later = [lost for lost in result.lost if settled_at is not None and lost.acknowledged >= settled_at]
    ages = [_age(result, by_fault, fault_at), _age(result, later, fault_at if undo_at is None else undo_at)]
    worst = max(ages, key=lambda loss: loss.seconds)
    return replace(worst, writes=len(result.lost))


def _age(result: ledger.LedgerResult, lost: Sequence[ledger.Lost], began: float) -> ledger.DataLoss:
    # What takes data away takes a moment to take hold; a write that was acknowledged in it and is lost all the same
    # shows that it had not yet, so age counts from the newest lost write then.
    held = max([began, *(each.acknowledged for each in lost)])
    return ledger.data_loss(replace(result, lost=tuple(lost)), held)
