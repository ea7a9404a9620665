"""What millions of samples cost, as ratios within one run: figures are `make bench`'s."""

import importlib.util
import subprocess
import sys
import time
from pathlib import Path

import pytest

from blackstart.journals import users
from blackstart.observer import samples
from blackstart.observer.samples import Samples
from blackstart.observer.table import Table
from blackstart.settings import Observing

BENCH = Path(__file__).parent.parent / "bench" / "analysis.py"
HERE = Path(__file__).parent
MANY, FEW = 400_000, 2_000


def loaded(path: Path):
    made = importlib.util.spec_from_file_location(path.stem + "_loaded", path)
    module = importlib.util.module_from_spec(made)
    made.loader.exec_module(module)
    return module


@pytest.fixture
def many(tmp_path) -> Samples:
    loaded(BENCH).plant(tmp_path, MANY, journeys=2)
    return samples.read(tmp_path)


def spent(work) -> float:
    """The least processor time of three goes."""
    taken = []
    for _ in range(3):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)


def test_a_sample_among_many_is_counted_at_a_twentieth_of_what_a_loop_takes(many):
    rows = loaded(HERE / "row_by_row.py")
    part = many.between(0, FEW / many.header.rate)
    few = Samples(part.header, part.rows, FEW / many.header.rate)
    end = many.complete_until
    fast = spent(lambda: users.watched(many, [], 0.3 * end, 0.8 * end, Observing())) / MANY

    def by_rows() -> None:
        rows.availability(few, 0, 9)
        rows.outages(few, 0, 9)
        rows.recovery(few, 0.01, 0.99, 0.1)
        rows.latency(few, 0, 9)
        rows.trust(few, 0, 0.4)

    assert fast < spent(by_rows) / FEW / 20


def test_a_sample_takes_as_much_memory_as_on_disk(many):
    assert isinstance(many.table, Table)
    assert sum(column.nbytes for column in many.table) == 32 * MANY


def test_the_command_and_who_only_writes_do_not_load_numpy():
    program = "import sys, blackstart.cli, blackstart.observer.record; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
