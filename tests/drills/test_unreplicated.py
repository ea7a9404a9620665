"""Replication stands still and then the region is lost: what nobody else has is what the drill says is lost."""

import json
from pathlib import Path

import psycopg
import pytest
import yaml
from labs import experiment

pytestmark = [pytest.mark.lab, pytest.mark.timeout(590)]

PAUSE = {
    "name": "pause-the-replication",
    "type": "action",
    "pauses": {"after": 4},
    "provider": {
        "type": "python",
        "module": "blackstart.actions.databases",
        "func": "pause_replication",
        "arguments": {"region": "${standby_region}"},
    },
}


def history(journal):
    """The acknowledged writes, by key: when each was sent and acknowledged, and by which region."""
    keys, acknowledged = {}, {}
    for line in map(json.loads, (journal / "ledger.jsonl").read_text().splitlines()):
        if "key" in line:
            keys[line["op"]] = (line["key"], line["sent"])
        elif line["outcome"] == "ok":
            key, sent = keys[line["op"]]
            acknowledged[key] = (sent, line["at"], line["region"])
    return acknowledged


@pytest.mark.sweep
def test_exactly_the_writes_that_were_acknowledged_and_not_replicated_are_lost(start_lab):
    lab = start_lab("unreplicated")
    plan = yaml.safe_load(Path(experiment("region-loss")).read_text())
    for name in ("global_cluster", "global_datastore"):
        # a promise to bring the writers home is refused while nothing is replicated
        del plan["method"][0]["provider"]["arguments"][name]
    plan["method"].insert(0, PAUSE)
    plan["extensions"][0]["expects"] = {"rto_seconds": 90, "rpo_seconds": 120, "error_budget_share": 1.0}
    path = lab.folder / "unreplicated.yaml"
    path.write_text(yaml.safe_dump(plan))
    # without that promise nobody comes home, and the drill watches for it for a while
    done = lab.end(lab.start("blackstart", "run", str(path)), seconds=300)
    verdict = done.verdict
    assert verdict["leftovers"] == [], done.output

    marks = [line for line in done.changes if line["state"] == "applied"]
    assert marks, done.output
    planned = {line["change"]: line["record"]["kind"] for line in done.changes if line["state"] == "planned"}
    origin = json.loads((done.journal / "drill.json").read_text())["origin_monotonic"]
    paused = min(each["monotonic"] for each in marks if "replication" in planned[each["change"]]) - origin
    region = min(each["began"] for each in marks if "replication" not in planned[each["change"]]) - origin

    acknowledged = history(done.journal)
    with psycopg.connect(lab.status.endpoints.regions["us-west-2"].database) as connection:
        there = {key for (key,) in connection.execute("SELECT key FROM orders")}
    gone = {key: acknowledged[key] for key in acknowledged.keys() - there}
    alone = {key for key, (sent, at, _) in acknowledged.items() if sent > paused and at < region}
    assert alone
    assert alone <= gone.keys()
    assert all(served == "us-east-1" for _, _, served in gone.values())
    assert verdict["lost_writes"] == len(gone), done.output
    assert verdict["rpo_seconds"] >= region - paused - 0.5
    assert (verdict["duplicated_writes"], verdict["divergent_writes"], verdict["out_of_order_writes"]) == (0, 0, 0)
    states = {each["region"]: each["state"] for each in verdict["read_back_from"]}
    assert states["us-west-2"] == "writer"
