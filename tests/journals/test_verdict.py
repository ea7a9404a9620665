"""What a drill may be called, and the sentence that says why. Everything follows from planted journals."""

import json
from dataclasses import replace

import pytest

from blackstart.journals import folder as folders
from blackstart.journals import numbers
from blackstart.journals.measure import measure
from blackstart.journals.objectives import Result
from blackstart.journals.verdict import Word, judge

CALM = {"nobody_for": 0, "partly_for": 0, "moves": False, "stray_failures": 0, "steps": {}, "lost": 0}
NO_OBJECTIVES = dict.fromkeys(
    ("rto_seconds", "rpo_seconds", "dns_failover_seconds", "error_budget_share", "p95_seconds", "p99_seconds")
)
NEVER = {"nobody_for": 999, "partly_for": 999, "moves": False, "lost": 0}


FORCE, ACCEPT = "blackstart recover --force", "blackstart recover --accept"


def activity(name, kind="probe", module="blackstart.probes.pods"):
    return {"name": name, "type": kind, "provider": {"type": "python", "module": module, "func": "f"}}


def deviated(name, phase="after", **more):
    probe = {"activity": activity(name, **more), "status": "succeeded", "tolerance_met": False, "output": 4}
    return {
        "status": "completed",
        "deviated": True,
        "steady_states": {phase: {"steady_state_met": False, "probes": [probe]}},
    }


def raised(name, problem, kind="action", phase="run"):
    text = f"chaoslib.exceptions.ActivityFailed: {problem}\n"
    return {
        "status": "completed",
        phase: [{"activity": activity(name, kind), "status": "failed", "exception": ["Traceback\n", text]}],
    }


def said(verdict):
    return verdict.reason.replace(numbers.NBSP, " ")


def test_all_objectives_met_and_nothing_else_in_the_way_is_passed(drilled):
    verdict = judge(drilled(lost=0))
    assert (verdict.word, verdict.exit_code, verdict.doubts) == (Word.PASSED, 0, ())
    assert said(verdict).startswith("Orders moved to us-west-2 in 11.")
    assert said(verdict).endswith("s (objective 15 s) and lost none of 536 acknowledged writes.")


def test_passing_with_next_to_nothing_to_spare_says_how_much(drilled):
    verdict = judge(drilled(lost=0, objectives={"rto_seconds": 12, "p95_seconds": None, "p99_seconds": None}))
    assert verdict.word is Word.PASSED
    assert "the objective is 12 s, so only" in said(verdict)


def test_a_lost_write_where_none_may_be_lost_is_failed_although_service_returned_in_time(drilled):
    verdict = judge(drilled(lost=3))
    assert (verdict.word, verdict.exit_code) == (Word.FAILED, 1)
    assert "inside its 15 s objective, but lost 3 acknowledged writes where none may be lost." in said(verdict)


def test_service_that_never_returns_is_failed_once_the_objective_is_over(drilled):
    verdict = judge(drilled(**NEVER))
    assert verdict.word is Word.FAILED
    assert said(verdict) == (
        "Orders never came back: after 25.0 s, 100 % of requests still failed, so the drill was undone; "
        "the objective is 15 s."
    )


def test_a_fault_that_users_have_to_be_freed_from_says_how_long_it_lasted(drilled):
    goals = {"rto_seconds": None, "longest_outage_seconds": 60, "p95_seconds": None, "p99_seconds": None}
    verdict = judge(drilled(**NEVER, objectives={**goals, "error_budget_share": None}))
    assert verdict.word is Word.PASSED
    assert said(verdict).startswith("Orders was down for 2")
    assert "s at most until the drill was undone" in said(verdict)


def test_service_that_never_returns_proves_nothing_while_the_objective_is_not_over(drilled):
    verdict = judge(drilled(**NEVER, objectives={"rto_seconds": 3600}))
    assert verdict.word is Word.INCONCLUSIVE
    assert said(verdict).endswith("the objective is 60 min, so nothing is proven.")


def test_an_objective_inside_the_uncertainty_is_inconclusive(drilled):
    point = drilled(lost=0)
    at = point.users.recovery.seconds
    goals = {"rto_seconds": at + 0.001, "p95_seconds": None, "p99_seconds": None}
    verdict = judge(drilled(lost=0, objectives=goals))
    assert (verdict.word, verdict.exit_code) == (Word.INCONCLUSIVE, 2)
    assert said(verdict).startswith("Recovery time lies between")


def test_a_drill_beside_the_service_need_not_be_felt(drilled):
    goals = {"rto_seconds": None, "p95_seconds": None, "p99_seconds": None}
    measured = drilled(**CALM, objectives=goals | {"lost_writes": 0, "error_budget_share": 0.01})
    assert judge(measured).word is Word.INCONCLUSIVE
    beside = replace(measured, drill=replace(measured.drill, felt=False))
    assert judge(beside).word is Word.PASSED


def test_a_drill_beside_the_service_fails_as_any_other(drilled):
    measured = drilled(lost=3)
    assert judge(replace(measured, drill=replace(measured.drill, felt=False))).word is Word.FAILED


def test_a_proven_miss_beats_every_doubt(drilled):
    verdict = judge(drilled(cut_off=True, lost=3, checked=True, toolkit=raised("reads", "ValueError: no", "probe")))
    assert verdict.word is Word.FAILED
    assert len(verdict.doubts) == 2


@pytest.mark.parametrize(
    ("plan", "because"),
    [
        ({"fault_at": None}, "No fault was injected: the drill changed nothing."),
        ({"checked": False}, "Lost writes: not measured, because the writes were never read back completely."),
        ({"left": 1}, "but 1 change is not proven undone; run blackstart recover 0142."),
        ({"conflicts": 1}, f"but 1 change is in conflict; run {FORCE} bs-000000000000 or {ACCEPT} bs-000000000000."),
        ({"conflicts": 2}, f"but 2 changes are in conflict; run {FORCE} CHANGE or {ACCEPT} CHANGE."),
        (
            {"residue": "ours"},
            "but left network-acl acl-left in us-east-1; delete it, then run blackstart recover 0142.",
        ),
        (
            {"residue": "unknown"},
            "that no drill in the undo log holds carries Blackstart’s tag: network-acl acl-left in us-east-1.",
        ),
        (
            {"residue_problems": ("us-east-1 (EC2 tags): no answer",)},
            "Whether residue is left is not known: us-east-1 (EC2 tags): no answer.",
        ),
        ({"proven": False}, "so nothing proves that none is left; run blackstart recover 0142."),
        ({"stopped": "by ann: enough"}, "The drill was stopped, so it proves nothing: by ann: enough."),
        ({"lapsed": "not deleting pods: no"}, "The fault was not kept up: not deleting pods: no."),
        (
            {"fault_at": None, "stopped": "by ann: enough"},
            "The drill was stopped before a fault was injected: by ann: enough.",
        ),
        ({"failing_before": 0.05}, "of requests before the fault, so what followed cannot be put down to it."),
        (
            {**CALM, "changes": 1, "zones": "bc"},
            "The fault had no visible effect: nobody had been served from us-east-1a before it, either.",
        ),
        (CALM, "The fault had no visible effect: no request failed, and every region, zone and pod went on answering."),
        (
            {"toolkit": raised("wait for users", "ValueError: no such thing", "probe")},
            "The probe “wait for users” raised an error: ValueError: no such thing.",
        ),
        ({"toolkit": {"status": "interrupted"}}, "Chaos Toolkit ended the experiment as interrupted."),
        ({"objectives": NO_OBJECTIVES}, "The drill has no objective, so there is nothing that it could pass."),
    ],
)  # fmt: skip
def test_any_doubt_keeps_a_drill_from_passing(drilled, plan, because):
    verdict = judge(drilled(**{"lost": 0, **plan}))
    assert verdict.word is Word.INCONCLUSIVE
    assert said(verdict).endswith(because)
    in_place = {"left", "conflicts"} & set(plan) or plan.get("residue") == "ours"
    assert verdict.exit_code == (3 if in_place else 2)


def test_a_drill_that_was_cut_off_proves_nothing(drilled):
    verdict = judge(drilled(cut_off=True, lost=0))
    assert verdict.word is Word.INCONCLUSIVE
    assert said(verdict) == "The drill was cut off before it ended, so it proves nothing; its changes were undone."


def test_residue_outranks_a_proven_miss_in_the_exit_code(drilled):
    verdict = judge(drilled(lost=3, residue="ours"))
    assert (verdict.word, verdict.exit_code) == (Word.FAILED, 3)


def test_what_a_killed_drill_left_is_told_although_it_never_wrote_down_that_it_had_begun(drilled):
    verdict = judge(drilled(cut_off=True, lost=0, marked=False, left=3, undo_at=None))
    assert said(verdict) == (
        "No fault is known to have been injected, but 3 changes are not proven undone; run blackstart recover 0142."
    )
    assert verdict.doubts[1] == "The drill was cut off before a fault was injected."
    assert verdict.exit_code == 3


def test_what_another_drill_holds_does_not_matter(drilled):
    verdict = judge(drilled(lost=0, residue="theirs"))
    assert (verdict.word, verdict.doubts) == (Word.PASSED, ())


def test_what_a_leftover_made_is_not_counted_twice(drilled):
    verdict = judge(drilled(lost=0, left=3, residue="ours"))
    assert (verdict.leftovers, len(verdict.doubts)) == (3, 1)


def test_an_undo_log_that_disagrees_with_the_journal_keeps_the_drill_from_passing(planted, tmp_path):
    folder = planted.plant(tmp_path, planted.SMALL, lost=0)
    proof = json.loads((folder / folders.RESTORATION).read_text())
    folders.write_json(folder / folders.RESTORATION, proof | {"verified": 2, "remaining": {"bs-000000000000": ""}})
    assert said(judge(measure(folder, cut_off=False))) == (
        "The undo log does not say that 1 change is read back; run blackstart recover 0142."
    )


def test_a_proof_of_restoration_that_cannot_be_read_proves_nothing(planted, tmp_path):
    folder = planted.plant(tmp_path, planted.SMALL, lost=0)
    folders.write_json(folder / folders.RESTORATION, {"format": 1, "residue": "none, honestly"})
    measured = measure(folder, cut_off=False)
    assert said(judge(measured)).startswith("Nobody looked for residue")
    assert measured.damaged[0].startswith("restoration.json: ")


def test_a_stopped_drill_whose_objective_is_proven_missed_has_failed_all_the_same(drilled):
    verdict = judge(drilled(lost=3, stopped="by ann: enough"))
    assert verdict.word is Word.FAILED
    assert verdict.doubts[0].startswith("The drill was stopped")


def test_a_hypothesis_that_a_stopped_drill_had_no_time_for_is_not_a_miss(drilled):
    verdict = judge(drilled(lost=0, stopped="by ann: enough", toolkit=deviated("pods ready again")))
    assert verdict.word is Word.INCONCLUSIVE


def test_a_change_that_was_accepted_was_not_put_back(planted, tmp_path):
    folder = planted.plant(tmp_path, planted.SMALL, lost=0)
    proof = json.loads((folder / folders.RESTORATION).read_text())
    folders.write_json(folder / folders.RESTORATION, proof | {"accepted": ["bs-000000000000"]})
    verdict = judge(measure(folder, cut_off=False))
    assert (said(verdict), verdict.exit_code) == (
        "1 change was not put back but kept as somebody else made it.",
        2,
    )


def test_a_drill_without_samples_is_inconclusive(planted, tmp_path):
    folder = planted.plant(tmp_path, planted.SMALL, lost=0)
    (folder / "observer.json").unlink()
    verdict = judge(measure(folder, cut_off=False))
    assert verdict.word is Word.INCONCLUSIVE
    assert said(verdict).startswith("What users saw was not measured: no observer has begun")


def test_a_refusal_of_the_gate_is_the_reason_when_nothing_was_changed(drilled):
    refused = raised("lose zone", "blackstart.errors.Refused: not failing zone us-east-1a: no subnet in vpc-1 matches")
    verdict = judge(drilled(fault_at=None, toolkit=refused))
    assert said(verdict) == "No fault was injected: not failing zone us-east-1a: no subnet in vpc-1 matches."


def test_an_unhealthy_start_is_the_reason_when_the_steady_state_was_not_met(drilled):
    verdict = judge(drilled(fault_at=None, failing_before=0.05, toolkit=deviated("users are served", "before")))
    assert said(verdict).startswith("Orders was failing")
    assert said(verdict).endswith("of requests before the fault, so no fault was injected.")


def test_a_hypothesis_of_the_experiment_that_did_not_hold_is_failed(drilled):
    verdict = judge(drilled(lost=0, toolkit=deviated("pods ready again")))
    assert verdict.word is Word.FAILED
    assert said(verdict).endswith("but “pods ready again” did not hold afterwards: it gave 4.")


def test_a_single_number_outside_its_tolerance_proves_nothing_where_its_interval_does_not(drilled):
    toolkit = deviated("lost writes", module="blackstart.probes.users")
    assert judge(drilled(lost=0, checked=False, toolkit=toolkit)).word is Word.INCONCLUSIVE


def test_dns_fail_over_is_an_objective_only_where_something_moved(drilled):
    stays = {"moves": False, "steps": {}, "lost": 0, "nobody_for": 3, "partly_for": 4}
    assert "dns_failover_seconds" not in {each.key for each in judge(drilled(**stays)).objectives}
    moved = next(each for each in judge(drilled(lost=0)).objectives if each.key == "dns_failover_seconds")
    assert (moved.result, round(moved.measured, 2)) == (Result.MET, 5.22)


@pytest.mark.parametrize(
    "plan",
    [
        {},
        {"lost": 0},
        NEVER,
        CALM,
        {"left": 1},
        {"conflicts": 1},
        {"residue": "ours"},
        {"residue": "unknown"},
        {"proven": False},
        {"checked": False},
        {"fault_at": None},
    ],
)
def test_a_reason_is_one_sentence_of_at_most_25_words(drilled, plan):
    reason = judge(drilled(**plan)).reason
    assert reason.endswith(".")
    assert len(reason.split(" ")) <= 25  # a number and its unit are one
