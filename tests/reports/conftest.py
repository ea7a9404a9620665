import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from blackstart.journals.close import close
from blackstart.journals.measure import Measured, measure


@pytest.fixture(scope="session")
def planted() -> ModuleType:
    """The generator of synthetic journals that the tests of journals use."""
    spec = importlib.util.spec_from_file_location("planted", Path(__file__).parent.parent / "journals" / "planted.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for the names in annotations
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def drilled(planted: ModuleType, tmp_path: Path) -> Callable[..., Measured]:
    """``drilled(lost=3)``: plant a small drill with these fields of its plan, and measure it."""

    def made(cut_off: bool = False, **changed: Any) -> Measured:
        return measure(planted.plant(tmp_path, rate=changed.pop("rate", 20.0), **changed), cut_off=cut_off)

    return made


@pytest.fixture(scope="session")
def region_loss(planted: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The journal of a region loss with three lost writes, closed."""
    folder = planted.plant(tmp_path_factory.mktemp("journals"), planted.SMALL)
    close(folder)
    return folder
