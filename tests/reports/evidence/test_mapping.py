import dataclasses
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blackstart.reports.evidence.frameworks import Control, Framework
from blackstart.reports.evidence.mapping import Drilled, State, findings
from blackstart.reports.evidence.shown import Kind, Shown

END = datetime(2026, 10, 1, tzinfo=UTC)
HELD = (Shown(Kind.RECOVERY, True, ("Recovery time: 9.74 s, required ≤ 60 s",)),)


def drilled(day=1, **changed):
    usual = Drilled(
        folder=f"region-loss/{day}", drill=f"d{day}", experiment="region-loss", environment="staging",
        started=datetime(2026, 9, 1, tzinfo=UTC) + timedelta(days=day), verdict="passed", shown=HELD,
    )  # fmt: skip
    return dataclasses.replace(usual, **changed)


def control(**changed):
    return Control.model_validate({"id": "A1.3", "title": "", "needs": ["recovery"], "why": "", "but": "", **changed})


def finding(*drills, **changed):
    framework = Framework(
        key="soc2", name="", edition="", said_by="", controls=(control(**changed),), outside=()
    )  # fmt: skip
    (found,) = findings(framework, drills, END)
    return found


def test_a_control_is_supported_by_a_drill_that_shows_it():
    found = finding(drilled())
    assert found.state is State.SUPPORTED
    assert found.because == ()


def test_without_a_drill_it_is_a_gap():
    found = finding()
    assert found.state is State.NO_DRILL
    assert found.because == ("No drill of the period injected a fault and measured what users had of it.",)


def test_what_speaks_to_it_only_from_afar_leaves_the_gap_open():
    found = finding(drilled(), needs=["restore"], also=["recovery"])
    assert found.state is State.NO_DRILL
    assert found.because == ("No drill of the period restored a backup.",)


def test_the_newest_drill_counts_not_an_older_success():
    found = finding(drilled(1), drilled(2, verdict="failed", shown=(Shown(Kind.RECOVERY, False),)))
    assert found.state is State.NOT_SUPPORTED
    assert "The newest drill of its kind failed: region-loss of 2026-09-03 in staging." in found.because
    assert len(found.drills) == 2
    assert finding(drilled(1, verdict="failed", shown=(Shown(Kind.RECOVERY, False),)), drilled(2)).because == ()


def test_a_newer_drill_that_was_cut_off_is_not_passed_over():
    found = finding(drilled(1), drilled(2, verdict="inconclusive", shown=()))
    assert found.state is State.NOT_SUPPORTED
    assert any("was inconclusive" in words for words in found.because)


def test_a_failure_of_another_experiment_is_not_outweighed():
    found = finding(
        drilled(1), drilled(2, experiment="zone-loss", verdict="failed", shown=(Shown(Kind.RECOVERY, False),))
    )
    assert found.state is State.PART


def test_a_journal_that_was_altered_supports_nothing():
    found = finding(drilled(problems=("samples.bin: changed",)))
    assert found.state is State.NOT_SUPPORTED
    assert "What cannot be verified proves nothing: region-loss of 2026-09-02 in staging." in found.because


def test_a_journal_that_cannot_be_read_hides_nothing():
    broken = drilled(2, environment="", verdict="", shown=(), problems=("drill.json: cannot be read",))
    found = finding(drilled(1), broken)
    assert found.state is State.PART
    assert found.because == ("What cannot be verified proves nothing: region-loss of 2026-09-03.",)


def test_everything_that_is_needed_has_to_be_shown():
    found = finding(drilled(), needs=["recovery", "restore"])
    assert found.state is State.PART
    assert found.because == ("No drill of the period restored a backup.",)
    restored = drilled(2, experiment="backup-restore", shown=(Shown(Kind.RESTORE, True),))
    assert finding(drilled(), restored, needs=["recovery", "restore"]).state is State.SUPPORTED


def test_what_an_older_drill_showed_and_the_newest_did_not_try_is_missing():
    both = (*HELD, Shown(Kind.RESTORE, True))
    found = finding(drilled(1, shown=both), drilled(2), needs=["recovery", "restore"])
    assert found.state is State.PART
    assert found.because[0].startswith("No drill that counts restored a backup")


def test_the_lab_alone_is_a_rehearsal():
    found = finding(drilled(environment="Lab"))
    assert found.state is State.PART
    assert "rehearsed" in found.because[0]
    assert finding(drilled(environment="lab"), drilled(2)).state is State.SUPPORTED


def test_regularity_needs_more_than_one_day():
    assert finding(drilled(), days=2).state is State.PART
    assert finding(drilled(1), drilled(2), days=2).state is State.SUPPORTED


def test_a_drill_that_is_too_old_at_the_end_of_the_period_is_named():
    old = drilled(started=END - timedelta(days=400))
    assert finding(old).state is State.SUPPORTED
    assert finding(old, within_days=366).state is State.PART


def test_what_was_measured_without_an_objective_is_missing_only_where_it_is_needed():
    shown = (*HELD, Shown(Kind.DATA, None, ("measured, but no objective was set for it",)))
    assert finding(drilled(shown=shown), also=["data"]).state is State.SUPPORTED
    assert finding(drilled(shown=shown), needs=["recovery", "data"]).state is State.PART


DRILLS = st.lists(
    st.builds(
        drilled,
        day=st.integers(0, 9),
        experiment=st.sampled_from("ab"),
        environment=st.sampled_from(["lab", "staging"]),
        verdict=st.sampled_from(["passed", "failed", "inconclusive", ""]),
        shown=st.lists(st.builds(Shown, st.sampled_from(Kind), st.sampled_from([True, False, None]))).map(tuple),
        problems=st.sampled_from([(), ("altered",)]),
    ),
    max_size=5,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(DRILLS, st.lists(st.sampled_from(Kind), min_size=1, max_size=2, unique=True))
def test_supported_means_that_a_sound_drill_that_passed_outside_of_the_lab_shows_each_thing_needed(drills, needs):
    found = finding(*drills, needs=needs)
    good = [each for each in drills if each.verdict == "passed" and not each.problems]
    if found.state is State.SUPPORTED:
        assert any(each.environment != "lab" for each in good)
        assert all(any(each.held for drill in good for each in drill.of((kind,))) for kind in needs)
        assert not any(each.problems for each in found.drills)
    else:
        assert found.because
    assert (found.state is State.NO_DRILL) == (not found.drills)
    spoken = [drill for drill in drills if drill.of(needs)]
    assert set(map(id, spoken)) <= set(map(id, found.drills))
