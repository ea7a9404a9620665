"""Who takes writes, asked of databases over real connections: servers that refuse, hang or answer."""

import asyncio
import socket
import sys
from pathlib import Path

import pytest

from blackstart.clock import SystemClock
from blackstart.observer import events, writers
from blackstart.observer.databases import AWAY, Database, Databases
from blackstart.observer.events import EventLog
from blackstart.settings import Stores

sys.path.append(str(Path(__file__).parent.parent))


def at(port):
    return f"host=127.0.0.1 port={port} dbname=shop user=shop"


async def watching(addresses, folder, play):
    """What was noted while ``play`` went on, and how late the loop was at worst, in seconds."""
    clock = SystemClock()
    (folder / "drill.json").write_text(f'{{"origin_monotonic": {clock.monotonic()}}}')
    databases = Databases(Stores(databases=addresses), EventLog(folder, clock, clock.monotonic()), clock)
    await databases.prepare()
    looking, late = asyncio.create_task(databases.run()), [0.0]
    beating = asyncio.create_task(_beat(clock, late))
    await play()
    for task in (looking, beating):
        task.cancel()
    await asyncio.gather(looking, beating, return_exceptions=True)
    return events.read(folder), late[0]


async def _beat(clock, late):
    while True:
        due = clock.monotonic() + 0.01
        await asyncio.sleep(0.01)
        late[0] = max(late[0], clock.monotonic() - due)


@pytest.mark.parametrize("hangs", [False, True])
def test_one_that_refuses_or_hangs_is_away_and_nothing_is_left_of_asking(tmp_path, hangs):
    async def play():
        await asyncio.sleep(1.3)

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if hangs:
            server.listen()
        found, _ = asyncio.run(watching({"us-east-1": at(server.getsockname()[1])}, tmp_path, play))
    assert {event.fields["state"] for event in found} == {AWAY}
    problem = found[0].fields["problem"]
    assert problem == "no answer within 1 s" if hangs else "refused" in problem
    assert [event.fields["before"] for event in found] == ["", AWAY]
    assert writers.writers(found, []).unseen == ("us-east-1",)


def test_an_address_that_is_none_is_away_with_the_reason():
    async def look():
        database = Database("no such thing", SystemClock())
        try:
            return await database.look()
        finally:
            await database.close()

    state, problem = asyncio.run(look())
    assert state == AWAY
    assert "missing" in problem


@pytest.mark.sweep
def test_a_promotion_that_leaves_the_old_primary_writing_is_seen_as_two_writers(tmp_path):
    import postgres_pair

    with postgres_pair.running() as pair:

        async def play():
            await asyncio.sleep(1.0)
            await pair.standby.promote()
            await asyncio.sleep(1.5)
            pair.primary.kill()
            await asyncio.sleep(0.6)

        found, late = asyncio.run(watching(pair.addresses, tmp_path, play))
    states = {region: [] for region in pair.addresses}
    for event in found:
        if event.fields["state"] != event.fields["before"]:
            states[event.fields["region"]].append(event.fields["state"])
    assert states == {"us-east-1": ["writer", AWAY], "us-west-2": ["reader", "writer"]}
    known = writers.writers(found, [])
    assert 0.8 < known.seconds < 2.5
    assert [two.regions for two in known.doubled] == [("us-east-1", "us-west-2")]
    assert late < 0.25
