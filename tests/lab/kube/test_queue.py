import pytest

from blackstart.lab.kube.controllers.queue import WorkQueue
from blackstart.lab.kube.store import Key


@pytest.fixture
def seconds():
    return [0.0]


@pytest.fixture
def queue(seconds):
    return WorkQueue(lambda: seconds[0])


def test_a_key_is_worked_on_once_however_often_it_was_added(queue):
    worked = []
    for name in "baa":
        queue.add(Key("shop", name))
    assert queue.work(lambda key: worked.append(key.name)) is None
    queue.work(lambda key: worked.append(key.name))
    assert worked == ["a", "b"]


def test_a_key_comes_back_after_the_time_it_asked_for(queue, seconds):
    queue.add(Key("shop", "a"))
    assert queue.work(lambda _: 5.0) == 5.0
    worked = []
    seconds[0] = 4.0
    assert queue.work(worked.append) == 1.0
    assert not worked
    seconds[0] = 5.0
    assert queue.work(worked.append) is None
    assert worked == [Key("shop", "a")]


def test_one_broken_object_does_not_stop_the_others(queue, caplog):
    worked = []

    def sync(key):
        if key.name == "a":
            raise KeyError("spec")
        worked.append(key.name)

    queue.add(Key("shop", "a"))
    queue.add(Key("shop", "b"))
    queue.work(sync)
    assert worked == ["b"]
    assert "left shop/a as it is" in caplog.text
