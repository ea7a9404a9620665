import json
import math

import pytest

from blackstart.journals import folder as folders
from blackstart.journals.close import close, open_verdict

KEYS = {
    "verdict", "reason", "experiment", "started", "rto_seconds", "rto_error_seconds", "rto_steps", "rpo_seconds",
    "lost_writes", "unknown_writes", "availability", "longest_outage_seconds", "p95_seconds", "p99_seconds",
    "leftovers", "objectives", "cut_off", "exit_code",
}  # fmt: skip


def written(folder):
    return json.loads((folder / folders.VERDICT).read_text(encoding="utf-8"), parse_constant=pytest.fail)


def test_from_its_start_a_journal_says_that_it_was_cut_off(planted, tmp_path):
    folder = folders.create(tmp_path, planted.drill(planted.Plan()))
    open_verdict(folder)
    verdict = written(folder)
    assert (verdict["verdict"], verdict["cut_off"], verdict["rto_seconds"]) == ("inconclusive", True, None)
    assert set(verdict) >= KEYS - {"exit_code"}


def test_closing_writes_what_was_measured(planted, tmp_path):
    folder = planted.plant(tmp_path, planted.SMALL, lost=3)
    close(folder)
    verdict = written(folder)
    assert set(verdict) >= KEYS
    assert (verdict["verdict"], verdict["cut_off"], verdict["lost_writes"], verdict["exit_code"]) == (
        "failed",
        False,
        3,
        1,
    )
    assert verdict["rto_seconds"] == pytest.approx(sum(step["seconds"] or 0 for step in verdict["rto_steps"]), abs=1e-5)
    assert verdict["objectives"]["lost_writes"]["met"] is False
    assert verdict["objectives"]["rto_seconds"]["met"] is True
    assert verdict["failed_requests"] + round(verdict["availability"] * verdict["requests"]) == verdict["requests"]


def test_what_was_not_measured_is_null_and_never_zero(planted, tmp_path):
    folder = planted.plant(tmp_path, planted.SMALL, nobody_for=999, partly_for=999, moves=False, checked=False)
    close(folder)
    verdict = written(folder)
    assert [verdict[key] for key in ("rto_seconds", "lost_writes", "rpo_seconds", "unknown_writes")] == [None] * 4
    assert verdict["objectives"]["rto_seconds"]["high"] is None
    assert math.isfinite(verdict["objectives"]["rto_seconds"]["low"])


def test_leftovers_are_named(planted, tmp_path):
    folder = planted.plant(tmp_path, planted.SMALL, left=1)
    close(folder)
    verdict = written(folder)
    assert verdict["leftovers"][0]["summary"] == "subnet subnet-0 (us-east-1a): network ACL acl-1 → deny all"
    assert verdict["exit_code"] == 3


def test_closing_again_after_a_late_undo_judges_anew(planted, tmp_path):
    folder = planted.plant(tmp_path, planted.SMALL, lost=0, left=1)
    close(folder, cut_off=True)
    line = {
        "monotonic": planted.ORIGIN + 900,
        "change": f"bs-{0:012x}",
        "state": "verified",
        "note": "",
        "by": "recover",
    }
    folders.append(folder, folders.CHANGES, line)
    close(folder, cut_off=True)
    assert (written(folder)["leftovers"], written(folder)["cut_off"]) == ([], True)


STAGES = (
    "drill.json", "verdict.json", "observer.json", "samples.bin", "ledger.jsonl", "found.jsonl", "changes.jsonl",
    "events.jsonl", "restoration.json", "journal.json",
)  # fmt: skip


@pytest.mark.parametrize("stage", range(1, len(STAGES) + 1))
def test_a_drill_killed_after_any_write_stage_closes_as_cut_off(planted, tmp_path, stage):
    folder = planted.plant(tmp_path, planted.SMALL, lost=0, ended=False)
    for name in STAGES[stage:]:
        (folder / name).unlink()
    last = folder / STAGES[stage - 1]
    if last.suffix in (".jsonl", ".bin"):
        last.write_bytes(last.read_bytes()[:-7])
    _, verdict = close(folder, cut_off=True)
    assert verdict.word == "inconclusive"
    assert written(folder)["cut_off"] is True
