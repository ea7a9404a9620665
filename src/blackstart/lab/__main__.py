"""A lab in a process of its own: ``python -m blackstart.lab NAME CONFIG TELLS OWNER``, as ``launch`` starts it.

CONFIG is a path or empty, TELLS the descriptor to tell progress on, OWNER one whose closing ends the lab (-1: none).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from blackstart.clock import SystemClock
from blackstart.errors import BlackstartError
from blackstart.lab.config import load
from blackstart.lab.supervisor import Supervisor


def main(name: str, config: str, tells: int, owner: int) -> None:
    def tell(**news: Any) -> None:
        with suppress(BrokenPipeError):  # who started us has ended
            os.write(tells, (json.dumps(news) + "\n").encode())

    def came_up(_: object) -> None:
        tell(up=True)
        os.close(tells)

    async def live() -> None:
        settings = load(Path(config) if config else None)
        await Supervisor(name, settings, SystemClock(), lambda words: tell(progress=words)).run(came_up, owner)

    try:
        asyncio.run(live())
    finally:
        problem = sys.exc_info()[1]
        if problem is not None:
            with suppress(OSError):  # closed since it was up
                tell(failed=str(problem) if isinstance(problem, BlackstartError) else repr(problem))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
