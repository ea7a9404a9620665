"""Who leads, follows and gives way: the rules, on servers that only note what they are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from blackstart.clock import SystemClock
from blackstart.errors import LabError
from blackstart.lab.stores import Led, Role, StoreSet

HOME, STANDBY = "us-east-1", "us-west-2"
FIRST, SECOND, FAR = "home-1", "home-2", "far-1"
AT_HOME = {HOME: FIRST, STANDBY: FAR}


class Server:
    """In ``all`` servers' common history of what they were told; streams while ``hears``; fails once if ``failing``."""

    def __init__(self, name: str, region: str, told: list[str]) -> None:
        self.name, self.region = name, region
        self.runs = self.hears = True
        self.failing = ""
        self._told = told

    def alive(self) -> bool:
        return self.runs

    async def streams(self) -> bool:
        return self.hears

    async def lead(self) -> None:
        self._note("leads", runs=True)

    async def follow(self, primary: str, diverged: bool) -> None:
        self._note(f"follows {primary}{' anew' if diverged else ''}", runs=True)

    async def promote(self, shares: str) -> None:
        self._note(f"promoted{' with ' + shares if shares else ''}", runs=True)

    async def stop(self) -> None:
        self._note("stopped", runs=False)

    async def kill(self) -> None:
        self._note("killed", runs=False)

    def _note(self, words: str, *, runs: bool) -> None:
        self._told.append(f"{self.name} {words}")
        if self.failing and words.startswith(self.failing):
            self.failing, self.runs = "", False
            raise LabError(f"see that {self.name} {words}", "it has ended")
        self.runs = runs


class Shop:
    """A store set of two servers at home and one far away, what they were told, and who leads each region."""

    def __init__(self) -> None:
        self.told: list[str] = []
        places = {FIRST: HOME, SECOND: HOME, FAR: STANDBY}
        self.servers = {name: Server(name, region, self.told) for name, region in places.items()}
        self.leads = dict(AT_HOME)
        self.stores = StoreSet("store", self.servers, self._lead, SystemClock())

    async def _lead(self, region: str, name: str) -> None:
        self.leads[region] = name

    def roles(self) -> list[str]:
        return [str(self.stores.role(name)) for name in self.servers]

    async def until(self, *roles: str) -> None:
        await self.so(lambda: self.roles() == list(roles))

    async def so(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while True:
                if holds():
                    return
                await asyncio.sleep(0.01)


@asynccontextmanager
async def open_shop() -> AsyncIterator[Shop]:
    shop = Shop()
    shop.stores.started()
    running = asyncio.create_task(shop.stores.run())
    try:
        shop.stores.want(Led(HOME, AT_HOME))
        await shop.until("primary", "replica", "standby")
        yield shop
        assert not running.done()
        assert [shop.stores.role(name) for name in shop.servers].count(Role.PRIMARY) <= 1
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def test_inside_a_region_the_heir_takes_over_what_the_dead_one_had_and_all_others_follow_it() -> None:
    async def story() -> None:
        async with open_shop() as shop:
            shop.stores.want(Led(HOME, AT_HOME | {HOME: SECOND}))
            await shop.until("replica", "primary", "standby")
            assert shop.told[:2] == [f"{FIRST} killed", f"{SECOND} promoted with {FIRST}"]
            assert sorted(shop.told[2:]) == [f"{FAR} follows {SECOND}", f"{FIRST} follows {SECOND} anew"]
            assert shop.leads == {HOME: SECOND, STANDBY: FAR}

    asyncio.run(story())


def test_a_switch_over_ends_the_old_primary_in_peace_once_the_heir_has_everything() -> None:
    async def story() -> None:
        async with open_shop() as shop:
            shop.servers[FAR].hears = False
            shop.stores.want(Led(STANDBY, AT_HOME), orderly=True)
            await asyncio.sleep(0.3)
            assert shop.told == []
            shop.servers[FAR].hears = True
            await shop.until("standby", "replica", "primary")
            assert shop.told[:2] == [f"{FIRST} stopped", f"{FAR} promoted"]
            assert sorted(shop.told[2:]) == [f"{FIRST} follows {FAR} anew", f"{SECOND} follows {FAR}"]

    asyncio.run(story())


def test_a_fail_over_waits_for_nobody_and_trusts_nobody_elses_history() -> None:
    async def story() -> None:
        async with open_shop() as shop:
            shop.servers[FAR].hears = False
            shop.stores.want(Led(STANDBY, AT_HOME))
            await shop.until("standby", "replica", "primary")
            assert shop.told[:2] == [f"{FIRST} killed", f"{FAR} promoted"]
            assert sorted(shop.told[2:]) == [f"{FIRST} follows {FAR} anew", f"{SECOND} follows {FAR} anew"]

    asyncio.run(story())


def test_a_switch_over_does_not_wait_for_a_primary_that_is_gone() -> None:
    async def story() -> None:
        async with open_shop() as shop:
            await shop.stores.lose(frozenset({HOME}))
            shop.servers[FAR].hears = False
            shop.stores.want(Led(STANDBY, AT_HOME), orderly=True)
            await shop.until("down", "down", "primary")

    asyncio.run(story())


def test_a_lost_region_comes_back_as_standby_and_can_be_switched_back_to() -> None:
    async def story() -> None:
        async with open_shop() as shop:
            await shop.stores.lose(frozenset({HOME}))
            assert sorted(shop.told) == [f"{FIRST} killed", f"{SECOND} killed"]
            shop.stores.want(Led(STANDBY, AT_HOME))
            await shop.until("down", "down", "primary")
            shop.told.clear()
            await shop.stores.lose(frozenset())
            await shop.until("standby", "replica", "primary")
            assert sorted(shop.told) == [f"{name} follows {FAR} anew" for name in (FIRST, SECOND)]
            shop.stores.want(Led(HOME, AT_HOME), orderly=True)
            await shop.until("primary", "replica", "standby")
            assert f"{FAR} stopped" in shop.told

    asyncio.run(story())


def test_who_crashed_is_started_again_in_its_role() -> None:
    async def story() -> None:
        async with open_shop() as shop:
            for name, words in ((FIRST, "leads"), (FAR, f"follows {FIRST}")):
                shop.servers[name].runs = False
                await shop.so(lambda name=name, words=words: f"{name} {words}" in shop.told)
            await shop.until("primary", "replica", "standby")

    asyncio.run(story())


def test_what_a_server_has_is_not_trusted_after_it_failed_to_follow_or_to_be_promoted() -> None:
    async def story() -> None:
        async with open_shop() as shop:
            shop.servers[FAR].failing, shop.servers[FAR].runs = "follows", False
            await shop.so(lambda: shop.told[1:] == [f"{FAR} follows {FIRST}", f"{FAR} follows {FIRST} anew"])
            await shop.until("primary", "replica", "standby")
            shop.told.clear()
            shop.servers[SECOND].failing = "promoted"
            shop.stores.want(Led(HOME, AT_HOME | {HOME: SECOND}))
            await shop.until("replica", "primary", "standby")
            first_try = [f"{FIRST} killed", f"{SECOND} promoted with {FIRST}", f"{SECOND} killed", f"{FIRST} leads"]
            assert shop.told[:5] == [*first_try, f"{SECOND} follows {FIRST} anew"]

    asyncio.run(story())


def test_a_restart_happens_once_and_those_from_before_do_not_count() -> None:
    async def story() -> None:
        async with open_shop() as shop:
            restarts = frozenset({(FIRST, "noon")})
            shop.stores.want(Led(HOME, AT_HOME, restarts))
            await shop.so(lambda: shop.told == [f"{FIRST} stopped", f"{FIRST} leads"])
            shop.stores.want(Led(HOME, AT_HOME, restarts))
            await asyncio.sleep(0.2)
            assert len(shop.told) == 2

    asyncio.run(story())

    async def later() -> None:
        shop = Shop()
        shop.stores.started()
        shop.stores.want(Led(HOME, AT_HOME, frozenset({(FIRST, "of another life")})))
        running = asyncio.create_task(shop.stores.run())
        await asyncio.sleep(0.2)
        running.cancel()
        assert shop.told == []

    asyncio.run(later())


def test_a_region_that_does_not_write_may_change_its_head() -> None:
    async def story() -> None:
        async with open_shop() as shop:
            shop.stores.want(Led(STANDBY, AT_HOME))
            await shop.until("standby", "replica", "primary")
            shop.told.clear()
            shop.stores.want(Led(STANDBY, {HOME: SECOND, STANDBY: FAR}))
            await shop.until("replica", "standby", "primary")
            await shop.so(lambda: shop.leads == {HOME: SECOND, STANDBY: FAR})
            assert shop.told == []

    asyncio.run(story())
