"""What a pod says of itself while its database comes, goes silent and goes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from blackstart.lab.orders import readiness
from blackstart.lab.orders.connections import Connections
from blackstart.lab.orders.readiness import Readiness
from blackstart.lab.orders.store import Store


def watching(dsn: str) -> tuple[Readiness, Connections]:
    connections = Connections(dsn, size=1, timeout_seconds=0.3)
    return Readiness(Store(connections)), connections


async def becomes(holds: Callable[[], bool], seconds: float = 2.0) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if holds():
                return
            await asyncio.sleep(0.01)


def test_a_pod_that_never_asked_is_not_ready(postgres: Any) -> None:
    async def scenario() -> None:
        state, _ = watching(postgres.dsn())
        assert state.objection(deep=False) == "the database was not asked yet"

    asyncio.run(scenario())


def test_a_silent_database_makes_the_pod_unready_without_making_the_question_wait(postgres: Any, relay: Any) -> None:
    async def scenario() -> None:
        link = relay(postgres.port)
        await link.start()
        state, connections = watching(postgres.dsn(port=link.port))
        probing = asyncio.create_task(state.probe_forever())
        await becomes(lambda: state.objection(deep=True) is None)
        link.hold()
        began = time.monotonic()
        await becomes(lambda: state.objection(deep=False) is not None, 1.5)
        assert time.monotonic() - began < 1.2
        link.heal()
        await becomes(lambda: state.objection(deep=True) is None, 1.0)
        probing.cancel()
        await asyncio.gather(probing, return_exceptions=True)
        await connections.close()
        await link.stop()

    asyncio.run(scenario())


def test_on_a_replica_the_pod_is_ready_but_not_healthy(standby: Any) -> None:
    async def scenario() -> None:
        state, connections = watching(standby.dsn())
        await state.probe()
        assert state.objection(deep=False) is None
        assert state.objection(deep=True) == "the database is a read replica"
        assert not state.is_writer()
        await connections.close()

    asyncio.run(scenario())


def test_an_old_finding_counts_for_nothing(postgres: Any, monkeypatch: Any) -> None:
    async def scenario() -> None:
        state, connections = watching(postgres.dsn())
        await state.probe()
        assert state.objection(deep=True) is None
        monkeypatch.setattr(readiness, "STALE_SECONDS", 0.02)
        await asyncio.sleep(0.05)
        assert "not asked for too long" in str(state.objection(deep=False))
        await connections.close()

    asyncio.run(scenario())
