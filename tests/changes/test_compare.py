import pytest
from file_text import FileText

from blackstart.changes.compare import CompareAndRestore, Difference, Unsettled, compare
from blackstart.changes.kind import Ending
from blackstart.changes.model import Change, new_id
from blackstart.errors import NotYet, TargetChanged
from blackstart.scope import Target

BEFORE, AFTER = {"a": 1, "b": 1, "context": "x"}, {"a": 2, "b": 2, "context": "x"}


@pytest.mark.parametrize(
    ("seen", "ours", "foreign"),
    [
        ({"a": 2, "b": 2}, ("a", "b"), ()),
        ({"a": 2, "b": 1}, ("a",), ()),
        ({"a": 1, "b": 1}, (), ()),
        ({"a": 3, "b": 2}, ("b",), ("a",)),
        ({"a": 2}, ("a",), ("b",)),
        ({"a": 1, "b": 1, "context": "y"}, (), ()),
    ],
)
def test_each_field_is_judged_on_its_own(seen, ours, foreign):
    assert compare(seen, BEFORE, AFTER) == Difference(ours, foreign)


class Memory(CompareAndRestore):
    """A state that is held right here."""

    name = "test.memory"
    permissions = ()
    batch_size = 10

    def __init__(self, state):
        self.state = state

    def read(self, changes, clients):
        return {change.id: self.state if not isinstance(self.state, dict) else dict(self.state) for change in changes}

    def write(self, wanted, clients):
        for item in wanted:
            self.state.update(item.fields)


@pytest.fixture
def change():
    return Change(new_id(), "test.memory", Target("thing", "t", region="r"), BEFORE, AFTER, "", "")


def test_apply_writes_what_differs_and_can_be_called_again(change):
    kind = Memory({"a": 1, "b": 2, "other": 5})
    for _ in range(2):
        kind.apply([change], None)
        assert kind.state == {"a": 2, "b": 2, "other": 5, "context": "x"}


def test_undo_restores_our_fields_and_nothing_else(change):
    kind = Memory({"a": 2, "b": 1, "context": "x", "other": 5})
    assert kind.undo([change], None)[change.id].ending is Ending.RESTORED
    assert kind.state == {"a": 1, "b": 1, "context": "x", "other": 5}
    assert kind.undo([change], None)[change.id].ending is Ending.UNTOUCHED


def test_undo_restores_ours_and_reports_theirs(change):
    kind = Memory({"a": 2, "b": 7})
    outcome = kind.undo([change], None)[change.id]
    assert (outcome.ending, outcome.note) == (Ending.CONFLICT, "thing t was changed by somebody else: b 7")
    assert kind.state == {"a": 1, "b": 7}


def test_apply_leaves_a_target_alone_that_somebody_changed(change):
    kind = Memory({"a": 9, "b": 1})
    with pytest.raises(TargetChanged, match="a 9"):
        kind.apply([change], None)
    assert kind.state == {"a": 9, "b": 1}


def test_what_is_between_two_states_is_asked_again(change):
    kind = Memory(Unsettled("stopping"))
    with pytest.raises(NotYet, match="thing t is still stopping"):
        kind.apply([change], None)
    outcome = kind.undo([change], None)[change.id]
    assert (outcome.ending, outcome.note) == (Ending.PENDING, "thing t is stopping")


def test_what_is_gone_is_neither_applied_nor_restored(change):
    kind = Memory(None)
    with pytest.raises(TargetChanged, match="it is gone"):
        kind.apply([change], None)
    assert kind.undo([change], None)[change.id].ending is Ending.CONFLICT
    assert kind.verify([change], None)[change.id].note == "thing t no longer exists"


def test_verify_reads_and_changes_nothing(change):
    kind = Memory({"a": 2, "b": 1, "context": "x"})
    outcome = kind.verify([change], None)[change.id]
    assert (outcome.ending, outcome.note) == (Ending.PENDING, "thing t still has a 2")
    assert kind.state == {"a": 2, "b": 1, "context": "x"}


def test_forcing_writes_what_was_before_and_only_the_fields_that_were_meant(desk):
    path = desk.file("a", "somebody else's")
    change = desk.change(path)
    kind = FileText()
    assert kind.found(change, desk.clients) == {"text": "somebody else's"}
    kind.force(change, desk.clients)
    assert path.read_text() == "old"
    path.with_suffix(".lid").touch()
    kind.force(change, desk.clients)  # it is as before already, so nothing is written


def test_a_target_that_is_gone_cannot_be_forced(desk):
    change = desk.change(desk.folder / "never")
    assert FileText().found(change, desk.clients) == f"file {desk.folder / 'never'} no longer exists"
    with pytest.raises(NotYet, match="no longer exists"):
        FileText().force(change, desk.clients)
