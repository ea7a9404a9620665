import dataclasses
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from blackstart.journals import manifest
from blackstart.journals.close import close

REPORT = "<!doctype html>"
Put = Callable[..., Path]


@pytest.fixture(scope="session")
def put(planted: ModuleType) -> Put:
    """``put(root, day, environment=…, closed=…, cut=…, **plan)``: plant a small drill ``day`` days after the first
    one, judge it unless it was cut off, and seal its journal. ``report``: what its page is."""

    def planting(
        root: Path,
        day: int,
        *,
        environment: str = "staging",
        closed: bool = True,
        cut: bool = False,
        report: str = REPORT,
        **plan: Any,
    ) -> Path:
        first, drill = planted.STARTED, planted.drill
        began = first + timedelta(days=day)

        def placed(what: Any) -> Any:
            return dataclasses.replace(drill(what), environment=environment, drill=f"{what.experiment}-{day}")

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(planted, "STARTED", began)
            patched.setattr(planted, "drill", placed)
            folder: Path = planted.plant(root, planted.SMALL, rate=10.0, **plan)
        if not cut:
            close(folder)
        if report:
            (folder / "report.html").write_text(report)
        if closed:
            manifest.write(folder, "closed", "drill", began + timedelta(minutes=2))
        return folder

    return planting
