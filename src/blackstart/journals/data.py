"""What became of the acknowledged writes of one drill. Pure; the set arithmetic is the observer's ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blackstart.errors import NotMeasured
from blackstart.observer import ledger
from blackstart.observer.samples import Outcome


@dataclass(frozen=True)
class Data:
    """``result`` and ``loss`` are None where ``gap`` says why they cannot be known. ``acknowledged_before`` counts
    the writes acknowledged before the fault: with none of them, no loss could have shown. The age in ``loss`` counts
    back from when the fault had taken hold: from the fault, or from the newest lost write if that came later."""

    writes: tuple[ledger.Write, ...] = ()
    reads: tuple[ledger.ReadBack, ...] = ()
    result: ledger.LedgerResult | None = None
    loss: ledger.DataLoss | None = None
    acknowledged_before: int = 0
    gap: str = ""


def accounted(
    writes: Sequence[ledger.Write], reads: Sequence[ledger.ReadBack], fault_at: float | None, settled_at: float | None
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
    # A fault of several changes takes a moment to take hold; a write that was acknowledged in it and is lost all the
    # same shows that it had not yet, so age counts from the newest lost write then.
    held = max([fault_at, *(lost.acknowledged for lost in result.lost)])
    return Data(told.writes, told.reads, result, ledger.data_loss(result, held), before)
