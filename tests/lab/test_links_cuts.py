"""Cut and healed links, on real sockets, under both event loops that the lab may run on."""

import asyncio
import sys

import pytest
from links_harness import LOOPS, connect, hangs, lab, said, until

from blackstart.lab.links_listener import is_cut

ZONE, OTHER = "us-east-1a", "us-west-2a"
linux = pytest.mark.skipif(sys.platform != "linux", reason="other kernels may complete handshakes of a full queue")


@pytest.fixture(params=LOOPS)
def run(request):
    with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
        yield runner.run


@pytest.mark.parametrize(
    ("crosses", "zones", "expected"),
    [
        ([], {"a"}, False),
        ([["a"]], {"a"}, True),
        ([["a"]], {"b"}, False),
        ([["a"], ["a", "b"]], {"b"}, False),
        ([["c"], ["a", "b"]], {"a", "b"}, True),
    ],
)
def test_a_link_is_cut_when_some_group_it_crosses_has_no_zone_left(crosses, zones, expected):
    assert is_cut(crosses, zones) is expected


@linux
def test_a_cut_link_hangs_new_connections_and_healing_lets_them_through(run):
    async def story():
        async with lab() as it:
            port = await it.link(crosses=[[ZONE]])
            assert await it.cut(ZONE) == ["link"]
            attempts = [asyncio.create_task(connect(port, 8)) for _ in range(20)]
            assert not (await asyncio.wait(attempts, timeout=0.5))[0]
            assert await it.cut() == []
            for reader, writer in await asyncio.gather(*attempts):
                writer.write(b"hello")
                assert await said(reader, 5) == b"hello"
                writer.close()

    run(story())


def test_a_cut_link_hangs_established_connections_and_healing_lets_them_go_on(run):
    async def story():
        async with lab() as it:
            reader, writer = await connect(await it.link(crosses=[[ZONE], [OTHER]]))
            writer.write(b"before ")
            assert await said(reader, 7) == b"before "
            await it.cut(OTHER)
            writer.write(b"during ")
            assert await hangs(reader.read(1))
            assert it.heard == b"before "
            await it.cut()
            assert await said(reader, 7) == b"during "
            writer.close()

    run(story())


def test_what_is_sent_into_a_cut_waits_at_the_sender_and_none_of_it_is_lost(run):
    async def story():
        async with lab() as it:
            reader, writer = await connect(await it.link(crosses=[[ZONE]], delay_seconds=0.01))
            await it.cut(ZONE)
            parcel = bytes(range(256)) * 80_000
            writer.write(parcel)
            assert await hangs(writer.drain())
            await it.cut()
            assert await said(reader, len(parcel), 10) == parcel
            writer.close()

    run(story())


def test_bytes_under_way_are_lost_in_a_cut_so_healing_resets_both_sides(run):
    async def story():
        async with lab() as it:
            reader, writer = await connect(await it.link(delay_seconds=0.2, crosses=[[ZONE]]))
            writer.write(b"arrives")
            assert await said(reader, 7) == b"arrives"
            writer.write(b"lost")
            await asyncio.sleep(0.05)
            await it.cut(ZONE)
            assert await hangs(reader.read(1), 0.5)
            await it.cut()
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(reader.read(1), 2)
            await until(lambda: it.server_ends == ["reset"])
            assert it.heard == b"arrives"

    run(story())


def test_nobody_learns_of_a_death_across_a_cut_before_it_heals(run):
    async def story():
        async with lab() as it:
            reader, writer = await connect(await it.link(crosses=[[ZONE]]))
            writer.write(b"x")
            await said(reader, 1)
            await it.cut(ZONE)
            writer.close()
            await asyncio.sleep(0.2)
            assert it.server_ends == []
            await it.cut()
            await until(lambda: it.server_ends == ["end"])

    run(story())


@pytest.mark.parametrize(("delivers", "heard", "end"), [(False, b"", "reset"), (True, b"last words", "end")])
def test_a_sender_that_ends_takes_what_is_under_way_along_unless_told_otherwise(run, delivers, heard, end):
    async def story():
        async with lab() as it:
            _, writer = await connect(await it.link(delay_seconds=0.1, delivers_last_words=delivers))
            writer.write(b"last words")
            writer.close()
            await until(lambda: it.server_ends == [end])
            assert it.heard == heard

    run(story())


@linux
def test_a_link_that_is_opened_into_a_cut_zone_is_cut_from_the_start(run):
    async def story():
        async with lab() as it:
            await it.cut(ZONE)
            assert await hangs(connect(await it.link(crosses=[[ZONE]])))

    run(story())
