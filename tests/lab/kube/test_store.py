import asyncio

import pytest

from blackstart.lab.kube.status import ApiError
from blackstart.lab.kube.store import Key, Store


def store(**limits):
    seconds = [0.0]
    made = Store(lambda: seconds[0], **limits)
    return made, seconds


def put(kept, name, resource="pods.", **extra):
    return kept.put(resource, Key("shop", name), {"metadata": {"name": name} | extra})


def test_every_write_gets_the_next_version():
    kept, _ = store()
    first, second = put(kept, "a"), put(kept, "a")
    assert second.version == first.version + 1
    assert second.object["metadata"]["resourceVersion"] == str(second.version)
    assert kept.remove("pods.", Key("shop", "a")).version == second.version + 1


def test_history_tells_what_each_write_replaced():
    kept, _ = store()
    start = kept.version
    put(kept, "a")
    put(kept, "a")
    kept.remove("pods.", Key("shop", "a"))
    events = kept.since(start)
    assert [event.type for event in events] == ["ADDED", "MODIFIED", "DELETED"]
    assert [event.previous and event.previous.version for event in events] == [None, 2, 3]
    assert kept.since(kept.version) == []


def test_a_version_older_than_history_or_from_another_life_is_expired():
    kept, _ = store(length=2)
    for name in "abc":
        put(kept, name)
    assert len(kept.since(2)) == 2
    for version in (1, kept.version + 1):
        with pytest.raises(ApiError) as caught:
            kept.since(version)
        assert caught.value.code == 410


def test_history_is_forgotten_after_a_time():
    kept, seconds = store(seconds=60)
    put(kept, "a")
    seconds[0] = 61
    put(kept, "b")
    with pytest.raises(ApiError):
        kept.since(1)
    assert len(kept.since(2)) == 1


def test_a_snapshot_shows_the_past():
    kept, _ = store()
    put(kept, "a", note="old")
    put(kept, "b")
    then = kept.version
    put(kept, "a", note="new")
    put(kept, "c")
    put(kept, "other", resource="nodes.")
    kept.remove("pods.", Key("shop", "b"))
    past = kept.snapshot("pods.", then)
    assert sorted(key.name for key in past) == ["a", "b"]
    assert past[Key("shop", "a")].object["metadata"]["note"] == "old"


def test_a_copy_can_be_changed_without_changing_what_is_stored():
    kept, _ = store()
    record = put(kept, "a", labels={"x": "1"})
    record.copy()["metadata"]["labels"]["x"] = "2"
    assert record.object["metadata"]["labels"] == {"x": "1"}


def test_dependents_follow_the_owner_references():
    kept, _ = store()
    put(kept, "a", ownerReferences=[{"uid": "u"}])
    assert kept.dependents("u") == [("pods.", Key("shop", "a"))]
    put(kept, "a", ownerReferences=[{"uid": "v"}])
    assert kept.dependents("u") == []
    kept.remove("pods.", Key("shop", "a"))
    assert kept.dependents("v") == []


def test_waiting_ends_with_a_write_or_with_patience():
    async def scenario():
        kept, _ = store()
        waiting = asyncio.create_task(kept.wait(kept.version, 10))
        await asyncio.sleep(0)
        put(kept, "a")
        return await waiting, await kept.wait(kept.version, 0.01), await kept.wait(0, 10)

    assert asyncio.run(scenario()) == (True, False, True)
