import json

import pytest

from blackstart.errors import JournalUnreadable
from blackstart.journals import folder as folders
from blackstart.observer import jsonl


def test_a_drill_gets_a_folder_named_by_experiment_and_utc_start(planted, tmp_path):
    folder = folders.create(tmp_path, planted.drill(planted.Plan()))
    assert folder == tmp_path / "region-loss" / "20261123T140300Z"
    assert folders.read_drill(folder) == planted.drill(planted.Plan())


def test_two_drills_in_the_same_second_do_not_share_a_folder(planted, tmp_path):
    drill = planted.drill(planted.Plan())
    first, second = folders.create(tmp_path, drill), folders.create(tmp_path, drill)
    assert second.name == f"{first.name}-2"


def test_a_line_that_a_killed_writer_left_open_spoils_only_itself(planted, tmp_path):
    folder = folders.create(tmp_path, planted.drill(planted.Plan()))
    folders.append(folder, folders.EVENTS, {"at": 1.0, "kind": "note", "text": "whole"})
    with (folder / folders.EVENTS).open("a") as file:
        file.write('{"at": 2.0, "kind": "no')
    folders.append(folder, folders.EVENTS, {"at": 3.0, "kind": "note", "text": "after"})
    journal = folders.read(folder)
    assert [event["at"] for event in journal.events] == [1.0, 3.0]
    assert journal.damaged == ("events.jsonl: 1 unreadable line",)


@pytest.mark.parametrize(
    "name", [folders.CHANGES, folders.EVENTS, folders.TOOLKIT, folders.RESTORATION, folders.VERDICT]
)
def test_a_journal_cut_off_at_any_byte_stays_readable(planted, tmp_path, name):
    folder = planted.plant(tmp_path, planted.SMALL, changes=1)
    whole = (folder / name).read_bytes()
    for length in range(0, len(whole), max(len(whole) // 60, 1)):
        (folder / name).write_bytes(whole[:length])
        assert folders.read(folder).drill.drill == "0142"


def test_a_folder_that_is_no_journal_says_so(tmp_path):
    with pytest.raises(JournalUnreadable, match="no such file, so this is not the journal of a drill"):
        folders.read(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 9}', '{"format": 1, "started": 5}'])
def test_a_drill_that_does_not_say_what_was_run_is_one_clear_error(tmp_path, text):
    (tmp_path / folders.DRILL).write_text(text)
    with pytest.raises(JournalUnreadable, match=r"drill\.json"):
        folders.read(tmp_path)


def test_json_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "verdict.json"
    folders.write_json(path, {"verdict": "passed"})
    folders.write_json(path, {"verdict": "failed", "reason": "größer"})
    assert json.loads(path.read_text(encoding="utf-8"))["reason"] == "größer"
    assert [each.name for each in tmp_path.iterdir()] == ["verdict.json"]


@pytest.mark.parametrize("started", ["9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00+00:00", "2026-11-23T14:03:00"])
def test_a_moment_that_no_drill_began_at_is_told(planted, tmp_path, started):
    journal = folders.create(tmp_path, planted.drill(planted.Plan()))
    drill = json.loads((journal / folders.DRILL).read_text()) | {"started": started}
    (journal / folders.DRILL).write_text(json.dumps(drill))
    with pytest.raises(JournalUnreadable, match="started"):
        folders.read_drill(journal)


def test_what_is_no_text_comes_back_as_it_was(tmp_path):
    said = {"text": "half of a pair: \ud83d, and a whole one: 🔥"}
    folders.write_json(tmp_path / "said.json", said)
    jsonl.append(tmp_path / "said.jsonl", said)
    assert json.loads((tmp_path / "said.json").read_text(encoding="utf-8")) == said
    assert jsonl.read(tmp_path / "said.jsonl") == [said]
