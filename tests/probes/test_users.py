"""Probes against journals as an observer and a drill leave them."""

import json

import pytest

from blackstart.clock import SystemClock
from blackstart.errors import ConfigInvalid, NotMeasured
from blackstart.observer import jsonl
from blackstart.observer.recorder import Recorder
from blackstart.observer.samples import Cause, Header, Kind, Outcome, Sample
from blackstart.probes import users

RATE = 100
SECONDS = 10.0
FAULT, BACK = 4.0, 6.0


class Journal:
    """A drill that began ``SECONDS`` ago: down from FAULT (or ``down``) to BACK, then served by us-west-2.

    ``pods``: who answers a request, by its number and when it was due.
    """

    def __init__(self, folder, seconds=SECONDS, *, ended=None, back=BACK, down=FAULT, pods=lambda n, due: "") -> None:
        self.folder = folder
        self.down, self.pods = down, pods
        self.origin = SystemClock().monotonic() - seconds
        header = Header(
            self.origin, "", 0.0, RATE, 2.0, 0.5, 0.99, 2.0, "us-east-1", "us-west-2", "orders", "d", "d-", ended=ended
        )
        service = {"name": "orders", "host": "127.0.0.1", "port": 1, "home_region": "us-east-1"}
        tables = {"origin_monotonic": self.origin, "objectives": {"rto_seconds": 3600}, "service": service}
        (folder / "drill.json").write_text(json.dumps(tables))
        recorder = Recorder(folder, header)
        for number in range(int(seconds * RATE)):
            recorder.add(self.sample(number, back))
        recorder.flush()
        self.configuration = {"blackstart_journal": str(folder)}

    def sample(self, number, back):
        due = number / RATE
        if self.down <= due < back:
            return Sample(number, due, due, due + 0.01, Kind(number % 2), Outcome.FAILED, Cause.REFUSED)
        region = "us-east-1" if due < self.down or back <= self.down else "us-west-2"
        names = {"region": region, "pod": self.pods(number, due)}
        return Sample(number, due, due, due + 0.01, Kind(number % 2), Outcome.OK, status=200, **names)

    def faulted(self):
        line = {"state": "applied", "began": self.origin + FAULT, "monotonic": self.origin + FAULT + 0.1}
        jsonl.append(self.folder / "changes.jsonl", line)
        return self


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path)


def test_before_the_fault_everything_since_the_start_counts(journal):
    assert users.availability(configuration=journal.configuration) == pytest.approx(0.8)
    assert users.failed_share(configuration=journal.configuration) == pytest.approx(0.2)


def test_since_the_fault_only_what_came_after(journal):
    assert users.availability(configuration=journal.faulted().configuration) == pytest.approx(2 / 3, abs=0.01)


def test_the_last_seconds_are_those_just_now(journal):
    assert users.availability(last_seconds=3, configuration=journal.configuration) == 1.0
    assert users.availability(last_seconds=5, configuration=journal.configuration) == pytest.approx(0.8, abs=0.01)
    assert users.serving_region(configuration=journal.configuration) == "us-west-2"
    assert users.latency_seconds(95, 3, configuration=journal.configuration) == pytest.approx(0.01, abs=1e-4)


def test_recovery_and_the_longest_outage_are_those_of_the_samples(journal):
    journal.faulted()
    assert users.recovery_seconds(configuration=journal.configuration) == pytest.approx(2.0, abs=0.015)
    assert users.longest_outage_seconds(configuration=journal.configuration) == pytest.approx(2.0, abs=0.03)


def test_what_does_not_recover_in_time_is_none_and_not_a_number(tmp_path):
    down = Journal(tmp_path, back=99).faulted()
    assert users.recovery_seconds(limit_seconds=3, configuration=down.configuration) is None


def test_recovery_is_not_judged_before_the_last_change_had_time_to_show(tmp_path):
    journal = Journal(tmp_path, back=4.5, ended=SECONDS).faulted()
    jsonl.append(tmp_path / "changes.jsonl", {"state": "applied", "monotonic": journal.origin + 9})
    assert users.recovery_seconds(configuration=journal.configuration) is None


def unhurt(folder, seconds, **more):
    """Nobody is hurt, and the observer has ended: what it has not seen by now never comes."""
    return Journal(folder, seconds, ended=seconds, back=0.0, **more).faulted()


def test_without_time_to_settle_a_window_without_harm_is_enough(tmp_path):
    assert users.recovery_seconds(configuration=unhurt(tmp_path, 7.0).configuration) == 0.0


def test_a_fault_that_has_not_shown_yet_is_given_its_time(tmp_path):
    journal = unhurt(tmp_path, 10.0)
    assert users.recovery_seconds(settle_seconds=8.0, configuration=journal.configuration) is None
    assert users.recovery_seconds(settle_seconds=5.0, configuration=journal.configuration) == 0.0


def test_an_effect_that_comes_late_is_waited_for_and_counted(tmp_path):
    journal = Journal(tmp_path, 15.0, ended=15.0, down=8.0, back=9.0).faulted()
    found = users.recovery_seconds(settle_seconds=20.0, configuration=journal.configuration)
    assert found == pytest.approx(5.0, abs=0.015)


def test_what_falls_silent_is_an_effect_and_ends_the_wait_for_one(tmp_path):
    journal = unhurt(tmp_path, 10.0, pods=lambda n, due: "p1" if due < FAULT and n % 3 else "p0")
    assert users.recovery_seconds(settle_seconds=60.0, configuration=journal.configuration) == 0.0


def test_a_recovery_beyond_the_limit_is_none_also_when_it_is_known(tmp_path):
    journal = Journal(tmp_path, ended=SECONDS).faulted()
    assert users.recovery_seconds(limit_seconds=2.5, configuration=journal.configuration) is not None
    assert users.recovery_seconds(limit_seconds=1.5, configuration=journal.configuration) is None


def test_without_a_fault_there_is_no_recovery_and_no_outage_of_it(journal):
    for probe in (users.recovery_seconds, users.longest_outage_seconds, users.dns_failover_seconds):
        with pytest.raises(NotMeasured, match="no change has been applied"):
            probe(configuration=journal.configuration)


def test_without_an_objective_a_limit_must_be_given(journal):
    (journal.folder / "drill.json").write_text(json.dumps({"origin_monotonic": journal.origin, "objectives": {}}))
    with pytest.raises(ConfigInvalid, match="give a limit"):
        users.recovery_seconds(configuration=journal.faulted().configuration)


@pytest.mark.parametrize("probe", [users.availability, users.failed_share, users.latency_seconds, users.serving_region])
def test_an_observer_that_fell_silent_gives_no_number(tmp_path, probe):
    journal = Journal(tmp_path, seconds=3)
    late = {"origin_monotonic": journal.origin - 30, "objectives": {}, "service": {}}
    (tmp_path / "drill.json").write_text(json.dumps(late))
    with pytest.raises(NotMeasured, match="has not written anything"):
        probe(configuration=journal.configuration)


@pytest.mark.parametrize("name", users.__all__)
def test_without_a_drill_no_probe_gives_a_number(name):
    with pytest.raises(NotMeasured):
        getattr(users, name)()
    with pytest.raises(NotMeasured):
        getattr(users, name)(configuration={})


@pytest.mark.parametrize("name", sorted(set(users.__all__) - {"lost_writes", "data_loss_seconds"}))
def test_without_samples_no_probe_gives_a_number(tmp_path, name):
    Journal(tmp_path).faulted()
    for file in ("samples.bin", "observer.json"):
        (tmp_path / file).unlink()
    with pytest.raises(NotMeasured):
        getattr(users, name)(configuration={"blackstart_journal": str(tmp_path)})


def test_fewer_seconds_than_asked_for_are_not_enough(tmp_path):
    journal = Journal(tmp_path, seconds=2, ended=2.0)
    with pytest.raises(NotMeasured, match="less than 5 s"):
        users.availability(last_seconds=5, configuration=journal.configuration)


def test_lost_writes_need_a_ledger_and_a_complete_read(journal):
    journal.faulted()
    with pytest.raises(NotMeasured, match="has not acknowledged a single write"):
        users.data_loss_seconds(configuration=journal.configuration)
    for op, at in enumerate((1.0, 2.0, 5.0)):
        jsonl.append(journal.folder / "ledger.jsonl", {"op": op, "key": f"d-{op}", "sent": at - 0.1})
        jsonl.append(journal.folder / "ledger.jsonl", {"op": op, "outcome": "ok", "at": at, "region": "us-east-1"})
    jsonl.append(journal.folder / "found.jsonl", {"check": 1, "at": 3.9, "keys": []})
    jsonl.append(journal.folder / "found.jsonl", {"check": 1, "began": 3.8, "at": 3.9, "complete": True})
    with pytest.raises(NotMeasured, match="never read back"):
        users.data_loss_seconds(configuration=journal.configuration)
    jsonl.append(journal.folder / "found.jsonl", {"check": 2, "at": 9.0, "keys": ["d-0", "d-2"]})
    jsonl.append(journal.folder / "found.jsonl", {"check": 2, "began": 8.0, "at": 9.0, "complete": True})
    assert users.data_loss_seconds(configuration=journal.configuration) == pytest.approx(2.0)


def test_dns_fail_over_is_that_of_the_observer_or_not_measured(journal):
    journal.faulted()
    with pytest.raises(NotMeasured, match="has kept its addresses"):
        users.dns_failover_seconds(configuration=journal.configuration)
    change = {"at": 7, "kind": "dns", "before": ["a"], "after": ["b"], "last_old": 5.5, "first_new": 7.0, "ttl": 2}
    jsonl.append(journal.folder / "events.jsonl", change)
    assert users.dns_failover_seconds(configuration=journal.configuration) == pytest.approx(3.0)
