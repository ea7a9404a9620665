"""What must be drilled, beside what was."""

from datetime import timedelta
from pathlib import Path

import pytest
from history_rows import NOW, row

from blackstart.errors import ConfigInvalid
from blackstart.journals.coverage import Catalogue, Entry, State, cells, read

SHIPPED = Path(__file__).parents[2] / "experiments" / "coverage" / "reference-platform.yaml"


def cell(*rows, catalogue=None, **entry):
    asked = Entry(**{"system": "EKS", "failure": "zone", "experiments": ("zone-loss",), "every_days": 90, **entry})
    (found,) = cells(Catalogue(entries=(asked,), **(catalogue or {})), rows, NOW)
    return found


@pytest.mark.parametrize(
    ("rows", "state", "alarming"),
    [
        ([], State.NEVER, True),
        ([row(3)], State.PROVEN, False),
        ([row(89.9)], State.PROVEN, False),
        ([row(90.1)], State.STALE, True),
        ([row(3), row(2, "failed")], State.FAILING, True),
        ([row(3, "failed"), row(2)], State.PROVEN, False),
        ([row(3, "failed"), row(2, "inconclusive")], State.FAILING, True),
        ([row(3), row(2, "inconclusive")], State.INCONCLUSIVE, False),
        ([row(100), row(2, "inconclusive")], State.STALE, True),
        ([row(2, "inconclusive")], State.INCONCLUSIVE, True),
        ([row(2, problem="torn")], State.INCONCLUSIVE, True),
        ([row(3), row(2, problem="torn")], State.INCONCLUSIVE, False),
        ([row(2, cut_off=True)], State.INCONCLUSIVE, True),
        ([row(3), row(2, "failed", cut_off=True)], State.FAILING, True),
        ([row(3, experiment="pod-kill")], State.NEVER, True),
        ([row(-2)], State.NEVER, True),
        ([row(2, "")], State.INCONCLUSIVE, True),
    ],
)
def test_states(rows, state, alarming):
    found = cell(*rows)
    assert (found.state, found.alarming) == (state, alarming)


def test_what_is_not_required_is_shown_and_alarms_nobody():
    assert cell(required=False).state is State.NEVER
    assert not cell(required=False).alarming
    assert not cell(row(1, "failed"), required=False).alarming


def test_a_drill_elsewhere_proves_nothing():
    assert cell(row(1, environment="lab"), environments=("production",)).state is State.NEVER
    assert cell(row(1, environment="lab"), catalogue={"environments": ("production",)}).state is State.NEVER
    assert cell(row(1), row(0.5, environment="production"), environments=("production",)).state is State.PROVEN
    assert cell(row(1, service="ledger"), service="orders").state is State.NEVER


def test_any_of_its_experiments_drills_a_pair_and_the_newest_counts():
    found = cell(row(5, experiment="a"), row(2, "failed", experiment="b"), experiments=("a", "b"))
    assert found.state is State.FAILING
    assert found.proven is not None
    assert found.proven.experiment == "a"
    assert found.due == NOW - timedelta(days=5) + timedelta(days=90)


def test_the_catalogues_interval_holds_where_an_entry_has_none():
    assert cell(row(20), every_days=None, catalogue={"every_days": 10}).state is State.STALE
    assert cell(row(20), every_days=30, catalogue={"every_days": 10}).state is State.PROVEN


def test_the_shipped_catalogue_names_experiments_that_are_there_and_all_of_them():
    shipped = {path.stem for path in SHIPPED.parents[1].glob("*.yaml")}
    named = {experiment for entry in read(SHIPPED).entries for experiment in entry.experiments}
    assert named == shipped


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("entries: []", "entries: "),
        ("[]", "needs a list of entries"),
        ("entries: [{system: a}]", "entries.0.failure: "),
        ("entries: [{system: a, failure: b, often: 3}]", "entries.0.often: unknown key"),
        ("entries: [{system: a, failure: b, every_days: .nan}]", "entries.0.every_days: "),
        ("entries: [{system: a, failure: b}, {system: a, failure: b}]", "a and b are there twice"),
        ("entries: [{", "cannot be read"),
        ("\x00", "cannot be read"),
    ],
)
def test_a_catalogue_that_cannot_be_used_is_named(tmp_path, text, problem):
    file = tmp_path / "coverage.yaml"
    file.write_text(text)
    with pytest.raises(ConfigInvalid) as error:
        read(file)
    assert problem in str(error.value)
    assert str(file) in str(error.value)


def test_one_experiment_may_be_written_without_a_list(tmp_path):
    file = tmp_path / "coverage.yaml"
    file.write_text("entries: [{system: a, failure: b, experiment: zone-loss}]")
    assert read(file).entries[0].experiments == ("zone-loss",)
