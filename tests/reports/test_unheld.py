"""What was planned and did not happen, from the toolkit's journal, the changes and the experiment file."""

import hashlib
import json
from dataclasses import replace

import pytest

from blackstart.journals import activities, earlier
from blackstart.reports import unheld

PROBE = {"name": "users are served", "type": "probe"}
METHOD = [{"name": "lose the region", "type": "action"}, {"name": "wait", "type": "probe"}]
EXPERIMENT = {
    "steady-state-hypothesis": {"probes": [PROBE]},
    "method": METHOD,
    "rollbacks": [{"name": "put back", "type": "action"}],
}


def result(activity, status="succeeded", **more):
    return {"activity": activity, "status": status, **more}


def toolkit(ran=2, **changed):
    """The toolkit's journal of a run whose method got ``ran`` activities far."""
    journal = {
        "status": "completed",
        "experiment": EXPERIMENT,
        "steady_states": {"before": {"probes": [result(PROBE)]}, "after": {"probes": [result(PROBE)]}},
        "run": [result(each) for each in METHOD[:ran]],
        "rollbacks": [result(EXPERIMENT["rollbacks"][0])],
    }
    return {**journal, **changed}


def seen(drilled, **plan):
    return unheld.view(drilled(rate=10.0, **plan))


def test_a_whole_drill_says_so_with_its_numbers(drilled):
    view = seen(drilled, toolkit=toolkit())
    assert view.sentence == "Nothing: 5 of 5\u00a0planned activities ran, 3 of 3\u00a0planned changes made."
    assert view.lines == []


def test_activities_that_never_ran_are_named_with_their_phase(drilled):
    journal = toolkit(1, status="interrupted", steady_states={"before": {"probes": [result(PROBE)]}}, rollbacks=[])
    view = seen(drilled, toolkit=journal)
    assert view.sentence.startswith("2 of 5\u00a0planned activities ran")
    assert [(line.label, line.words) for line in view.lines] == [
        ("wait", "probe, method: never ran"),
        ("users are served", "probe, hypothesis, afterwards: never ran"),
        ("put back", "action, rollbacks: never ran"),
    ]


def test_an_activity_that_raised_gave_no_result(drilled):
    journal = toolkit(run=[result(METHOD[0]), result(METHOD[1], "failed", exception=["no answer"])])
    (line,) = seen(drilled, toolkit=journal).lines
    assert (line.label, line.words, line.glyph) == ("wait", "probe, method: gave no result: no answer", "✕")


def test_what_the_strategies_leave_out_was_not_planned():
    strategies = {"hypothesis": {"strategy": "before-method-only"}, "rollbacks": {"strategy": "never"}}
    names = [each.name for each in activities.planned({**EXPERIMENT, "runtime": strategies})]
    assert names == ["users are served", "lose the region", "wait"]


@pytest.mark.parametrize("journal", [{}, {"experiment": 7, "run": "x"}, {"experiment": {"method": [1, None]}}])
def test_a_garbled_toolkit_journal_is_read_as_far_as_it_goes(journal):
    assert all(not each.status for each in activities.ran(journal))


def test_changes_that_were_never_made_are_named(drilled):
    view = seen(drilled, toolkit=toolkit(), marked=False)
    assert view.sentence.endswith("0 of 3\u00a0planned changes made.")
    assert sum("planned, never made" in line.words for line in view.lines) == 3


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({"stopped": "somebody said so"}, "stopped: somebody said so"),
        ({"lapsed": "a pod came back"}, "a pod came back"),
        ({"gap": (20.0, 21.0)}, "10 of 3,000 planned were not sent"),
        ({"checked": False}, "the ledger was never read back"),
    ],
)
def test_a_drill_that_fell_short_says_where(drilled, plan, words):
    view = seen(drilled, toolkit=toolkit(), **plan)
    assert view.lines
    if plan != {"checked": False}:
        assert words in [line.words for line in view.lines]


def test_a_killed_drill_tells_its_plan_from_the_file_that_it_ran(drilled, tmp_path):
    file = tmp_path / "experiment.json"
    file.write_text(json.dumps(EXPERIMENT), encoding="utf-8")
    measured = drilled(rate=10.0, toolkit=None, cut_off=True)
    drill = replace(measured.drill, file=str(file), sha256=hashlib.sha256(file.read_bytes()).hexdigest())
    view = unheld.view(measured, earlier.intended(drill))
    assert view.sentence.startswith("Which of 5\u00a0planned activities ran is not known")
    assert [line.label for line in view.lines].count("users are served") == 2
    assert earlier.intended(replace(drill, sha256="0" * 64)) == ()
    assert earlier.intended(replace(drill, file="\0")) == ()
