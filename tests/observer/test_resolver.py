"""Names resolved by a real DNS server whose answers change."""

import asyncio

import pytest

from blackstart.errors import ConfigInvalid
from blackstart.observer import analysis, events
from blackstart.observer.resolver import NameNotResolved, Resolver, server_address

HOST = "orders.shop.test"


class ByHand:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def resolver(names, clock, changes, host=HOST):
    return Resolver(host, f"127.0.0.1:{names.port}", clock, changes.append)


def test_an_answer_is_kept_for_its_ttl_and_no_longer(names):
    clock, changes = ByHand(), []
    names.ttl = 2

    async def drill():
        client = resolver(names, clock, changes)
        first = await client.addresses()
        names.addresses = ["127.0.0.2"]
        clock.at += 1.99
        kept = await client.addresses()
        clock.at += 0.02
        return first, kept, await client.addresses()

    assert asyncio.run(drill()) == (("127.0.0.1",), ("127.0.0.1",), ("127.0.0.2",))
    assert names.asked == 2
    (start, change) = changes
    assert start.before is None
    assert (change.before.addresses, change.after.addresses) == (("127.0.0.1",), ("127.0.0.2",))
    assert (change.before.at, change.after.at, change.after.ttl) == (100.0, pytest.approx(102.01), 2)


def test_the_same_answer_in_another_order_is_no_change(names):
    clock, changes = ByHand(), []
    names.addresses = ["127.0.0.1", "127.0.0.2"]

    async def drill():
        client = resolver(names, clock, changes)
        await client.addresses()
        names.addresses = ["127.0.0.2", "127.0.0.1"]
        clock.at += 5
        await client.addresses()

    asyncio.run(drill())
    assert len(changes) == 1


def test_requests_at_the_same_time_share_one_query(names):
    async def drill():
        client = resolver(names, ByHand(), [])
        return await asyncio.gather(*(client.addresses() for _ in range(50)))

    assert set(asyncio.run(drill())) == {("127.0.0.1",)}
    assert names.asked == 1


def test_a_name_that_is_gone_fails_and_an_old_answer_is_not_used(names):
    clock = ByHand()

    async def drill():
        client = resolver(names, clock, [])
        await client.addresses()
        names.addresses = []
        clock.at += 5
        await client.addresses()

    with pytest.raises(NameNotResolved, match=r"could not resolve orders\.shop\.test"):
        asyncio.run(drill())


def test_an_address_needs_no_server(names):
    async def drill():
        return await resolver(names, ByHand(), [], host="127.0.0.9").addresses()

    assert asyncio.run(drill()) == ("127.0.0.9",)
    assert names.asked == 0


@pytest.mark.parametrize("server", ["dns.example:53", "127.0.0.1", "127.0.0.1:", ":53"])
def test_a_server_that_is_no_address_and_port_is_refused(server):
    with pytest.raises(ConfigInvalid, match=r"service\.dns"):
        server_address(server)


def test_a_server_may_have_an_ipv6_address():
    assert server_address("[::1]:53") == ("::1", 53)


def test_a_fail_over_of_the_name_moves_the_client_and_is_measured(names, bed, port, planted_at):
    async def drill():
        async with bed() as b, planted_at("127.0.0.2", port) as standby:
            standby.region = "us-west-2"
            left = []

            async def play():
                await asyncio.sleep(0.5)
                b.planted.turn("error")
                names.addresses = ["127.0.0.2"]
                await asyncio.sleep(1.6)
                left.extend(each for each in b.planted.connections if each is not None and not each.is_closing())

            seen = await b.watch(play)
            b.planted.turn("up")
            return seen, b.since_origin(b.planted.spans("error")[0])[0], left, b.spec.folder

    seen, fault, left, folder = asyncio.run(drill())
    found = analysis.dns_failover(events.read(folder), fault)
    assert 0.2 < found.seconds < 1.3
    assert found.after == ("127.0.0.2",)
    assert found.last_old_seconds == 0
    assert analysis.serving_region(seen, 0, fault) == "us-east-1"
    assert analysis.serving_region(seen, fault + found.seconds, 99) == "us-west-2"
    late = [row for row in seen.rows if row.ok and row.intended > fault + found.seconds + 0.1]
    assert {row.address for row in late} == {"127.0.0.2"}
    assert left == []


def test_a_dns_server_that_is_silent_is_down_for_users(names, bed):
    names.ttl = 1

    async def drill():
        async with bed(timeout_seconds=0.3) as b:

            async def play():
                await asyncio.sleep(0.4)
                names.silent = True
                await asyncio.sleep(1.5)

            return await b.watch(play)

    seen = asyncio.run(drill())
    assert any(row.ok for row in seen.rows[:40])
    assert not any(row.ok for row in seen.rows[-20:])
    assert all(row.outcome.name == "FAILED" for row in seen.rows[-20:])
