"""What keeps drills apart and ends them: locks, the kill switch, stops; whoever crosses and whoever dies."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from logbook import FAULT, SHARED, change, drill

from blackstart.changes.log import Block, Mark
from blackstart.changes.model import State
from blackstart.errors import DrillStopped, Refused

SCRIPT = str(Path(__file__).parent / "logbook.py")
BLOCK = Block("storm", "ada", "2026-11-23T14:00:00.000Z")
VERIFIED = Mark(State.VERIFIED)


def append(url, name, step=0, *subnets):
    command = [sys.executable, SCRIPT, url, name, str(step), *subnets]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_drills_never_hold_the_same_target(log, other):
    mine = change("subnet-1")
    log.append(drill("drill-1"), SHARED, [mine])
    with pytest.raises(Refused, match=r"not failing zone us-east-1a: subnet subnet-1 is held by drill drill-1; .*"):
        other.append(drill("drill-2"), SHARED, [change("subnet-2"), change("subnet-1")])
    assert (other.entries("drill-2"), other.find("drill-2")) == ([], None)
    for state in (State.APPLIED, State.UNDONE, State.CONFLICT):
        log.mark("drill-1", {mine.id: Mark(state)})
        with pytest.raises(Refused, match="held by drill drill-1"):
            other.append(drill("drill-2"), SHARED, [change("subnet-1")])
    log.mark("drill-1", {mine.id: VERIFIED})
    assert other.append(drill("drill-2"), SHARED, [change("subnet-1")]) == 1


def test_a_target_is_free_only_when_every_change_on_it_is_verified(log, other):
    first, second = change(), change()
    log.append(drill(), FAULT, [first])
    assert log.append(drill(), FAULT, [second]) == 2
    log.mark("drill-1", {second.id: VERIFIED})
    log.end("drill-1")
    with pytest.raises(Refused):
        other.append(drill("drill-2"), FAULT, [change()])
    log.mark("drill-1", {first.id: VERIFIED})
    assert other.append(drill("drill-2"), FAULT, [change()]) == 1


@pytest.mark.parametrize(("mine", "yours"), [(FAULT, FAULT), (FAULT, SHARED), (SHARED, FAULT)])
def test_two_drills_are_in_one_region_only_if_both_share(log, other, mine, yours):
    here_ = change("subnet-1")
    log.append(drill("drill-1"), mine, [here_])
    with pytest.raises(Refused, match="region us-east-1 is held by drill drill-1"):
        other.append(drill("drill-2"), yours, [change("subnet-9", "eu-west-1"), change("subnet-2")])
    assert other.append(drill("drill-2"), yours, [change("subnet-3", "eu-west-1")]) == 1
    log.mark("drill-1", {here_.id: VERIFIED})
    assert other.append(drill("drill-2"), yours, [change("subnet-2")]) == 2


def test_several_drills_that_share_are_in_one_region(log, other):
    for name in ("drill-1", "drill-2", "drill-3"):
        assert other.append(drill(name), SHARED, [change(f"subnet of {name}")]) == 1
    with pytest.raises(Refused, match="region us-east-1 is held by drill drill-"):
        log.append(drill("drill-1"), FAULT, [change("subnet-4")])


def test_a_cluster_without_a_region_is_held_as_a_region_is(log, other):
    log.append(drill("drill-1"), FAULT, [change("a", "", "shop")])
    with pytest.raises(Refused, match="cluster shop is held by drill drill-1"):
        other.append(drill("drill-2"), FAULT, [change("b", "", "shop")])
    assert other.append(drill("drill-2"), FAULT, [change("b", "", "other")]) == 1


def test_the_kill_switch_keeps_drills_from_beginning_and_from_going_on(log, other):
    log.begin(drill("running"))
    log.block(BLOCK)
    assert other.blocked() == BLOCK
    sentence = r"ada blocked all drills at 2026-11-23T14:00:00.000Z \(storm\); lift that with `blackstart unblock`"
    with pytest.raises(Refused, match=rf"not starting drill drill-1: {sentence}"):
        other.begin(drill("drill-1"))
    for name in ("drill-1", "running"):
        with pytest.raises(Refused, match=rf"not failing zone us-east-1a: {sentence}"):
            other.append(drill(name), FAULT, [change()])
    assert (other.find("drill-1"), other.entries("running")) == (None, [])
    other.block(replace(BLOCK, by="bob"))
    assert log.blocked() == replace(BLOCK, by="bob")
    assert other.unblock()
    assert not log.unblock()
    assert log.blocked() is None
    assert log.append(drill("drill-1"), FAULT, [change()]) == 1


def test_marks_are_made_while_the_kill_switch_is_on(log):
    done = change()
    log.append(drill(), FAULT, [done])
    log.block(BLOCK)
    log.mark("drill-1", {done.id: Mark(State.APPLIED)})
    assert log.entries("drill-1")[0].state is State.APPLIED


def test_a_drill_that_was_told_to_stop_records_what_it_did_and_does_no_more(log, other):
    done, more = change("a"), change("b")
    log.append(drill(), FAULT, [done, more])
    other.stop("drill-1", "ada said so")
    other.stop("drill-1", "bob said so, later")
    assert log.stopping("drill-1") == "ada said so"
    with pytest.raises(DrillStopped, match=r"drill drill-1 was stopped \(ada said so\)"):
        log.mark("drill-1", {done.id: Mark(State.APPLIED)})
    log.mark("drill-1", {more.id: Mark(State.UNDONE)})
    assert [entry.state for entry in other.entries("drill-1")] == [State.APPLIED, State.UNDONE]
    with pytest.raises(Refused, match=r"not failing zone us-east-1a: the drill was stopped \(ada said so\)"):
        log.append(drill(), FAULT, [change("c")])
    assert log.stopping("drill-2") == ""


def test_a_drill_that_another_process_ended_takes_no_more_faults(log, other):
    done = change("a")
    log.append(drill(), FAULT, [done])
    other.end("drill-1")
    with pytest.raises(Refused, match=r"the drill was stopped \(it has been ended by another process"):
        log.append(drill(), FAULT, [change("b")])
    with pytest.raises(DrillStopped):
        log.mark("drill-1", {done.id: Mark(State.APPLIED)})
    assert [entry.state for entry in log.entries("drill-1")] == [State.APPLIED]


def test_of_many_threads_exactly_one_gets_the_target(opened, log):
    logs = [opened() for _ in range(8)]

    def attempt(number):
        try:
            return logs[number].append(drill(f"drill-{number}"), FAULT, [change(f"subnet-{number}"), change()])
        except Refused as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(attempt, range(8)))
    assert results.count(1) == 1
    winner = f"drill-{results.index(1)}"
    assert all(f"held by drill {winner}" in told for told in results if told != 1)
    assert [found for found in range(8) if log.entries(f"drill-{found}")] == [results.index(1)]


def test_of_several_processes_exactly_one_gets_the_region(url, log):
    running = [append(url, f"drill-{number}", 0, f"subnet-{number}") for number in range(4)]
    told = [process.communicate(timeout=60)[0].strip() for process in running]
    assert told.count("number 1") == 1
    winner = f"drill-{told.index('number 1')}"
    assert sum(f"region us-east-1 is held by drill {winner}" in each for each in told) == 3


def test_threads_of_one_log_take_turns(log):
    changes = [change(f"subnet-{number}") for number in range(12)]
    with ThreadPoolExecutor(6) as pool:
        numbers = list(pool.map(lambda each: log.append(drill(), FAULT, [each]), changes))
        list(pool.map(lambda each: log.mark("drill-1", {each.id: Mark(State.APPLIED)}), changes))
    assert sorted(numbers) == list(range(1, 13))
    assert {entry.change.id for entry in log.entries("drill-1")} == {each.id for each in changes}
    assert {entry.state for entry in log.entries("drill-1")} == {State.APPLIED}


def test_an_append_that_is_killed_anywhere_leaves_all_or_nothing_and_is_in_nobodys_way(url, log):
    outcomes = []
    for step in range(1, 40):
        subnets = [f"{step}-a", f"{step}-b"]
        process = append(url, f"drill-{step}", step, *subnets)
        process.communicate(timeout=60)
        entries = log.entries(f"drill-{step}")
        assert [entry.change.target.id for entry in entries] in ([], subnets)
        outcomes.append((process.returncode, len(entries)))
        if entries:
            assert [found.id for found in log.drills()] == [f"drill-{step}"]
            log.mark(f"drill-{step}", {entry.change.id: VERIFIED for entry in entries})
            log.end(f"drill-{step}")
        assert log.drills() == []
        if process.returncode == 0:
            break
    assert outcomes[0] == (-9, 0)
    assert outcomes[-1] == (0, 2)
    assert len(outcomes) > 5
    assert log.append(drill("last"), FAULT, [change("1-a")]) == 1
