import json
from dataclasses import replace

import pytest

from blackstart.changes.gate import inject, undo
from blackstart.changes.log import Drill, Fault
from blackstart.changes.model import Share
from blackstart.changes.owner import here
from blackstart.changes.reach import Boundary
from blackstart.errors import ApplyFailed, ConfigInvalid, Refused, UndoLogUnusable
from blackstart.testing import FakeClock

WRITING = "writing on the files"


def test_what_is_injected_is_in_the_world_and_in_the_log(desk):
    paths = [desk.file(name) for name in "abc"]
    inject([desk.change(path) for path in paths], desk.gate(), WRITING)
    assert [path.read_text() for path in paths] == ["new"] * 3
    assert desk.states() == ["applied"] * 3


def test_the_record_is_durable_before_anything_changes(desk):
    path = desk.file("a")
    seen = []

    def look(boundary, changes):
        if boundary is Boundary.APPLYING:
            seen.append((path.read_text(), desk.states(), desk.log.entries("drill-1")[0].change.before))

    inject([desk.change(path)], desk.gate(boundary=look), WRITING)
    assert seen == [("old", ["planned"], {"text": "old"})]


def test_steps_follow_one_another(desk):
    first, second = desk.file("first"), desk.file("second")
    order = []

    def look(boundary, changes):
        if boundary is Boundary.APPLYING:
            order.append((first.read_text(), second.read_text()))

    inject([desk.change(second, step=1), desk.change(first)], desk.gate(boundary=look), WRITING)
    assert order == [("old", "old"), ("new", "old")]


def test_every_boundary_has_a_name(desk):
    inject([desk.change(desk.file("a"))], desk.gate(), WRITING)
    undo("drill-1", desk.reach())
    there = ["logging", "logged", "applying", "applied", "marking", "marked"]
    back = ["undoing", "undone", "marking", "marked", "verifying", "verified", "marking", "marked"]
    assert desk.passed == [Boundary(name) for name in there + back]


def test_nothing_to_change_is_refused_with_what_was_looked_for(desk):
    with pytest.raises(Refused, match=r"^not writing on the files: no file matches \*\.txt$"):
        inject([], desk.gate(), WRITING, nothing="no file matches *.txt")
    assert desk.watch.asked == []


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        ({"region": "eu-west-1"}, "region eu-west-1, which is outside the scope"),
        ({"region": ""}, "names no region, so the scope cannot tell"),
        ({"account": "999999999999"}, "in account 999999999999, but the credentials reach account 123456789012"),
        ({"account": ""}, "in no account, but the credentials reach account 123456789012"),
        ({"account": "", "cluster": "shop"}, "in no account, but the credentials reach account 123456789012"),
        ({"cluster": "shop"}, r"the cluster shop is outside the scope \(none\)"),
        ({"namespace": "shop"}, "namespace shop, which is outside the scope"),
        ({"tags": {}}, "does not carry blackstart, so it has not opted in"),
        ({"zone": "us-east-1a"}, "does not say which share of what it is"),
        ({"share": Share("zone", "us-east-1", ("us-east-1a",), 0)}, "how many zones us-east-1 has is not known"),
        ({"share": Share("zone", "us-east-1", ("a", "b", "c"), 3)}, "would take all 3 zones of us-east-1 at once"),
        ({"share": Share("pod", "shop app=orders", ("a", "b"), 3)}, "take 2 of 3 pods of shop app=orders at once"),
    ],
)
def test_a_guard_that_says_no_or_cannot_tell_changes_nothing(desk, spoilt, reason):
    fine, path = desk.file("fine"), desk.file("a")
    with pytest.raises(Refused, match=reason):
        inject([desk.change(fine), desk.change(path, **spoilt)], desk.gate(), WRITING)
    assert (fine.read_text(), path.read_text()) == ("old", "old")
    assert desk.states() == []


def test_shares_add_up_over_the_faults_of_a_drill(desk):
    gate = desk.gate()
    for zone in "ab":
        share = Share("zone", "us-east-1", (zone,), 3)
        inject([desk.change(desk.file(zone), zone=zone, share=share)], gate, WRITING)
    last = desk.change(desk.file("c"), zone="c", share=Share("zone", "us-east-1", ("c",), 3))
    with pytest.raises(Refused, match="all 3 zones"):
        inject([last], gate, WRITING)
    allowed = replace(gate, scope=gate.scope.model_copy(update={"whole_region": True}))
    inject([last], allowed, WRITING, region_drill=True)


def test_a_target_that_another_drill_holds_is_refused(desk):
    path = desk.file("a")
    inject([desk.change(path)], desk.gate("drill-1"), WRITING)
    with pytest.raises(Refused, match="is held by drill drill-1"):
        inject([desk.change(path, after="newer")], desk.gate("drill-2"), WRITING)
    assert path.read_text() == "new"


def test_without_a_reverter_nothing_is_changed(desk):
    desk.watch.there = False
    path = desk.file("a")
    with pytest.raises(Refused, match="the reverter did not start"):
        inject([desk.change(path)], desk.gate(), WRITING)
    assert (path.read_text(), desk.states()) == ("old", [])


def test_without_an_undo_log_nothing_is_changed(desk):
    path = desk.file("a")
    desk.log.close()
    with pytest.raises(UndoLogUnusable):
        inject([desk.change(path)], desk.gate(), WRITING)
    assert path.read_text() == "old"


def test_a_log_that_can_be_read_but_not_written_changes_nothing(desk):
    path = desk.file("a")
    desk.log._db.execute("PRAGMA query_only = ON")
    with pytest.raises(UndoLogUnusable, match="readonly"):
        inject([desk.change(path)], desk.gate(), WRITING)
    assert path.read_text() == "old"


def test_a_kind_that_nothing_brings_is_refused_before_anything_changes(desk):
    path = desk.file("a")
    with pytest.raises(ConfigInvalid, match="no installed package brings this change kind"):
        inject([desk.change(path), replace(desk.change(path), kind="no.such.kind")], desk.gate(), WRITING)
    assert (path.read_text(), desk.states()) == ("old", [])


def test_a_fault_lasts_longer_than_nothing(desk):
    with pytest.raises(ConfigInvalid, match="a fault lasts longer than 0"):
        inject([desk.change(desk.file("a"))], desk.gate(), WRITING, duration_seconds=0)


def test_an_error_half_way_puts_back_what_was_applied(desk):
    good, bad, never = desk.file("good"), desk.file("bad"), desk.file("never")
    (desk.folder / "bad.lid").touch()
    changes = [desk.change(good), desk.change(bad, step=1), desk.change(never, step=2)]
    with pytest.raises(ApplyFailed) as failed:
        inject(changes, desk.gate(), WRITING)
    assert (good.read_text(), bad.read_text(), never.read_text()) == ("old", "old", "old")
    assert desk.states() == ["verified"] * 3
    assert failed.value.undone == (changes[0].id,)
    assert str(failed.value) == (
        "writing on the files failed: there is a lid on bad; 1 applied changes were undone, nothing is left"
    )


def test_what_cannot_be_put_back_is_named(desk):
    good, bad = desk.file("good"), desk.file("bad")
    (desk.folder / "bad.lid").touch()

    def close_lid(boundary, changes):
        if boundary is Boundary.UNDOING:
            (desk.folder / "good.lid").touch()

    change = desk.change(good)
    with pytest.raises(ApplyFailed, match="run `blackstart recover`") as failed:
        inject([change, desk.change(bad, step=1)], desk.gate(boundary=close_lid), WRITING)
    assert failed.value.remaining == (change.id,)
    assert desk.states() == ["applied", "verified"]


def test_a_target_that_changed_since_the_plan_is_left_alone(desk):
    path = desk.file("a", "theirs")
    with pytest.raises(ApplyFailed, match=r"is not as planned any more .*so it was left alone"):
        inject([desk.change(path)], desk.gate(), WRITING)
    assert path.read_text() == "theirs"


def test_what_surely_never_happened_is_neither_waited_for_nor_held(desk):
    foreign, never = desk.file("foreign", "theirs"), desk.file("never")
    start = desk.clock.monotonic()
    with pytest.raises(ApplyFailed, match="nothing is left"):
        inject([desk.change(foreign), desk.change(never, step=1)], desk.gate(), WRITING)
    assert desk.clock.monotonic() == start
    assert [(entry.state, entry.note) for entry in desk.log.entries("drill-1")] == [("verified", "never applied")] * 2


class Patience(FakeClock):
    """Whoever sleeps on it for two seconds finds that ``busy`` is over."""

    def __init__(self, busy):
        super().__init__()
        self.busy = busy

    def sleep(self, seconds):
        super().sleep(seconds)
        if self.monotonic() > 1002:
            self.busy.unlink(missing_ok=True)


def test_a_target_that_is_busy_is_tried_again(desk):
    path, busy = desk.file("a"), desk.folder / "a.busy"
    busy.touch()
    desk.clock = Patience(busy)
    inject([desk.change(path)], desk.gate(), WRITING)
    assert (path.read_text(), busy.exists()) == ("new", False)


def test_a_target_that_stays_busy_fails_the_fault(desk):
    path = desk.file("a")
    (desk.folder / "a.busy").touch()
    with pytest.raises(ApplyFailed, match="is still being edited"):
        inject([desk.change(path)], desk.gate(), WRITING, duration_seconds=60)
    assert path.read_text() == "old"


def test_an_interrupt_puts_everything_back_also_what_came_before_and_goes_on(desk):
    path, before = desk.file("a"), desk.file("b")

    def interrupt(boundary, changes):
        if boundary is Boundary.MARKED and path.read_text() == "new":
            raise KeyboardInterrupt

    inject([desk.change(before)], desk.gate(), WRITING)
    with pytest.raises(KeyboardInterrupt):
        inject([desk.change(path)], desk.gate(boundary=interrupt), WRITING)
    assert (path.read_text(), before.read_text()) == ("old", "old")
    assert desk.states() == ["verified", "verified"]


def test_a_log_that_goes_away_while_the_fault_is_in_ends_the_fault(desk):
    path = desk.file("a")

    def lose(boundary, changes):
        if boundary is Boundary.APPLIED:
            desk.log._db.execute("PRAGMA query_only = ON")

    with pytest.raises(ApplyFailed, match="readonly"):
        inject([desk.change(path)], desk.gate(boundary=lose), WRITING)
    assert path.read_text() == "old"


def test_the_journal_tells_the_same_story(desk):
    inject([desk.change(desk.file("a"))], desk.gate(), WRITING)
    undo("drill-1", desk.reach())
    lines = [json.loads(line) for line in (desk.folder / "changes.jsonl").read_text().splitlines()]
    assert [line["state"] for line in lines] == ["planned", "applied", "undone", "verified"]
    assert lines[0]["record"]["summary"] == "write"
    assert lines[1]["began"] <= lines[1]["monotonic"]
    assert {line["by"] for line in lines} == {"drill"}


def test_a_duration_is_in_the_log_for_the_reverter(desk):
    inject([desk.change(desk.file("a"))], desk.gate(), WRITING, duration_seconds=60)
    (entry,) = desk.log.entries("drill-1")
    assert entry.fault == Fault(WRITING, 1000.0, 1060.0)


def test_a_thousand_changes_pass_in_few_batches_of_marks(desk):
    paths = [desk.file(f"f{number}") for number in range(200)]
    inject([desk.change(path) for path in paths], desk.gate(), WRITING)
    assert desk.states() == ["applied"] * 200
    report = undo("drill-1", desk.reach())
    assert report.complete
    assert len(report.verified) == 200
    assert all(path.read_text() == "old" for path in paths)


def test_the_drill_is_known_by_its_process(desk):
    inject([desk.change(desk.file("a"))], desk.gate(), WRITING)
    assert desk.log.find("drill-1") == Drill("drill-1", "a test", here(), "2026-01-01T00:00:00Z", "")
