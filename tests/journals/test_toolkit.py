"""Read from journals that the installed Chaos Toolkit really wrote."""

import pytest
from chaoslib.experiment import run_experiment

from blackstart.errors import Refused
from blackstart.journals.toolkit import read


def four() -> int:
    return 4


def refuse() -> None:
    raise Refused("failing zone us-east-1a", "no subnet in vpc-1 matches")


def activity(name, func, kind="probe", **more):
    provider = {"type": "python", "module": "toolkit_activities", "func": func}
    return {"name": name, "type": kind, "provider": provider, **more}


@pytest.fixture
def run(monkeypatch):
    import sys
    import types

    module = types.ModuleType("toolkit_activities")
    module.four, module.refuse = four, refuse  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "toolkit_activities", module)

    def ran(hypothesis, method):
        state = {"title": "users are served", "probes": hypothesis}
        return read(
            run_experiment(
                {"title": "t", "description": "d", "steady-state-hypothesis": state, "method": method, "rollbacks": []}
            )
        )

    return ran


def test_an_action_that_the_gate_refused_keeps_the_refusals_own_sentence(run):
    found = run([activity("four", "four", tolerance=4)], [activity("lose zone", "refuse", "action")])
    (only,) = found.raised
    assert (only.name, only.kind, only.phase, only.refused) == ("lose zone", "action", "method", True)
    assert only.problem == "not failing zone us-east-1a: no subnet in vpc-1 matches"


def test_a_probe_outside_its_tolerance_is_a_deviation_and_not_an_error(run):
    found = run([activity("four", "four", tolerance=5)], [])
    assert found.raised == ()
    assert [(each.name, each.phase, each.output) for each in found.deviations] == [("four", "before", 4)]


def test_a_run_that_went_well_has_nothing_to_tell(run):
    found = run([activity("four", "four", tolerance=4)], [])
    assert (found.status, found.raised, found.deviations) == ("completed", (), ())
    assert [(each.name, each.phase, each.status) for each in found.activities] == [
        ("four", "before", "succeeded"),
        ("four", "after", "succeeded"),
    ]


def test_what_a_failed_start_kept_from_running_is_told(run):
    found = run([activity("four", "four", tolerance=5)], [activity("four again", "four")])
    assert [each.name for each in found.activities if not each.status] == ["four again", "four"]


@pytest.mark.parametrize("journal", [None, {}, {"run": 5}, {"run": [None, "x"]}, {"steady_states": {"before": []}}])
def test_a_journal_of_another_shape_reads_as_nothing(journal):
    assert (read(journal).raised, read(journal).deviations) == ((), ())
