"""What the pages say, asked over HTTP."""

import json
import os
import random
import shutil
import sys
import threading

import psutil
import pytest
from stage import Hands, asked, played, served, written

from blackstart.journals import folder as folders
from blackstart.reports import html

STAMP = "20261123T140300Z"


@pytest.fixture
def root(region_loss, tmp_path):
    """A root with one closed drill, region-loss."""
    shutil.copytree(region_loss.parent, tmp_path / "region-loss")
    return tmp_path


@pytest.fixture
def hands(planted):
    return Hands(planted, 16.0)


def spaced(text):
    return text.replace("\u00a0", " ")


def test_the_history_names_every_drill_and_leads_to_its_page(root, planted, whole, hands):
    played(planted, whole, root / "open" / STAMP, 16.0)
    with served(root, hands) as site:
        status, _, text = asked(site.port, "/")
    assert status == 200
    assert f'href="/region-loss/{STAMP}/report.html"' in text
    assert f'<a href="/open/{STAMP}/">loss of region us-east-1 is running</a>, since 14:03:00Z' in text
    assert "region-loss</" in spaced(text).replace("</span>", "</")


def test_the_drills_as_json_say_which_of_them_run(root, planted, whole, hands):
    played(planted, whole, root / "open" / STAMP, 16.0)
    with served(root, hands) as site:
        _, headers, text = asked(site.port, "/api/drills")
        drills = {drill["folder"].partition("/")[0]: drill for drill in json.loads(text)["drills"]}
        hands.seconds = 60.0
        later = json.loads(asked(site.port, "/api/drills")[2])["drills"]
    assert headers["content-type"] == "application/json"
    assert (drills["open"]["stage"], drills["region-loss"]["stage"]) == ("running", "over")
    assert (drills["region-loss"]["verdict"], drills["region-loss"]["url"]) == ("failed", f"/region-loss/{STAMP}/")
    assert {drill["stage"] for drill in later} == {"silent", "over"}


def test_a_drill_that_is_over_has_its_verdict_its_report_and_its_files(root, hands):
    verdict = json.loads((root / "region-loss" / STAMP / folders.VERDICT).read_text())
    with served(root, hands) as site:
        _, _, text = asked(site.port, f"/region-loss/{STAMP}/")
        assert asked(site.port, f"/region-loss/{STAMP}")[0] == 307
    assert str(html.unbroken(verdict["reason"])) in text
    assert "FAILED" in text
    assert all(f'<a href="{path.name}">' in text for path in (root / "region-loss" / STAMP).glob("*.json*"))


def test_a_report_is_made_when_it_is_missing_or_older_and_else_the_one_on_disk(root, hands):
    folder = root / "region-loss" / STAMP
    with served(root, hands) as site:

        def shown():
            return asked(site.port, f"/region-loss/{STAMP}/report.html")

        _, headers, text = shown()
        assert not (folder / folders.REPORT).exists()
        script = site.site.reports.script
        assert f"script-src '{script}'" in headers["content-security-policy"]
        assert f"script-src '{script}'" in text, "the page has another script than web/reporting.py expects"
        stored = folder / folders.REPORT
        stored.write_text(text.replace("</main>", "<p>as stored</p></main>"))
        assert "as stored" in shown()[2]
        os.utime(folder / folders.VERDICT, ns=(stored.stat().st_mtime_ns + 1,) * 2)
        assert "as stored" not in shown()[2]
        stored.write_text("<main>of another version</main>")
        assert "of another version" not in shown()[2]


def test_a_running_drill_is_shown_as_it_stands(root, planted, whole, hands):
    played(planted, whole, root / "open" / STAMP, 16.0)
    with served(root, hands) as site:
        text = spaced(asked(site.port, f"/open/{STAMP}/")[2])
    assert "Nobody serves users, 6.00 s after the fault." in text
    assert "✓ detect 2.75 s" in text
    assert "undo ready: 3 changes" in text
    assert "0 %, 0 of" in text


def test_a_drill_that_was_killed_says_so_and_what_to_do(root, planted, whole, hands):
    played(planted, whole, root / "open" / STAMP, 16.0)
    hands.seconds = 100.0
    with served(root, hands) as site:
        text = spaced(asked(site.port, f"/open/{STAMP}/")[2])
    assert "Nothing is known after 14:03:16Z on 23 Nov 2026, and there is no verdict." in text
    assert "3 changes may still be in place" in text
    assert "blackstart recover 0142" in text


def test_a_reverter_at_work_is_named(root, planted, whole, hands):
    folder = root / "open" / STAMP
    played(planted, whole, folder, 16.0)
    with (folder / folders.CHANGES).open("a") as file:
        change = planted.change(0).id
        line = {"at": "x", "monotonic": planted.ORIGIN + 16, "change": change, "state": "undone", "by": "reverter"}
        file.write(json.dumps(line) + "\n")
    written(planted, folder, 16.0)
    with served(root, hands) as site:
        assert "the drill’s own process is gone" in asked(site.port, f"/open/{STAMP}/")[2]


def test_a_journal_full_of_markup_stays_text_on_every_page(planted, hostile, tmp_path, hands):
    shutil.copytree(hostile, tmp_path / "h" / STAMP)
    live = tmp_path / "l" / STAMP
    played(planted, hostile, live, 16.0)
    (live / "<img src=x>.json").write_text("{}")
    folders.append(live, folders.EVENTS, {"at": 15.0, "kind": "<img>", "text": "<img>"})
    written(planted, live, 16.0)
    with served(tmp_path, hands) as site:
        shown = [asked(site.port, path)[2] for path in ("/", f"/h/{STAMP}/", f"/l/{STAMP}/", f"/l/{STAMP}/report.html")]
    for text in shown:
        assert "<img" not in text
        assert "<script>document" not in text
    assert "&lt;script&gt;" in shown[2]


def broken(chance, folder):
    """Damage one file of a journal: cut, garbled, of the wrong type, gone, or a folder in its place."""
    path = chance.choice(sorted(folder.iterdir()))
    how = chance.randrange(6)
    if how == 0:
        path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size + 1)])
    elif how == 1:
        data = bytearray(path.read_bytes() or b"x")
        for _ in range(20):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data)
    elif how == 2:
        path.write_text(
            chance.choice(["[]", "null", "7", '"x"', '{"format": 1}', "NaN", '{"a": "\\ud800"}', "[" * 3000])
        )
    elif how == 3 and path.suffix == ".json":
        data = json.loads(path.read_text())
        data[chance.choice(sorted(data))] = chance.choice([None, [], {}, -1, "x", 1e308, {"a": [1]}, "\ud800"])
        path.write_text(json.dumps(data))
    else:
        path.unlink()
        if how == 4:
            path.mkdir()
    return f"{path.name} ({how})"


def tried(closed, still_open, root, many):
    chance = random.Random(many)
    with served(root, Hands(sys.modules["planted"], 16.0)) as site:
        for number in range(many):
            folder = root / "broken" / f"20261123T1403{number:02d}Z-{number}"
            shutil.copytree(closed if number % 2 else still_open, folder)
            what = broken(chance, folder)
            for path in ("", "report.html", "drill.json"):
                status = asked(site.port, f"/broken/{folder.name}/{path}")[0]
                assert status in (200, 404), (what, path, number)
        assert asked(site.port, "/")[0] == 200
        drills = json.loads(asked(site.port, "/api/drills")[2])["drills"]
        assert len(drills) == many


@pytest.fixture
def still_open(planted, whole, tmp_path_factory):
    folder = tmp_path_factory.mktemp("open") / STAMP
    played(planted, whole, folder, 16.0)
    return folder


def test_a_damaged_journal_never_breaks_a_page(region_loss, still_open, tmp_path):
    tried(region_loss, still_open, tmp_path, 4)


@pytest.mark.sweep
def test_many_damaged_journals_never_break_a_page(region_loss, still_open, tmp_path):
    tried(region_loss, still_open, tmp_path, 400)


def asked_often(site, many):
    """Open files, threads and memory of this process before and after so many requests."""
    paths = ["/", "/api/drills", f"/region-loss/{STAMP}/", f"/region-loss/{STAMP}/report.html", "/none", "/-/web.css"]
    paths += [f"/region-loss/{STAMP}/{name}" for name in ("samples.bin", "events.jsonl", "ledger.jsonl")]
    me = psutil.Process()
    for number in range(many):
        status = asked(site.port, paths[number % len(paths)])[0]
        assert status in (200, 404)
        if number == many // 4:
            before = me.num_fds(), threading.active_count(), me.memory_info().rss
    return before, (me.num_fds(), threading.active_count(), me.memory_info().rss)


def test_many_requests_leave_nothing_open(root, hands):
    with served(root, hands) as site:
        before, after = asked_often(site, 80)
        assert not len(site.site.watching)
    assert after[0] <= before[0] + 3
    assert after[1] <= before[1] + 3


@pytest.mark.sweep
def test_two_thousand_requests_do_not_leak(root, hands):
    with served(root, hands) as site:
        before, after = asked_often(site, 2000)
    assert after[0] <= before[0] + 3
    assert after[1] <= before[1] + 3
    assert after[2] <= before[2] + 30e6
