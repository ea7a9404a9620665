import asyncio

from blackstart.lab.aws.traffic import Call, ControlPlanes, Traffic, home_of


def call(operation: str, **more) -> Call:
    fields = {"at": "2026-11-23T14:04:41.000Z", "service": "ec2", "region": "us-east-1", "status": 200}
    return Call(operation=operation, **(fields | {"user_agent": "test", "held": False} | more))


def test_changes_are_numbered_from_one_and_told_after_a_number():
    async def scenario():
        traffic = Traffic()
        traffic.change("ec2", "us-east-1", "CreateVpc")
        traffic.change("rds", "us-west-2", "FailoverGlobalCluster")
        return await traffic.changes(0, 0), await traffic.changes(1, 0), await traffic.changes(2, 0)

    everything, last, none = asyncio.run(scenario())
    second = (2, "rds", "us-west-2", "FailoverGlobalCluster")
    assert everything == (2, [(1, "ec2", "us-east-1", "CreateVpc"), second])
    assert last == (2, [second])
    assert none == (2, [])


def test_who_waits_is_woken_by_the_next_change():
    async def scenario():
        traffic = Traffic()
        waiting = [asyncio.create_task(traffic.changes(0, 30)) for _ in range(2)]
        await asyncio.sleep(0)
        traffic.change("ec2", "us-east-1", "CreateVpc")
        async with asyncio.timeout(1):
            return await asyncio.gather(*waiting)

    assert [seq for seq, _ in asyncio.run(scenario())] == [1, 1]


def test_who_waits_in_vain_gets_nothing_when_the_time_is_over():
    assert asyncio.run(Traffic().changes(0, 0.01)) == (0, [])


def test_a_number_from_another_life_of_the_router_does_not_hide_changes_forever():
    async def scenario():
        traffic = Traffic()
        traffic.change("ec2", "us-east-1", "CreateVpc")
        return await traffic.changes(99, 0)

    assert asyncio.run(scenario()) == (1, [])


def test_calls_are_told_after_a_number_with_their_own_numbers():
    async def scenario():
        traffic = Traffic()
        for name in ("DescribeVpcs", "CreateVpc"):
            traffic.log(call(name))
        return traffic.calls(0), traffic.calls(1)

    both, last = asyncio.run(scenario())
    assert [(entry["seq"], entry["operation"]) for entry in both] == [(1, "DescribeVpcs"), (2, "CreateVpc")]
    assert [entry["seq"] for entry in last] == [2]


def test_global_services_live_in_us_east_1_wherever_they_are_called_from():
    assert home_of("route53", "us-west-2") == "us-east-1"
    assert home_of("rds", "us-west-2") == "us-west-2"


def test_a_region_is_gone_until_it_is_back_and_saying_so_twice_is_harmless():
    async def scenario():
        planes = ControlPlanes()
        assert planes.back("us-east-1") is None
        planes.set("us-east-1", False)
        back = planes.back("us-east-1")
        planes.set("us-east-1", False)
        assert planes.back("us-east-1") is back
        assert planes.back("us-west-2") is None
        assert planes.unreachable() == ["us-east-1"]
        planes.set("us-east-1", True)
        planes.set("us-east-1", True)
        assert back is not None
        assert back.is_set()
        assert planes.unreachable() == []

    asyncio.run(scenario())
