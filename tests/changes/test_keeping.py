import threading
from queue import SimpleQueue

import pytest

from blackstart.changes.gate import inject
from blackstart.changes.keeping import Keeping
from blackstart.errors import ServiceUnreachable
from blackstart.testing import FakeClock

SECONDS = 60


class Told:
    """A keeper that is told by the test what has come back; None: nothing more will."""

    def __init__(self):
        self.queue = SimpleQueue()

    def needs(self):
        return ()

    def rounds(self, ended):
        while not ended.is_set():
            if not self.queue.empty():
                found = self.queue.get()
                if found is None:
                    return
                if isinstance(found, Exception):
                    raise found
                yield found
            ended.wait(0.01)


@pytest.fixture
def keeper():
    return Told()


@pytest.fixture
def said():
    """Why keeping ended before its time."""
    return SimpleQueue()


@pytest.fixture
def keep(desk, keeper, said):
    """Keeps a fault up on the desk for ``seconds``; what was made again is in ``rounds``."""
    gate, started = desk.gate(), []

    def begin(seconds=SECONDS, clock=None):
        def again(changes, left):
            inject(changes, gate, "writing again", duration_seconds=left)
            rounds.put(left)

        rounds = SimpleQueue()
        started.append(Keeping(keeper, seconds, clock or desk.clock, again, said.put))
        started[-1].start()
        return started[-1], rounds

    yield begin
    for keeping in started:
        keeping.end()
        assert keeping.join()


def test_what_comes_back_is_changed_again_through_the_gate(desk, keeper, keep):
    _, rounds = keep()
    for name in "ab":
        keeper.queue.put([desk.change(desk.file(name))])
        assert rounds.get(timeout=10) <= SECONDS
    assert [(desk.folder / name).read_text() for name in "ab"] == ["new", "new"]
    assert desk.states() == ["applied", "applied"]


def test_nothing_is_changed_after_its_end(desk, keeper, keep, said):
    keeping, _ = keep()
    keeping.end()
    keeper.queue.put([desk.change(desk.file("a"))])
    assert keeping.join()
    assert ((desk.folder / "a").read_text(), desk.states(), said.empty()) == ("old", [], True)


def test_a_round_that_comes_when_the_time_is_over_is_not_made(desk, keeper, keep):
    clock = FakeClock()
    keeping, _ = keep(clock=clock)
    clock.sleep(SECONDS + 1)
    keeper.queue.put([desk.change(desk.file("a"))])
    assert keeping.join()
    assert desk.states() == []


def test_its_time_ends_it_without_a_word(keep, said):
    keeping, _ = keep(seconds=0.05)
    keeping._thread.join(10)
    assert (keeping._thread.is_alive(), said.empty()) == (False, True)


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (None, "it ended before its time"),
        (ServiceUnreachable("watch pods", "shop", "did not answer"), "did not answer"),
    ],
)
def test_a_keeper_that_ends_early_says_why(keeper, keep, said, cause, reason):
    keep()
    keeper.queue.put(cause)
    assert reason in said.get(timeout=10)


def test_what_the_gate_refuses_ends_it_with_the_reason(desk, keeper, keep, said):
    keep()
    keeper.queue.put([desk.change(desk.file("a"), region="eu-west-1")])
    reason = said.get(timeout=10)
    assert reason.startswith("not writing again: ")
    assert "outside the scope" in reason
    assert (desk.folder / "a").read_text() == "old"


def test_threads_end_with_it(keep):
    keeping, _ = keep()
    keeping.end()
    assert keeping.join()
    assert "blackstart-keeping" not in {thread.name for thread in threading.enumerate()}
