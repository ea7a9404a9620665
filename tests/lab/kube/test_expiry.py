"""How long Kubernetes Events are kept."""


def tell(bench, name):
    return bench.create("events", {"metadata": {"name": name}, "reason": "Tested", "involvedObject": {}})


def names(bench):
    return [found["metadata"]["name"] for found in bench.all("events")]


def test_events_are_forgotten_an_hour_after_they_were_last_written(bench):
    tell(bench, "a")
    tell(bench, "b")
    bench.settle()
    bench.settle(1800)
    bench.edit("events", "b", lambda obj: obj.update(count=2))
    bench.settle()
    bench.settle(1799)
    assert names(bench) == ["a", "b"]
    assert bench.settle(1) == 1800
    assert names(bench) == ["b"]
    bench.settle(1800)
    assert names(bench) == []
