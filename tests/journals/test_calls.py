"""Who called a region while it was lost: counted from records that were kept, and unknown without one."""

import json
from datetime import timedelta

import pytest

from blackstart.clock import iso
from blackstart.journals import calls, calls_source
from blackstart.observer import jsonl

BEGUN = {"by": "drill", "begun": True}
OURS = "Boto3/1.43 md/Botocore#1.43 ua/2.0 os/linux#6 lang/python#3.11 blackstart"
AUTOMATION = "Botocore/1.43 md/x ua/2.0 os/linux#6 failover-automation"


def made(at, by="drill", agent="", region="us-east-1", **more):
    line = {"monotonic": 5000.0 + at, "by": by, "service": "rds", "region": region, "operation": "Describe"}
    return {**line, "seconds": 3.0, "outcome": "answered", **({"agent": agent} if agent else {}), **more}


def covered(since=0.0, until=100.0):
    return {"by": "platform", "complete": True, "since": 5000.0 + since, "until": 5000.0 + until}


def found(*lines, span=(10.0, 20.0), cut_off=False):
    return calls.lost_calls(lines, 5000.0, "us-east-1", span, fault_at=10.0, cut_off=cut_off)


def test_no_call_is_known_only_from_both_records():
    assert found(BEGUN, covered()).none
    assert not found(covered()).none
    assert not found(BEGUN).none
    assert not found(BEGUN, covered(since=12.0)).none
    assert not found(BEGUN, covered(until=15.0)).none
    assert not found(BEGUN, covered(), cut_off=True).none
    told = found(BEGUN, {"by": "platform", "problem": "could not read it"})
    assert (told.none, told.no_platform) == (False, "could not read it")


def test_calls_are_told_by_caller_and_operation_with_first_and_waited():
    told = found(
        BEGUN, covered(),
        made(9.0), made(12.0, outcome="ReadTimeoutError"), made(11.0), made(21.0), made(13.0, region="us-west-2"),
        made(12.5, "platform", OURS), made(14.0, "platform", AUTOMATION, outcome="no answer"),
        made(15.0, "platform", "orders/us-east-1"), made(16.0, "reverter"),
    )  # fmt: skip
    rows = [(row.who, row.count, row.first, row.waited, row.unanswered, row.ours) for row in told.callers]
    assert rows == [
        ("the drill", 2, 1.0, 6.0, 1, True),
        ("the reverter", 1, 6.0, 3.0, 0, True),
        ("failover-automation", 1, 4.0, 3.0, 1, False),
        ("orders/us-east-1", 1, 5.0, 3.0, 0, False),
    ]


@pytest.mark.parametrize("region", ["", "aws-global"])
def test_services_without_regions_have_their_control_plane_in_one(region):
    assert [row.count for row in found(BEGUN, covered(), made(12.0, region=region)).callers] == [1]


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (AUTOMATION, "failover-automation"),
        ("orders/us-east-1", "orders/us-east-1"),
        ("Boto3/1.43 md/x ua/2.0", "Boto3/1.43"),
        ("aws-sdk-go-v2/1.30 (linux; amd64) os/linux app/argo", "argo"),
        ("", "nobody it names"),
    ],
)
def test_a_user_agent_is_shortened_to_who_it_is(agent, name):
    assert calls.shortened(agent) == name


def test_the_platforms_record_is_copied_with_the_time_that_it_covers(planted, tmp_path):
    hands = planted.Hands()

    def told(seq, at, region="us-east-1", held=True):
        moment = iso(planted.STARTED + timedelta(seconds=at))
        called = {"seq": seq, "at": moment, "service": "rds", "operation": "D", "region": region, "status": 0}
        return {**called, "user_agent": "x", "held": held, "seconds": 2.0}

    hands.seconds = 60.0
    lines = list(
        calls_source.lines(
            [told(1, 5), told(2, 12), told(3, 13, "us-west-2"), told(4, 14)], ["us-east-1"], planted.ORIGIN + 10, hands
        )
    )
    assert [round(line["monotonic"] - planted.ORIGIN, 3) for line in lines[:-1]] == [12.0, 14.0]
    assert lines[-1] == {"by": "platform", "complete": True, "since": planted.ORIGIN + 10, "until": planted.ORIGIN + 60}
    forgotten = list(calls_source.lines([told(7, 12)], ["us-east-1"], planted.ORIGIN + 10, hands))
    assert forgotten[-1]["since"] == pytest.approx(planted.ORIGIN + 12, abs=0.01)


def test_a_platform_that_does_not_answer_leaves_the_reason(planted, tmp_path):
    calls_source.collect(tmp_path, "http://127.0.0.1:1/calls", ["us-east-1"], 0.0, planted.Hands())
    (line,) = jsonl.read(tmp_path / "calls.jsonl")
    assert line["by"] == "platform"
    assert "could not read which AWS calls were made" in line["problem"]


def test_a_closed_journal_has_the_calls_of_the_region_that_was_lost(planted, tmp_path):
    from blackstart.journals.close import close

    folder = planted.plant(tmp_path, planted.SMALL, calls=(BEGUN, covered(), made(12.0, "platform", AUTOMATION)))
    measured, _ = close(folder)
    told = json.loads((folder / "verdict.json").read_text())["calls_to_lost_region"]
    assert (told["region"], told["none"], told["callers"][0]["who"]) == ("us-east-1", False, "failover-automation")
    assert measured.calls.ended == measured.users.recovered_at
    stayed, _ = close(planted.plant(tmp_path, planted.SMALL, moves=False, calls=(BEGUN,)))
    assert stayed.calls is None
