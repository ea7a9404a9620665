import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from blackstart.changes.leftovers import Whose
from blackstart.journals.measure import Measured, measure

sys.path.append(str(Path(__file__).parent))


@pytest.fixture(scope="session")
def planted() -> ModuleType:
    """The generator of synthetic journals beside this file."""
    spec = importlib.util.spec_from_file_location("planted", Path(__file__).with_name("planted.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for the names in annotations
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def drilled(planted: ModuleType, tmp_path: Path) -> Callable[..., Measured]:
    """``drilled(lost=3)``: plant a small drill with these fields of its plan, and measure it; ``residue``: whose."""

    def made(cut_off: bool = False, residue: str = "", **changed: Any) -> Measured:
        if residue:
            changed["residue"] = (planted.left_acl(Whose(residue)),)
        return measure(planted.plant(tmp_path, planted.SMALL, **changed), cut_off=cut_off)

    return made
