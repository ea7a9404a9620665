import threading
from types import SimpleNamespace

import pytest

from blackstart.changes import pool


def batch(kind, number):
    return pool.Batch(kind, [SimpleNamespace(id=f"{kind.name}-{number}")])


class Crowd:
    """Counts how many are at work at the same time; each waits until all there can be are seen."""

    def __init__(self):
        self.lock, self.now, self.most = threading.Lock(), {}, {}
        self.full = threading.Event()

    def work(self, one):
        name = one.kind.name
        with self.lock:
            self.now[name] = self.now.get(name, 0) + 1
            self.most[name] = max(self.most.get(name, 0), self.now[name])
            if self.most == {"many": 8, "few": 2}:
                self.full.set()
        self.full.wait(10)
        with self.lock:
            self.now[name] -= 1
        return one.ids


def test_each_kind_has_as_many_at_once_as_it_allows():
    few, many = SimpleNamespace(name="few", at_once=2), SimpleNamespace(name="many", at_once=8)
    crowd, todo = Crowd(), []
    for number in range(20):
        todo += [batch(few, number), batch(many, number)]
    done = [each for some in pool.run(crowd.work, todo) for each in some]
    assert crowd.most == {"many": 8, "few": 2}
    assert sorted(each.result for each in done) == sorted(each.ids for each in todo)


def test_errors_are_results_and_stop_nothing():
    kind = SimpleNamespace(name="any", at_once=1)

    def work(one):
        if one.ids == ("any-1",):
            raise OSError("no")
        return one.ids

    done = [each for some in pool.run(work, [batch(kind, number) for number in range(3)]) for each in some]
    assert [str(each.error) for each in done if each.error] == ["no"]
    assert len(done) == 3


def test_closing_begins_no_more_and_tells_those_under_way():
    kind, ending, began = SimpleNamespace(name="any", at_once=1), threading.Event(), []

    def work(one):
        began.append(one.ids)
        if len(began) == 2:
            assert ending.wait(10)

    running = pool.run(work, [batch(kind, number) for number in range(10)], ending)
    next(running)
    while len(began) < 2:
        threading.Event().wait(0.01)
    running.close()
    assert len(began) == 2


@pytest.mark.parametrize(("looks", "sizes"), [(False, [1, 1, 1]), (True, [2, 1])])
def test_batches_are_as_large_as_a_kind_takes_them_to_apply_and_to_look_at(looks, sizes):
    kind = SimpleNamespace(name="any", batch_size=1, look_size=2)
    kinds = SimpleNamespace(lookup=lambda name: kind)
    changes = [SimpleNamespace(id=str(number), kind="any") for number in range(3)]
    assert [len(each.ids) for each in pool.batches(changes, kinds, looks=looks)] == sizes
