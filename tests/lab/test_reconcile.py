"""Who follows the AWS API's changes: on planted reads, with a router that is a queue."""

import asyncio
import threading
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from blackstart.clock import SystemClock
from blackstart.lab.manifests import NodeFacts
from blackstart.lab.reconcile import Actors, Reconciler
from blackstart.lab.stores import Led

HOME, STANDBY = "us-east-1", "us-west-2"
NODE = NodeFacts("ip-10-0-0-1", "i-1", HOME, "us-east-1a", "on-demand", "orders")


class Router:
    """Stands where the session to the router would: each follower hears every change once."""

    def __init__(self):
        self.changes, self._more = [], asyncio.Event()

    def tell(self, service, region, operation):
        self.changes.append((len(self.changes) + 1, service, region, operation))
        self._more.set()
        self._more = asyncio.Event()

    @asynccontextmanager
    async def get(self, _url, params, timeout):
        if len(self.changes) <= int(params["since"]):
            await self._more.wait()
        told = {"seq": len(self.changes), "services": self.changes[int(params["since"]) :]}

        class Answer:
            async def json(self):
                return told

        yield Answer()


class Reader:
    """What AWS holds. Reads of nodes hang while ``slow`` is set."""

    def __init__(self):
        self.cut, self.closed, self.silent, self.reads = {}, {}, {}, []
        self.led = Led(HOME, {HOME: "shop-1"})
        self.answers = threading.Event()
        self.answers.set()

    def cut_zones(self, region):
        self.reads.append(("cut", region))
        return frozenset(self.cut.get(region, ()))

    def closed_zones(self, region):
        self.reads.append(("closed", region))
        return frozenset(self.closed.get(region, ()))

    def nodes(self):
        self.reads.append(("nodes", ""))
        self.answers.wait(30)
        return {HOME: {NODE.name: NODE}}

    def silent_instances(self, region):
        self.reads.append(("silent", region))
        return frozenset(self.silent.get(region, ()))

    def databases(self):
        return self.led

    def caches(self):
        return Led(HOME, {})


class Heard:
    """Every actor at once: what it was told last, and an event for each time."""

    def __init__(self):
        self.told, self.news = {}, asyncio.Event()

    def _hear(self, what, value):
        self.told[what] = value
        self.news.set()

    async def cut(self, zones):
        self._hear("cut", zones)

    def place(self, nodes, cut):
        self._hear("placed", (dict(nodes), cut))

    def want(self, led, *, orderly):
        if led.heads:
            self._hear("writer", (led, orderly))

    def close(self, region, zones):
        self._hear(region, zones)

    async def until(self, what, value):
        async with asyncio.timeout(30):
            while self.told.get(what) != value:
                self.news.clear()
                await self.news.wait()


@asynccontextmanager
async def following():
    reader, heard, router = Reader(), Heard(), Router()
    actors = Actors(heard, {HOME: (heard,), STANDBY: ()}, heard, heard, heard)
    task = asyncio.create_task(Reconciler(reader, actors, router, "", SystemClock()).run())
    try:
        await heard.until("placed", ({NODE.name: NODE}, frozenset()))
        yield reader, heard, router
    finally:
        reader.answers.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_a_cut_does_not_wait_for_slower_reads():
    async def look():
        async with following() as (reader, heard, router):
            reader.answers.clear()
            router.tell("ec2", HOME, "StopInstances")
            reader.cut[HOME] = ["us-east-1b"]
            router.tell("ec2", HOME, "ReplaceNetworkAclAssociation")
            await heard.until("cut", {"us-east-1b"})
            await heard.until("placed", ({NODE.name: NODE}, {"us-east-1b"}))
            assert not reader.answers.is_set()

    asyncio.run(look())


def test_only_what_was_changed_is_read_again():
    async def look():
        async with following() as (reader, heard, router):
            await heard.until("cut", frozenset())
            await heard.until(STANDBY, frozenset())
            await heard.until("writer", (reader.led, False))
            reader.reads.clear()
            reader.cut[STANDBY] = ["us-west-2a"]
            router.tell("ec2", STANDBY, "ReplaceNetworkAclAssociation")
            await heard.until("cut", {"us-west-2a"})
            assert [read for read in reader.reads if read[0] != "silent"] == [("cut", STANDBY)]

    asyncio.run(look())


def test_a_zonal_shift_closes_a_zone_of_its_region():
    async def look():
        async with following() as (reader, heard, router):
            reader.closed[HOME] = ["us-east-1a"]
            router.tell("arc-zonal-shift", HOME, "StartZonalShift")
            await heard.until(HOME, {"us-east-1a"})

    asyncio.run(look())


def test_a_node_is_silent_while_its_kubelet_is_stopped():
    async def scenario():
        async with following() as (reader, heard, router):
            reader.silent = {HOME: {NODE.instance, "i-of-another"}}
            router.tell("ssm", HOME, "SendCommand")
            await heard.until("placed", ({NODE.name: replace(NODE, kubelet=False)}, frozenset()))
            reader.silent = {}
            router.tell("ssm", HOME, "SendCommand")
            await heard.until("placed", ({NODE.name: NODE}, frozenset()))

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("operations", "orderly"),
    [
        (["SwitchoverGlobalCluster"], True),
        (["FailoverGlobalCluster"], False),
        (["SwitchoverGlobalCluster", "FailoverGlobalCluster"], False),
    ],
)
def test_only_a_switch_over_waits_for_the_heir(operations, orderly):
    async def scenario():
        async with following() as (reader, heard, router):
            await heard.until("writer", (reader.led, False))
            reader.led = Led(STANDBY, {STANDBY: "shop-2"})
            router.changes += [(len(router.changes) + 1, "rds", STANDBY, name) for name in operations[:-1]]
            router.tell("rds", STANDBY, operations[-1])
            await heard.until("writer", (reader.led, orderly))

    asyncio.run(scenario())
