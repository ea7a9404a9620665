"""The observer against a service that keeps its own log of the truth."""

import asyncio
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from blackstart.clock import SystemClock
from blackstart.errors import NotMeasured
from blackstart.observer import analysis, ledger, samples
from blackstart.observer.observe import observe
from blackstart.observer.samples import Cause, Kind, Outcome

GAPS = 1.5  # what an edge may be off by, in sampling gaps
TAKES = 3  # the service shares this process: on a busy machine it may itself be late, but not each time


def longest_real_gap(seen) -> float:
    """Between two requests as they were really sent: on a busy machine longer than the schedule's."""
    return max(seen.gap, analysis.trust(seen).longest_gap_seconds)


@pytest.mark.parametrize("fault", ["refuse", "error", "reset", "stall", "hole"])
def test_an_outage_is_as_long_as_the_service_says(bed, fault):
    async def drill():
        async with bed(timeout_seconds=0.4) as b:

            async def play():
                await asyncio.sleep(0.7)
                await b.planted.begin(fault)
                await asyncio.sleep(1.033)
                await b.planted.end(fault)
                await asyncio.sleep(1.0)

            return await b.watch(play), b.since_origin(b.planted.spans(fault)[0])

    wrong = []
    for _ in range(TAKES):
        wrong = differences(*asyncio.run(drill()))
        if not wrong:
            return
    pytest.fail("; ".join(wrong))


def differences(seen, truth) -> list[str]:
    began, ended = truth
    allowed = GAPS * longest_real_gap(seen) + 0.002
    outage = analysis.longest_outage(seen, 0, seen.complete_until)
    recovered = analysis.recovery(seen, began, share=0.99, window=0.5)
    if outage is None or recovered.seconds is None:
        return [f"outage {outage}, recovery {recovered}"]
    pairs = {
        "began": (outage.began, began),
        "ended": (outage.ended, ended),
        "recovery": (recovered.seconds, ended - began),
        "error bar": (recovered.error_seconds, 0),
    }
    return [f"{name}: {got:.3f} for {real:.3f}" for name, (got, real) in pairs.items() if abs(got - real) > allowed]


def on_time(seen) -> float:
    """Share of requests that were sent within 0.25 s of when they were due."""
    return sum(row.sent - row.intended < 0.25 for row in seen.rows) / len(seen)


def test_every_request_is_sent_on_schedule_while_the_service_hangs(bed):
    async def drill():
        async with bed() as b:

            async def play():
                await asyncio.sleep(0.3)
                b.planted.turn("hole")
                await asyncio.sleep(1.0)

            return await b.watch(play)

    # The machine itself may stand still for a moment, so the best of three; the property holds in each.
    takes = [asyncio.run(drill()) for _ in range(3)]
    for seen in takes:
        assert [row.number for row in seen.rows] == list(range(len(seen)))
        assert len(seen) == seen.planned(0, seen.header.ended)
    seen = max(takes, key=on_time)
    assert on_time(seen) > 0.8  # one after the other, waiting for each, would send 2 a second
    hung = [row for row in seen.rows if row.cause is Cause.TIMEOUT]
    assert len(hung) > 80
    assert sorted(row.latency for row in hung)[len(hung) // 2] == pytest.approx(0.5, abs=0.1)


def usual_fate(seen, span, kind) -> tuple[Outcome, Cause]:
    """Of the requests that were sent well inside ``span``; on a busy machine a few end otherwise."""
    rows = [row for row in seen.rows if row.kind is kind and span[0] + 0.1 < row.sent < span[1] - 0.1]
    return Counter((row.outcome, row.cause) for row in rows or seen.rows).most_common(1)[0][0]


@pytest.mark.parametrize(
    ("mode", "read", "write"),
    [
        ("hole", (Outcome.FAILED, Cause.TIMEOUT), (Outcome.UNKNOWN, Cause.TIMEOUT)),
        ("reset", (Outcome.FAILED, Cause.BROKEN), (Outcome.UNKNOWN, Cause.BROKEN)),
        ("quiet", (Outcome.OK, Cause.NONE), (Outcome.UNKNOWN, Cause.BROKEN)),
        ("error", (Outcome.FAILED, Cause.STATUS), (Outcome.UNKNOWN, Cause.STATUS)),
        ("teapot", (Outcome.FAILED, Cause.STATUS), (Outcome.FAILED, Cause.STATUS)),
        ("refuse", (Outcome.FAILED, Cause.REFUSED), (Outcome.FAILED, Cause.REFUSED)),
    ],
)
def test_a_write_whose_fate_is_open_is_unknown_and_a_refused_one_failed(bed, mode, read, write):
    async def drill():
        async with bed(timeout_seconds=0.3) as b:

            async def play():
                await asyncio.sleep(0.2)
                await b.planted.begin(mode)
                await asyncio.sleep(0.5)
                b.planted.turn("up")

            return await b.watch(play), b.since_origin(b.planted.spans(mode)[0])

    for _ in range(TAKES):
        seen, span = asyncio.run(drill())
        assert all(row.kind is Kind.WRITE for row in seen.rows if row.outcome is Outcome.UNKNOWN)
        found = [usual_fate(seen, span, kind) for kind in (Kind.READ, Kind.WRITE)]
        if found == [read, write]:
            return
    pytest.fail(f"reads {found[0]}, writes {found[1]}")


def test_lost_writes_are_exactly_those_that_were_acknowledged_and_dropped(bed):
    async def drill():
        async with bed() as b:

            async def play():
                for mode in ("up", "forget", "quiet", "up"):
                    b.planted.turn(mode)
                    await asyncio.sleep(0.3)

            await b.watch(play)
            return b.planted, ledger.read(b.spec.folder)

    planted, writes = asyncio.run(drill())
    truth = frozenset(planted.stored)
    end = max(write.at for write in writes)
    result = ledger.check(writes, [ledger.ReadBack(1, end, end + 1, truth)])
    heard = {write.key for write in writes if write.outcome is Outcome.OK}
    unheard = planted.acknowledged - heard  # on a busy machine an answer may come too late
    assert heard <= planted.acknowledged
    assert {each.write.key for each in result.lost} == heard - truth
    assert {each.key for each in result.recovered} == truth - heard
    assert len(result.lost) > 5
    assert len(result.recovered) > 5
    assert result.unexpected == ()
    assert {each.key for each in result.unknown} <= unheard


def test_the_history_of_a_write_is_on_disk_before_the_service_has_it(bed):
    async def drill():
        async with bed(write_share=1) as b:
            b.planted.turn("quiet")
            missing = []

            async def play():
                for _ in range(40):
                    await asyncio.sleep(0.01)
                    received = set(b.planted.stored)
                    known = {write.key for write in ledger.read(b.spec.folder)}
                    missing.extend(received - known)

            await b.watch(play)
            return missing, len(b.planted.stored)

    missing, stored = asyncio.run(drill())
    assert missing == []
    assert stored > 10


def test_answers_tell_who_served(bed):
    async def drill():
        async with bed() as b:
            return await b.watch(lambda: asyncio.sleep(0.4))

    seen = asyncio.run(drill())
    served = Counter((row.region, row.zone, row.pod, row.address, row.status) for row in seen.rows if row.ok)
    assert set(served) == {
        ("us-east-1", "us-east-1a", "orders-1", "127.0.0.1", 200),
        ("us-east-1", "us-east-1a", "orders-1", "127.0.0.1", 201),
    }
    assert seen.header.regions == ("us-east-1",)


def test_samples_reach_the_disk_while_it_runs(bed):
    async def drill():
        async with bed() as b:
            sizes = []

            async def play():
                for _ in range(4):
                    await asyncio.sleep(0.3)
                    sizes.append((b.spec.folder / "samples.bin").stat().st_size)

            await b.watch(play)
            return sizes

    sizes = asyncio.run(drill())
    assert sizes == sorted(set(sizes))
    assert sizes[0] > 0


def test_an_observer_that_cannot_keep_its_history_stops_and_says_so(bed):
    from blackstart.errors import JournalUnwritable

    async def drill():
        async with bed() as b:
            (b.spec.folder / "ledger.jsonl").mkdir()
            await b.watch(lambda: asyncio.sleep(0.2))

    with pytest.raises(JournalUnwritable, match=r"ledger\.jsonl could not be written"):
        asyncio.run(drill())


def test_an_observer_that_was_held_up_blames_itself_and_not_the_service(spec, port):
    async def drill():
        stop, begun = asyncio.Event(), asyncio.Event()
        watching = asyncio.create_task(observe(orders, stop, SystemClock(), begun.set))
        await begun.wait()
        await asyncio.sleep(0.4)
        SystemClock().sleep(3.0)
        await asyncio.sleep(1.0)
        stop.set()
        await watching

    orders = spec(timeout_seconds=2.0)
    command = [sys.executable, str(Path(__file__).with_name("apart.py")), "127.0.0.1", str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as service:
        assert service.stdout.readline() == b"listening\n"
        asyncio.run(drill())
        service.communicate(timeout=20)
    seen = samples.read(orders.folder)
    assert sum(row.cause is Cause.UNSENT for row in seen.rows) > 50
    found = analysis.availability(seen, 0, seen.complete_until)
    assert found.failed + found.unknown == 0
    assert found.unobserved > 50
    assert (found.lowest < 0.8, found.highest) == (True, 1.0)
    assert analysis.outages(seen, 0, seen.complete_until) == []
    with suppress(NotMeasured):  # a busy machine may not have let it send anything since
        recovered = analysis.recovery(seen, 0.2, share=0.99, window=0.3)
        assert recovered.seconds is None or recovered.highest > 0.8
    assert analysis.trust(seen).longest_gap_seconds > 0.8
