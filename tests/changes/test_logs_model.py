"""Any sequence of calls has the same outcome with either log as with a model of a few lines."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from logbook import SOMEBODY, change, drill

from blackstart.changes.dynamo_create import create
from blackstart.changes.dynamo_log import DynamoLog
from blackstart.changes.log import Block, Fault, Lease, Mark
from blackstart.changes.model import State, new_id
from blackstart.changes.owner import here
from blackstart.changes.sqlite_log import SqliteLog
from blackstart.errors import DrillStopped, Refused

DRILLS = st.sampled_from(["one", "two", "three"])
REGIONS = st.sampled_from(["us-east-1", "eu-west-1"])
AIMS = st.lists(st.tuples(st.sampled_from("abc"), REGIONS), min_size=1, max_size=3)
HOLDERS = st.sampled_from([here(), SOMEBODY])
BLOCK = Block("storm", "ada", "now")


@dataclass
class Story:
    """What a drill did: its changes in order, as [fault number, shared, change, state]."""

    changes: list = field(default_factory=list)
    holder: object = field(default_factory=here)
    beats: int = 0
    stop: str = ""
    ended: bool = False

    @property
    def open(self):
        return [each for each in self.changes if each[3] is not State.VERIFIED]


class Model:
    """What a log promises, in memory."""

    def __init__(self):
        self.stories = {}
        self.blocked_by = None

    def begin(self, name):
        if self.blocked_by:
            return "refused"
        self.stories.setdefault(name, Story())
        return None

    def append(self, name, shared, changes):
        mine = self.stories.get(name, Story())
        if self.blocked_by or mine.stop or mine.ended or self._held(name, shared, changes):
            return "refused"
        self.stories[name] = mine
        number = max([each[0] for each in mine.changes], default=0) + 1
        mine.changes += [[number, shared, change, State.PLANNED] for change in changes]
        return number

    def _held(self, name, shared, changes):
        for other, story in self.stories.items():
            for _, also, held, _ in story.open if other != name else ():
                for wanted in changes:
                    same_region = held.target.region == wanted.target.region
                    if same_region and (held.target.id == wanted.target.id or not (shared and also)):
                        return True
        return False

    def mark(self, name, index, state):
        mine = self.stories[name]
        mine.changes[index][3] = state
        return "stopped" if state is State.APPLIED and (mine.stop or mine.ended) else None

    def end(self, name):
        if name in self.stories:
            self.stories[name].ended = True

    def stop(self, name, reason):
        if name in self.stories:
            self.stories[name].stop = self.stories[name].stop or reason

    def beat(self, name, holder):
        mine = self.stories.get(name)
        if mine is None or mine.holder != holder:
            return False
        mine.beats += 1
        return True

    def take(self, name, holder, seen):
        mine = self.stories.get(name)
        if mine is None or Lease(mine.holder, mine.beats) != seen:
            return False
        mine.holder, mine.beats = holder, mine.beats + 1
        return True

    def drills(self):
        return sorted(name for name, story in self.stories.items() if not story.ended or story.open)

    def story(self, name):
        mine = self.stories.get(name)
        if mine is None:
            return [], None, ""
        changes = [(number, shared, change.id, state) for number, shared, change, state in mine.changes]
        return changes, Lease(mine.holder, mine.beats), mine.stop


def told(act):
    """What came of a call."""
    try:
        return act()
    except Refused:
        return "refused"
    except DrillStopped:
        return "stopped"


class Comparison(RuleBasedStateMachine):
    def __init__(self, log):
        super().__init__()
        self.log, self.model = log, Model()

    def same(self, name, expected, act):
        """``act`` on the drill ``name`` has the outcome that was expected, and leaves what the model says."""
        assert told(act) == expected
        assert sorted(found.id for found in self.log.drills()) == self.model.drills()
        assert self.log.blocked() == self.model.blocked_by
        assert self.story(name) == self.model.story(name)

    def story(self, name):
        entries = self.log.entries(name)
        changes = [(entry.number, entry.fault.shared, entry.change.id, entry.state) for entry in entries]
        return changes, self.log.lease(name), self.log.stopping(name)

    @rule(name=DRILLS)
    def begin(self, name):
        self.same(name, self.model.begin(name), lambda: self.log.begin(drill(name)))

    @rule(name=DRILLS, shared=st.booleans(), aims=AIMS)
    def append(self, name, shared, aims):
        changes = [change(*target) for target in aims]
        fault = Fault("testing", 1.0, 2.0, shared)
        self.same(name, self.model.append(name, shared, changes), lambda: self.log.append(drill(name), fault, changes))

    @rule(name=DRILLS, which=st.integers(0, 5), state=st.sampled_from([*State, State.VERIFIED, State.VERIFIED]))
    def mark(self, name, which, state):
        mine = self.model.stories.get(name, Story()).changes
        if mine:
            index = which % len(mine)
            marks = {mine[index][2].id: Mark(state)}
            self.same(name, self.model.mark(name, index, state), lambda: self.log.mark(name, marks))

    @rule(name=DRILLS)
    def verify_all(self, name):
        for index in range(len(self.model.stories.get(name, Story()).changes)):
            self.mark(name, index, State.VERIFIED)

    @rule(name=DRILLS)
    def end(self, name):
        self.same(name, self.model.end(name), lambda: self.log.end(name))

    @rule(name=DRILLS, reason=st.sampled_from(["this", "that"]))
    def stop(self, name, reason):
        self.same(name, self.model.stop(name, reason), lambda: self.log.stop(name, reason))

    @rule(name=DRILLS, holder=HOLDERS)
    def beat(self, name, holder):
        self.same(name, self.model.beat(name, holder), lambda: self.log.beat(name, holder))

    @rule(name=DRILLS, holder=HOLDERS, late=st.booleans())
    def take(self, name, holder, late):
        seen = self.log.lease(name) or Lease(here(), 0)
        seen = Lease(seen.holder, seen.beats - late)
        self.same(name, self.model.take(name, holder, seen), lambda: self.log.take(name, holder, seen))

    @rule(on=st.booleans())
    def block(self, on):
        was_on, self.model.blocked_by = self.model.blocked_by is not None, BLOCK if on else None
        self.same("one", None if on else was_on, (lambda: self.log.block(BLOCK)) if on else self.log.unblock)


def run(machine, examples, steps):
    relaxed = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=relaxed)


def test_a_file_does_what_the_model_does():
    with tempfile.TemporaryDirectory() as folder:

        class OnFiles(Comparison):
            def __init__(self):
                super().__init__(SqliteLog(Path(folder) / new_id()))

            def teardown(self):
                self.log.close()

        run(OnFiles, 40, 30)


def test_a_table_does_what_the_model_does(dynamo_tables):
    class OnTables(Comparison):
        def __init__(self):
            dynamo_tables.name = new_id()
            create(dynamo_tables)
            super().__init__(DynamoLog(dynamo_tables))

    run(OnTables, 3, 20)
