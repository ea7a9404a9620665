"""``chaos run``, the reverter and ``blackstart recover`` as they are, but that each may die at a boundary of the gate.

Run as a script, with the product's own arguments after the name of the part: ``real.py drill run FILE``,
``real.py revert …``, ``real.py recover``. ``$CRASH`` says, as JSON, where notes go (``folder``) and which parts die
where and how (``deaths``: part → [boundary:n, way]).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from death import Death

from blackstart import cli, recovery
from blackstart.changes import gate
from blackstart.changes.reach import Reach, open_reach, unobserved
from blackstart.changes.reverter import Reverter

VARIABLE = "CRASH"
# The APIs of a lab tell at once what was done to them, and a killed process has no call under way for longer.
SETTLE_SECONDS = 2.0


def mortal(part: str) -> Callable[..., Reach]:
    """``open_reach``, with this part's death at the boundaries."""
    told = json.loads(os.environ[VARIABLE])
    at = told["deaths"].get(part)
    folder = Path(told["folder"]) / part
    folder.mkdir(exist_ok=True)
    watched = Death(at[0], at[1], folder) if at else Death("", "", folder)

    def opened(*arguments: Any, **named: Any) -> Reach:
        reach = open_reach(*arguments, **named)
        assert reach.boundary is unobserved
        return replace(reach, settle_seconds=SETTLE_SECONDS, boundary=watched)

    return opened


def main(part: str, arguments: list[str]) -> None:
    gate.open_reach = mortal("drill")
    recovery.open_reach = mortal(part)
    gate.Reverter = partial(Reverter, command=(sys.executable, __file__, "revert"))
    if part == "drill":
        from chaostoolkit.cli import cli as toolkit

        sys.argv = ["chaos", *arguments]
        toolkit(prog_name="chaos")
    else:
        sys.argv = ["blackstart", part, *arguments]
        cli.main()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
