import importlib.util
import shutil
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

from blackstart.journals.close import close

sys.path.append(str(Path(__file__).parent))

collect_ignore_glob = [] if find_spec("starlette") and find_spec("uvicorn") else ["test_*.py"]
HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


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


@pytest.fixture(scope="session")
def whole(planted: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The journal of a drill that is not closed, for `played`."""
    return planted.plant(tmp_path_factory.mktemp("whole"), planted.SMALL)


@pytest.fixture(scope="session")
def region_loss(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, closed: three lost writes; read only."""
    folder = tmp_path_factory.mktemp("journals") / whole.parent.name / whole.name
    shutil.copytree(whole, folder)
    close(folder)
    return folder


@pytest.fixture(scope="session")
def hostile(planted: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The journal of a drill whose every name is markup; read only."""
    small = replace(planted.SMALL, rate=10.0, fault=HOSTILE, title=HOSTILE, service=HOSTILE)
    return planted.plant(tmp_path_factory.mktemp("hostile"), small)
