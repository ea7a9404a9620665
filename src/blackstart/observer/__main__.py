"""``python -m blackstart.observer``: what `process.start` runs. Not meant to be started by hand."""

from __future__ import annotations

import asyncio
import logging
import os
import signal

import uvloop

from blackstart import redaction
from blackstart.clock import SystemClock
from blackstart.observer import steadiness
from blackstart.observer.observe import observe
from blackstart.observer.process import READY, read_spec
from blackstart.observer.spec import Spec

STDIN, STDOUT = 0, 1

logger = logging.getLogger("blackstart.observer")


def main() -> None:
    spec = read_spec(STDIN)
    redaction.guard_stderr(spec.folder)  # it is observer.log
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    if problem := steadiness.more_files():
        logger.info("the limit of open files stays as it is (%s)", problem)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(spec))


async def _run(spec: Spec) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def heard() -> None:
        loop.remove_reader(STDIN)
        if os.read(STDIN, 64):
            stop.set()
            return
        logger.info("the drill's process is gone; going on for %g s", spec.grace_seconds)
        loop.call_later(spec.grace_seconds, stop.set)

    def begun() -> None:
        os.write(STDOUT, READY)

    loop.add_reader(STDIN, heard)
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    await observe(spec, stop, SystemClock(), begun, steadiness.take)


if __name__ == "__main__":
    main()
