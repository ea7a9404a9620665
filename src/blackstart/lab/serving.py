"""How the Python parts of the lab answer HTTP: bind, serve, and let go of the port when cancelled."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

# A part is ended by force, so nothing waits for clients that keep their connections open.
SHUTDOWN_SECONDS = 0.2


@asynccontextmanager
async def answering(app: web.Application, host: str, port: int) -> AsyncIterator[int]:
    """Answer HTTP with ``app`` on ``host:port`` inside the block; gives the bound port. OSError if it is taken."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, backlog=1024)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
