from dataclasses import replace

from file_drills import wait_until

from blackstart.changes import leases
from blackstart.changes.leases import Pulse, abandoned, holding, seize
from blackstart.changes.log import Lease
from blackstart.changes.owner import here
from blackstart.testing import FakeClock

ELSEWHERE = replace(here(), host="elsewhere")


def test_a_count_that_stands_still_for_long_enough_means_that_nobody_lives():
    clock = FakeClock()
    pulse = Pulse(clock, 20)
    assert not pulse.still(Lease(ELSEWHERE, 1))
    clock.advance(19)
    assert not pulse.still(Lease(ELSEWHERE, 1))
    clock.advance(1)
    assert pulse.still(Lease(ELSEWHERE, 1))


def test_every_beat_and_every_new_holder_starts_the_wait_anew():
    clock = FakeClock()
    pulse = Pulse(clock, 20)
    for seen in (Lease(ELSEWHERE, 1), Lease(ELSEWHERE, 2), Lease(here(), 2)):
        assert not pulse.still(seen)
        clock.advance(19)
    assert not pulse.still(Lease(here(), 2))


def test_the_wall_clock_does_not_matter():
    clock = FakeClock()
    pulse = Pulse(clock, 20)
    pulse.still(Lease(ELSEWHERE, 1))
    clock.step_wall(3600)
    assert not pulse.still(Lease(ELSEWHERE, 1))
    clock.step_wall(-7200)
    clock.advance(20)
    assert pulse.still(Lease(ELSEWHERE, 1))


def test_a_drill_whose_process_lives_here_is_not_abandoned(desk):
    drill, pulse = desk.gate().drill, Pulse(desk.clock, 0)
    gone = replace(here(), created=-1)
    assert not abandoned(drill, Lease(here(), 0), pulse)
    assert not abandoned(drill, Lease(gone, 0), pulse)
    assert abandoned(replace(drill, owner=gone), Lease(gone, 0), pulse)
    assert not abandoned(replace(drill, owner=gone), Lease(here(), 0), pulse)


def test_a_lease_is_taken_between_two_beats(desk):
    gate = desk.gate()
    desk.log.begin(replace(gate.drill, owner=ELSEWHERE))
    seen = desk.log.lease
    beats = []

    def beaten(drill):
        found = seen(drill)
        if len(beats) < 3:
            beats.append(desk.log.beat(drill, ELSEWHERE))
        return found

    desk.log.lease = beaten
    assert seize(desk.log, "drill-1", here())
    assert seen("drill-1").holder == here()
    assert beats == [True] * 3


def test_a_lease_that_is_held_beats_and_its_loss_is_known(desk, monkeypatch):
    monkeypatch.setattr(leases, "BEAT_SECONDS", 0.02)
    desk.log.begin(desk.gate().drill)
    with holding(desk.log, "drill-1", here()) as held:
        wait_until(lambda: desk.log.lease("drill-1").beats > 3)
        assert not held.lost
        while not desk.log.take("drill-1", ELSEWHERE, desk.log.lease("drill-1")):
            pass
        wait_until(lambda: held.lost)
    beats = desk.log.lease("drill-1")
    assert beats.holder == ELSEWHERE
