"""The experiments that leave the region where it is, and drills that must not begin, all in one lab."""

import json
import os
import signal
from pathlib import Path

import psutil
import pytest
import world
import yaml
from labs import BIN, PATIENT, applied, experiment, spread, states, until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]

KEYS = {
    "verdict", "reason", "experiment", "started", "rto_seconds", "rto_error_seconds", "rto_steps", "rpo_seconds",
    "lost_writes", "unknown_writes", "availability", "longest_outage_seconds", "p95_seconds", "p99_seconds",
    "leftovers", "objectives",
}  # fmt: skip


@pytest.fixture
def before(lab):
    spread(lab)
    return world.dump(lab.environment())


def nothing_left(lab, before):
    assert world.settled(lab.environment(), before) == before
    assert json.loads(lab.run("blackstart", "status", "--json").output) == {"blocked": None, "drills": []}


def telling(lab, folder):
    """Settings that have drills told to a folder, and to somebody who is not there."""
    told = f'[publish.grafana]\nurl = "http://127.0.0.1:9"\n[publish.textfile]\nfolder = "{folder}"\n[evidence]'
    return lab.with_settings("telling", (r"\[evidence\]", f"{PATIENT}\n{told}"))


def test_killing_pods_by_plain_chaos_run_passes_and_leaves_nothing(lab, before, tmp_path):
    """And those are told of it who want to know; that one of them is not there changes nothing."""
    settings = telling(lab, tmp_path)
    done = lab.run("chaos", "--no-version-check", "run", experiment("pod-kill"), BLACKSTART_CONFIG=settings)
    assert done.code == 0, done.output
    assert "PASSED" in done.output
    assert done.verdict["verdict"] == "passed"
    assert done.verdict["leftovers"] == []
    assert set(done.verdict) >= KEYS
    killed = [line for line in done.changes if line["state"] == "applied"]
    assert len(killed) == 2
    assert {"journal.json", "report.html", "samples.bin", "ledger.jsonl"} <= set(os.listdir(done.journal))
    assert 'verdict="passed"} 1.0' in (tmp_path / "blackstart_pod-kill_lab.prom").read_text()
    told = [json.loads(line) for line in (done.journal / "published.jsonl").read_text().splitlines()]
    assert [(each["to"], each["moment"], each["told"]) for each in told] == [
        ("grafana", "started", False), ("grafana", "passed", False), ("textfile", "passed", True),
    ]  # fmt: skip
    assert "Grafana at http://127.0.0.1:9 was not told of the drill" in done.output
    nothing_left(lab, before)


def test_losing_a_zone_by_blackstart_run_passes_and_leaves_nothing(lab, before):
    drill = lab.start("blackstart", "run", "--json", experiment("zone-network-loss"))
    until(lambda: "us-east-1b" in _cut(lab), 90)
    done = lab.end(drill)
    assert done.code == 0, done.output
    verdict = done.verdict
    assert verdict["verdict"] == "passed"
    assert verdict["lost_writes"] == 0
    for objective in verdict["objectives"].values():
        assert objective["met"] is True
    assert _cut(lab) == []
    nothing_left(lab, before)


def _cut(lab) -> list[str]:
    aws = world.dump(lab.environment())["us-east-1"]["aws"]
    denying = {
        name for name, acl in aws["acls"].items() if not any(each["RuleAction"] == "allow" for each in acl["Entries"])
    }
    return sorted(aws["subnets"][subnet]["AvailabilityZone"] for subnet, acl in aws["guards"].items() if acl in denying)


def test_a_drill_killed_in_the_middle_of_its_fault_leaves_nothing_and_a_journal_marked_as_cut_off(
    lab, before, tmp_path
):
    settings = telling(lab, tmp_path)
    drill = lab.start("chaos", "--no-version-check", "run", experiment("zone-network-loss"), BLACKSTART_CONFIG=settings)
    journal = applied(lab, "zone-network-loss")
    os.kill(drill.pid, signal.SIGKILL)
    drill.communicate()
    until(lambda: states(journal) and all(states[-1] == "verified" for states in states(journal).values()))
    nothing_left(lab, before)
    until((journal / "report.html").exists)
    verdict = json.loads((journal / "verdict.json").read_text())
    assert verdict["verdict"] == "inconclusive"
    assert verdict["cut_off"] is True
    assert "cut off" in verdict["reason"]
    _observer_gone(journal)
    until((tmp_path / "blackstart_zone-network-loss_lab.prom").exists)
    assert 'verdict="inconclusive"} 1.0' in (tmp_path / "blackstart_zone-network-loss_lab.prom").read_text()


@pytest.mark.sweep
def test_recover_puts_back_what_a_drill_left_whose_reverter_was_killed_too(lab, before):
    drill = lab.start("chaos", "--no-version-check", "run", experiment("zone-network-loss"))
    journal = applied(lab, "zone-network-loss")
    name = json.loads((journal / "drill.json").read_text())["drill"]
    until(lambda: _cut(lab) == ["us-east-1b"])
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "revert" in words and name in words:
            process.kill()
    os.kill(drill.pid, signal.SIGKILL)
    drill.communicate()
    left = lab.run("blackstart", "status")
    assert name in left.output
    assert "its process is gone" in left.output
    assert _cut(lab) == ["us-east-1b"]
    done = lab.run("blackstart", "recover")
    assert done.code == 0, done.output
    nothing_left(lab, before)
    verdict = json.loads((journal / "verdict.json").read_text())
    assert (verdict["verdict"], verdict["cut_off"], verdict["leftovers"]) == ("inconclusive", True, [])
    _observer_gone(journal)


def _observer_gone(journal: Path) -> None:
    until(lambda: json.loads((journal / "observer.json").read_text()).get("ended") is not None)


@pytest.mark.sweep
def test_a_drill_without_a_target_is_inconclusive_and_changes_nothing(lab, before):
    done = lab.run("blackstart", "run", experiment("zone-network-loss"), BLACKSTART_ZONE="us-east-1z")
    assert done.code == 2, done.output
    assert done.verdict["verdict"] == "inconclusive"
    assert "us-east-1z" in done.verdict["reason"]
    assert done.changes == []
    nothing_left(lab, before)


@pytest.mark.sweep
def test_a_drill_whose_service_cannot_be_reached_is_inconclusive_and_changes_nothing(lab, before):
    config = lab.with_settings("nobody", (r"port = \d+", "port = 9"))
    done = lab.run("blackstart", "run", experiment("zone-network-loss"), BLACKSTART_CONFIG=config)
    assert done.code == 2, done.output
    assert done.verdict["verdict"] == "inconclusive"
    assert done.changes == []
    nothing_left(lab, before)


def test_a_drill_that_starts_unhealthy_is_inconclusive_and_changes_nothing(lab, before):
    config = lab.with_settings("slow", (r"\[evidence\]", "[observer]\ntimeout_seconds = 0.001\n\n[evidence]"))
    done = lab.run("blackstart", "run", experiment("pod-kill"), BLACKSTART_CONFIG=config)
    assert done.code == 2, done.output
    assert done.verdict["verdict"] == "inconclusive"
    assert done.changes == []
    nothing_left(lab, before)


def test_a_target_outside_the_scope_is_refused_and_nothing_changes(lab, before):
    config = lab.with_settings("elsewhere", (r"regions = \[[^\]]*\]", 'regions = ["eu-west-1"]'))
    done = lab.run("blackstart", "run", experiment("zone-network-loss"), BLACKSTART_CONFIG=config)
    assert done.code == 2, done.output
    assert "outside the scope" in done.verdict["reason"]
    assert done.changes == []
    nothing_left(lab, before)


def test_plain_chaos_run_does_not_exit_with_0_without_a_verdict_of_passed(lab, before):
    done = lab.run("chaos", "--no-version-check", "run", experiment("zone-network-loss"), BLACKSTART_ZONE="us-east-1z")
    assert done.code != 0
    assert done.verdict["verdict"] == "inconclusive"
    assert "us-east-1z" in done.verdict["reason"]
    assert done.changes == []
    nothing_left(lab, before)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("titel: x\n", "titel"),
        ("title: [unclosed", "line"),
        ("- a\n- list\n", "mapping"),
    ],
)
def test_an_experiment_that_cannot_be_used_is_one_sentence_and_exit_code_2(lab, tmp_path, text, says):
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    done = lab.run("blackstart", "run", str(path))
    assert done.code == 2
    assert done.journal is None
    assert says in done.output
    assert len(done.output.strip().splitlines()) == 1


def test_a_missing_experiment_scope_or_lab_configuration_is_one_sentence_and_exit_code_2(lab, tmp_path):
    missing = str(tmp_path / "missing")
    wrong = tmp_path / "lab.toml"
    wrong.write_text("wan_delay = 1\n")
    for done in (
        lab.run("blackstart", "run", missing + ".yaml"),
        lab.run("blackstart", "run", experiment("pod-kill"), BLACKSTART_CONFIG=missing + ".toml"),
        lab.run("blackstart", "lab", "up", "--config", missing + ".toml"),
        lab.run("blackstart", "lab", "up", "--config", str(wrong)),
    ):
        assert done.code == 2, done.output
        assert "Traceback" not in done.output
        assert len(done.output.strip().replace("\n", " ")) > 0


def test_ctrl_c_undoes_before_it_ends(lab, before):
    drill = lab.start("blackstart", "run", experiment("zone-network-loss"))
    applied(lab, "zone-network-loss")
    os.killpg(drill.pid, signal.SIGINT)
    done = lab.end(drill)
    assert done.code == 2, done.output
    assert done.verdict["leftovers"] == []
    assert all(states[-1] == "verified" for states in states(done.journal).values())
    nothing_left(lab, before)


def test_the_same_file_is_a_valid_experiment_for_the_toolkit_alone(lab):
    for name in ("pod-kill", "zone-network-loss", "region-loss"):
        done = lab.run("chaos", "--no-version-check", "validate", experiment(name))
        assert done.code == 0, done.output
        assert yaml.safe_load(Path(experiment(name)).read_text())["method"]
    assert (BIN / "chaos").exists()


@pytest.mark.sweep
def test_a_drill_with_the_team_log_in_the_other_region_passes_and_one_in_its_own_region_is_refused(lab, before):
    swap, patient = r'undo_log = "[^"]*"', (r"\[evidence\]", f"{PATIENT}\n[evidence]")
    team = lab.with_settings("team", (swap, 'undo_log = "dynamodb://us-west-2/blackstart"'), patient)
    assert lab.run("blackstart", "log", "create", BLACKSTART_CONFIG=team).code == 0
    done = lab.run("blackstart", "run", experiment("zone-network-loss"), BLACKSTART_CONFIG=team)
    assert done.code == 0, done.output
    assert {each[-1] for each in states(done.journal).values()} == {"verified"}
    assert json.loads(lab.run("blackstart", "status", "--json", BLACKSTART_CONFIG=team).output)["drills"] == []
    near = lab.with_settings("near", (swap, 'undo_log = "dynamodb://us-east-1/blackstart"'))
    assert lab.run("blackstart", "log", "create", BLACKSTART_CONFIG=near).code == 0
    refused = lab.run("blackstart", "run", experiment("zone-network-loss"), BLACKSTART_CONFIG=near)
    assert refused.code == 2, refused.output
    assert "undo log" in refused.verdict["reason"]
    assert refused.changes == []
    nothing_left(lab, before)
