"""What became of the acknowledged writes of one drill. Pure; the set arithmetic is the observer's ledger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from blackstart.errors import NotMeasured
from blackstart.journals import numbers
from blackstart.observer import ledger
from blackstart.observer.databases import AWAY
from blackstart.observer.history import History
from blackstart.observer.ledger import SERVICE

Json = Any
KEYS = (
    "recovered_writes", "unexpected_writes", "duplicated_writes", "divergent_writes", "out_of_order_writes",
    "read_back_from",
)  # fmt: skip


@dataclass(frozen=True)
class Data:
    """``result`` and ``loss`` are None where ``gap`` says why they cannot be known. ``acknowledged_before`` counts
    the writes acknowledged before the fault: with none of them, no loss could have shown. The age in ``loss`` counts
    back from when the fault had taken hold: from the fault, or from the newest lost write if that came later. Writes
    that were acknowledged once it was overcome were lost by the way back, so theirs counts from the undo in the same
    way; the greater age of both is the loss.

    ``reads``: those that decide what is there. ``unread``: the databases that the last check could not read.
    """

    writes: Sequence[ledger.Write] = ()
    reads: tuple[ledger.ReadBack, ...] = ()
    result: ledger.LedgerResult | None = None
    loss: ledger.DataLoss | None = None
    acknowledged_before: int = 0
    gap: str = ""
    unread: tuple[ledger.Unread, ...] = ()


def accounted(
    writes: Sequence[ledger.Write],
    reads: Sequence[ledger.ReadBack],
    fault_at: float | None,
    settled_at: float | None,
    undo_at: float | None = None,
    *,
    unread: Sequence[ledger.Unread] = (),
) -> Data:
    """Check the ledger by the reads that began after ``settled_at`` (recovery, else the fault), seconds since origin.

    A read before the fault cannot show what the fault lost, so it does not count as a check of it.
    """
    told = Data(History.of(writes), _deciding(reads), unread=_last(unread, reads))
    if fault_at is None:
        return replace(told, gap="no fault was injected")
    after = [read for read in reads if read.began >= (fault_at if settled_at is None else settled_at)]
    if not writes:
        return replace(told, gap="the observer made no writes")
    told = replace(told, acknowledged_before=sum(at <= fault_at for at in acknowledged_at(told)))
    try:
        result = ledger.check(told.writes, after)
    except NotMeasured as error:
        return replace(told, gap=error.why)
    return replace(told, result=result, loss=_loss(result, fault_at, settled_at, undo_at))


def acknowledged_at(data: Data) -> list[float]:
    """When the acknowledged writes were, in the order of the history."""
    history = History.of(data.writes)
    times: list[float] = history.at[history.acknowledged].tolist()
    return times


def kept_at(data: Data) -> list[float]:
    """The same without those that are lost."""
    history = History.of(data.writes)
    kept = history.acknowledged.copy()
    for lost in data.result.lost if data.result else ():
        kept[history.by_key[lost.write.key]] = False
    times: list[float] = history.at[kept].tolist()
    return times


def to_json(data: Data) -> dict[str, Json]:
    """`KEYS` of ``verdict.json``: what the last check found beside what is lost; null where nothing was checked."""
    result = data.result
    if result is None:
        return dict.fromkeys(KEYS)
    read = [asdict(replica) for replica in result.replicas]
    away = [{"region": each.source, "state": AWAY, "problem": each.problem} for each in data.unread]
    return {
        "recovered_writes": len(result.recovered),
        "unexpected_writes": len(result.unexpected),
        "duplicated_writes": len(result.duplicated),
        "divergent_writes": len(result.divergent),
        "out_of_order_writes": None if result.out_of_order is None else len(result.out_of_order),
        "read_back_from": [*read, *away],
    }


def doubts(data: Data) -> Iterator[str]:
    """Why what is there cannot be right, although nothing of it may be lost."""
    result = data.result
    if result is not None and result.divergent:
        many = len(result.divergent)
        where = sorted({region for each in result.divergent for region in (*each.has, *each.lacks) if region})
        places = f"databases of {' and '.join(where)}" if len(where) > 1 else f"database of {where[0]} and the service"
        yield f"The {places} differ in {numbers.plural(many, 'write')}."
    if result is not None and result.duplicated:
        many = len(result.duplicated)
        yield f"{numbers.plural(many, 'write')} {'was' if many == 1 else 'were'} stored more than once."


def _deciding(reads: Sequence[ledger.ReadBack]) -> tuple[ledger.ReadBack, ...]:
    """What users would find; all there is where the service cannot be asked."""
    return tuple(read for read in reads if read.source == SERVICE) or tuple(reads)


def _last(unread: Sequence[ledger.Unread], reads: Sequence[ledger.ReadBack]) -> tuple[ledger.Unread, ...]:
    number = max([each.number for each in unread] + [each.number for each in reads], default=0)
    return tuple(each for each in unread if each.number == number)


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
