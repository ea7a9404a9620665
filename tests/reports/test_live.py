import io
import threading
from dataclasses import replace

from rich.console import Console

from blackstart.journals import folder as folders
from blackstart.reports import snapshot
from blackstart.reports.live import ONE_BY_ONE, Live, frame


def view(planted, folder, at, unicode=True):
    seen = snapshot.Watcher(folder).look(planted.ORIGIN + at)
    written = io.StringIO()
    Console(file=written, width=80).print(frame(seen, "undo ready: 3 changes", unicode))
    return written.getvalue().replace("\u00a0", " ").splitlines()


def test_before_the_fault_users_are_served_at_home(planted, region_loss):
    lines = view(planted, region_loss, 9.0)
    assert lines[0].startswith("orders · loss of region us-east-1 · drill 0142   14:03:09Z")
    assert lines[1] == "  served by  ####################  us-east-1 (#)"


def test_during_the_outage_nobody_is_served(planted, region_loss):
    lines = view(planted, region_loss, 16.0)
    assert lines[0].endswith("14:03:16Z  +6.00 s")
    assert lines[1].endswith("nobody")
    assert "0 %, 0 of" in lines[2]
    assert lines[3].endswith("→ none")
    assert lines[4].startswith("  ✓ detect 2.75 s  ✓ decide 0.85 s")


def test_the_view_fits_80_columns_and_speaks_ascii_where_it_must(planted, region_loss):
    lines = view(planted, region_loss, 40.0, unicode=False)
    assert max(map(len, lines)) <= 80
    assert all(line.isascii() for line in lines)


def test_the_live_view_draws_in_place_on_a_terminal_and_ends(planted, region_loss):
    clock = planted.Hands()
    clock.seconds = 16.0
    written = io.StringIO()
    with Live(region_loss, clock, Console(file=written, force_terminal=True, width=80), hint="Ctrl-C undoes now"):
        pass
    assert "Ctrl-C undoes now" in written.getvalue()
    assert "blackstart-live" not in {thread.name for thread in threading.enumerate()}


def test_without_a_terminal_each_happening_is_one_line_once(planted, tmp_path):
    folder = planted.plant(tmp_path, planted.SMALL)
    clock = planted.Hands()
    clock.seconds = 20.0
    written = io.StringIO()
    live = Live(folder, clock, Console(file=written, width=80))
    live.start()
    folders.append(folder, folders.EVENTS, {"at": 20.5, "kind": "note", "text": "a late note"})
    live.stop()
    lines = written.getvalue().splitlines()
    assert [
        line for line in lines if line.endswith("applied: subnet subnet-0 (us-east-1a): network ACL acl-1 → deny all")
    ]
    assert sum("a late note" in line for line in lines) == 1
    assert sum("served by" in line for line in lines) == 1
    assert len(lines) == len(set(lines))


def test_of_many_changes_the_first_are_told_one_by_one_and_the_others_are_counted(planted, tmp_path):
    folder = planted.plant(tmp_path, replace(planted.SMALL, changes=100))
    clock = planted.Hands()
    clock.seconds = 20.0
    written = io.StringIO()
    with Live(folder, clock, Console(file=written, width=80)):
        pass
    lines = written.getvalue().splitlines()
    assert sum("planned: subnet" in line for line in lines) == ONE_BY_ONE
    assert sum(line.endswith("and 80 more changes: 80 verified") for line in lines) == 1


def test_a_folder_that_is_not_there_yet_is_no_reason_to_fail(tmp_path, planted):
    written = io.StringIO()
    with Live(tmp_path / "later", planted.Hands(), Console(file=written)):
        pass
    assert written.getvalue() == ""
