import asyncio

import pytest

from blackstart.clock import SystemClock
from blackstart.errors import ConfigInvalid, ServiceUnreachable
from blackstart.observer import ledger, readback
from blackstart.observer.samples import Header


def in_front_of(planted_at, port, play):
    async def drill():
        async with planted_at("127.0.0.1", port) as planted:
            return await asyncio.to_thread(play, planted)

    return asyncio.run(drill())


def test_all_pages_are_read(planted_at, port, service):
    def play(planted):
        planted.page = 7
        planted.stored = {f"d&1-{n:03}" for n in range(50)} | {"x-1"}
        return readback.read_back(service, "d&1-", timeout_seconds=5)

    assert in_front_of(planted_at, port, play) == {f"d&1-{n:03}" for n in range(50)}


def test_a_check_is_in_the_journal_page_by_page(planted_at, port, service, tmp_path):
    origin = SystemClock().monotonic()
    Header(origin, "", 0, 10, 1, 1, prefix="d1-").write(tmp_path)

    def play(planted):
        planted.page = 2
        planted.stored = {"d1-1", "d1-2", "d1-3", "d2-1"}
        made = [readback.record_check(tmp_path, service, SystemClock()) for _ in range(2)]
        return made, ledger.read_found(tmp_path)

    made, found = in_front_of(planted_at, port, play)
    assert tuple(made) == found
    assert [each.number for each in found] == [1, 2]
    assert found[0].keys == {"d1-1", "d1-2", "d1-3"}
    assert found[0].began <= found[0].ended <= found[1].began


def test_a_service_that_does_not_answer_is_told_and_leaves_no_complete_check(planted_at, port, service, tmp_path):
    Header(SystemClock().monotonic(), "", 0, 10, 1, 1, prefix="d1-").write(tmp_path)

    def play(planted):
        planted.turn("stall")
        with pytest.raises(ServiceUnreachable, match="could not read the writes back"):
            readback.record_check(tmp_path, service, SystemClock(), timeout_seconds=0.3)

    in_front_of(planted_at, port, play)
    assert ledger.read_found(tmp_path) == ()


def test_a_template_with_unknown_fields_is_refused(service):
    odd = service.model_copy(update={"ledger_path": "/orders?from={start}"})
    with pytest.raises(ConfigInvalid, match=r"service\.ledger_path"):
        readback.read_back(odd, "d")
