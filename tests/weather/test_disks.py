"""Disks that are full, read-only or gone, and logs that are no logs: a clear outcome, nothing lost."""

import json
import os
import random
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from weather_world import DRILL

from blackstart import drill as drills
from blackstart.changes.gate import inject, undo
from blackstart.clock import SystemClock
from blackstart.errors import ApplyFailed, JournalUnwritable, UndoLogUnusable
from blackstart.journals import close
from blackstart.journals import folder as folders
from blackstart.observer.events import EventLog
from blackstart.settings import Service, Settings
from blackstart.testing import FakeClock

BLACKSTART = str(Path(sys.executable).parent / "blackstart")
EXPERIMENT = str(Path(__file__).parents[2] / "experiments" / "zone-network-loss.yaml")
SERVICE = Service(name="orders", host="127.0.0.1", port=9, home_region="us-east-1")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")


@pytest.fixture
def disk(tmp_path):
    """Mounts small disks at ``tmp_path / "disk"``."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(options):
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=False)
        if done.returncode:
            pytest.skip("this container may not mount")
        return place

    yield mount
    subprocess.run(["umount", "-l", str(place)], check=False, stderr=subprocess.DEVNULL)


def run(folder, **settings):
    """``blackstart run`` with these settings; its exit code and all that it says."""
    config = folder / "blackstart.toml"
    lines = [f"{key} = {json.dumps(str(value))}" for key, value in settings.items()]
    service = SERVICE.model_dump(exclude_defaults=True).items()
    lines += [
        "[scope]",
        'environment = "test"',
        "[service]",
        *(f"{key} = {json.dumps(value)}" for key, value in service),
    ]
    config.write_text("\n".join(lines))
    done = subprocess.run(
        [BLACKSTART, "run", EXPERIMENT],
        capture_output=True,
        text=True,
        env=os.environ | {"BLACKSTART_CONFIG": str(config)},
        cwd=folder,
        check=False,
        timeout=120,
    )
    return done.returncode, (done.stdout + done.stderr).strip()


def assert_one_sentence(done, *words):
    code, said = done
    assert code == 2, said
    assert len(said.splitlines()) == 1, said
    for word in words:
        assert word in said


@pytest.mark.parametrize(
    "text", [b"not a database, but long enough to be taken for one" * 40, b"SQLite format 3\0" + b"\1" * 90]
)
def test_an_undo_log_that_is_none_is_one_sentence_and_stays_as_it_was(tmp_path, text):
    log = tmp_path / "undo.sqlite"
    log.write_bytes(text)
    assert_one_sentence(run(tmp_path, undo_log=f"sqlite://{log}"), str(log), "so nothing was changed")
    assert log.read_bytes() == text


def test_a_journal_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "journals").write_text("a file")
    done = run(tmp_path, undo_log=f"sqlite://{tmp_path}/undo.sqlite", journals=tmp_path / "journals")
    assert_one_sentence(done, str(tmp_path / "journals"), "could not be written")


@as_root
@pytest.mark.parametrize("options", ["size=4k", "ro"])
@pytest.mark.parametrize("what", ["journals", "undo_log"])
def test_a_disk_that_takes_nothing_is_one_sentence(tmp_path, disk, options, what):
    place = disk(options)
    if options != "ro":
        (place / "filler").write_bytes(b"x" * 4096)
    settings = {"journals": tmp_path / "journals", "undo_log": f"sqlite://{tmp_path}/undo.sqlite"}
    settings[what] = {"journals": place / "journals", "undo_log": f"sqlite://{place}/undo.sqlite"}[what]
    assert_one_sentence(run(tmp_path, **settings), str(place))


@pytest.fixture
def running(aws, tmp_path):
    """A drill with a journal of its own, both faults in place; nobody observes."""

    def begin(journals, reach=None, clock=None):
        clock = clock or SystemClock()
        record = folders.Drill(
            drill=DRILL, experiment="zone-network-loss", title="a test", file="", started=clock.now(),
            fault="a zone", origin_monotonic=clock.monotonic(), environment="test", service=SERVICE.model_dump(),
        )  # fmt: skip
        journal = folders.create(journals, record)
        close.open_verdict(journal)
        settings = Settings(scope=aws.scope, service=SERVICE)
        mine = reach or aws.reach(clock)
        mirror = type(mine.mirror)(journal, "drill", clock)
        gate = aws.gate(replace(mine, mirror=mirror))
        events = EventLog(journal, clock, record.origin_monotonic)
        return drills.RunningDrill(DRILL, journal, settings, gate, events, random.Random(1), clock)

    return begin


def test_a_journal_that_is_lost_in_the_middle_does_not_keep_anything_from_being_put_back(aws, running, tmp_path):
    drill = running(tmp_path / "journals")
    faults = aws.plans()
    inject(faults[0][1], drill.gate, faults[0][0])
    shutil.rmtree(tmp_path / "journals")
    inject(faults[1][1], drill.gate, faults[1][0])
    assert aws.dump() != aws.before
    with pytest.raises(JournalUnwritable):
        drills.end(drill, {})
    assert aws.dump() == aws.before


@as_root
def test_a_journal_whose_disk_fills_up_does_not_keep_anything_from_being_put_back(aws, running, disk):
    place = disk("size=64k")
    drill = running(place)
    faults = aws.plans()
    inject(faults[0][1], drill.gate, faults[0][0])
    _fill(place)
    inject(faults[1][1], drill.gate, faults[1][0])
    with pytest.raises(JournalUnwritable, match=r"No space left on device.*free some space"):
        drills.end(drill, {})
    assert aws.dump() == aws.before


def _fill(place):
    with (place / "filler").open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(b"x" * 512)
        except OSError:
            return


def test_an_undo_log_that_is_lost_before_a_fault_forbids_it(aws):
    gate, (subject, changes) = aws.gate(), aws.plans()[0]
    shutil.rmtree(aws.log.path.parent)
    with pytest.raises(UndoLogUnusable, match="so nothing was changed"):
        inject(changes, gate, subject)
    assert aws.dump() == aws.before


def test_an_undo_log_that_is_lost_in_the_middle_of_a_fault_ends_it_and_everything_is_put_back(aws):
    (subject, changes) = aws.plans()[1]

    def lose(boundary, ids):
        if boundary == "applied":
            shutil.rmtree(aws.log.path.parent, ignore_errors=True)

    with pytest.raises(ApplyFailed, match=r"cannot be used .*nothing is left"):
        inject(changes, aws.gate(aws.reach(FakeClock(), boundary=lose)), subject)
    assert aws.dump() == aws.before


def test_a_wall_clock_that_steps_back_an_hour_changes_neither_order_nor_durations(aws, running, tmp_path):
    clock = FakeClock()
    drill = running(tmp_path / "journals", clock=clock)
    faults = aws.plans()
    inject(faults[0][1], drill.gate, faults[0][0], duration_seconds=600)
    clock.step_wall(-3600)
    inject(faults[1][1], drill.gate, faults[1][0])
    (ends,) = {entry.fault.ends for entry in aws.log.entries(DRILL) if entry.number == 1}
    assert ends - clock.monotonic() <= 600
    assert undo(DRILL, drill.gate.reach).complete
    _, verdict = drills.end(drill, {})
    assert aws.dump() == aws.before
    journal = folders.read(drill.journal)
    for change in {line["change"] for line in journal.changes}:
        states = [line["state"] for line in journal.changes if line["change"] == change]
        assert states == ["planned", "applied", "undone", "verified"]
    monotonic = [line["monotonic"] for line in journal.changes]
    assert monotonic == sorted(monotonic)
    assert verdict.word == "inconclusive"
    assert (drill.journal / "report.html").stat().st_size > 1000
