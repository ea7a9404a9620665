import json
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from blackstart.journals import folder as folders
from blackstart.journals.close import close
from blackstart.reports.html import render, unbroken

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'


class Page(HTMLParser):
    """Tags, headings and text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.headings, self.text, self._open = [], [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        if {"script", "style"} & set(self._open):
            return
        self.text += data
        if self._open and self._open[-1] in ("h1", "h2"):
            self.headings.append(data)


def page(folder):
    return Page(render(folder).read_text(encoding="utf-8"))


def test_the_report_is_one_file_that_asks_the_network_for_nothing(region_loss):
    text = render(region_loss).read_text(encoding="utf-8")
    shown = Page(text)
    assert not [attrs for _, attrs in shown.tags if {"src", "href"} & set(attrs)]
    assert "http://" not in text
    assert "https://" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text


def test_the_parts_come_in_their_order_and_the_verdict_first(region_loss):
    shown = page(region_loss)
    verdict = json.loads((region_loss / folders.VERDICT).read_text())
    assert "".join(shown.headings[:3]).replace("us-west-2", "").split()[:2] == ["Orders", "moved"]
    assert verdict["reason"] in shown.text
    order = ["Objectives", "What happened", "Where the", "Data: every", "Changes made", "Can this result", "Evidence"]
    places = [shown.text.index(heading, 100) for heading in order]
    assert places == sorted(places)


def test_every_status_follows_from_the_numbers(region_loss):
    shown = page(region_loss)
    verdict = json.loads((region_loss / folders.VERDICT).read_text())
    met = sum(objective["met"] is True for objective in verdict["objectives"].values())
    assert f"{met} of {len(verdict['objectives'])}\u00a0objectives met." in shown.text
    assert shown.text.count("✓ met") == met
    assert shown.text.count("✕ missed") == len(verdict["objectives"]) - met == 1


def test_what_is_left_in_place_stands_above_the_verdict(planted, tmp_path):
    folder = planted.plant(tmp_path, planted.SMALL, lost=0, left=1)
    close(folder)
    shown = page(folder)
    assert shown.text.index("Not everything is put back") < shown.text.index("INCONCLUSIVE", 100)
    assert "blackstart recover 0142" in shown.text
    assert "Changes made, and not all undone" in shown.headings


def told(shown):
    """The page's words, all with one space between them."""
    return " ".join(shown.text.split())


def test_of_many_changes_the_first_are_shown_and_the_rest_is_a_click_away(planted, tmp_path):
    folder = planted.plant(tmp_path, replace(planted.SMALL, changes=100, left=30))
    text = render(folder).read_text(encoding="utf-8")
    section = text.partition('id="changes"')[2].partition("</section>")[0]
    shown, _, folded = section.partition("<details")
    assert "70 more, all undone and read back" in folded
    assert (shown.count('data-label="made"'), folded.count('data-label="made"')) == (30, 70)


def test_the_proof_of_restoration_stands_below_the_changes(region_loss):
    text = told(page(region_loss))
    section = text[text.index("Changes made, and undone") : text.index("Can this result")]
    assert "Read back✓3 of 3 changes" in section
    assert "Residue✓nothing found in us-east-1 (EC2 tags)" in section
    assert "Provenby the drill at 14:03:36Z" in section


ACL = "network-acl acl-left in us-east-1 (change bs-000000000002)"
UNASKED = "us-east-1 (EC2 tags): no answer"


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({"residue": "theirs"}, f"Residue{ACL}, held by drill 0150, which puts it back itself"),
        ({"residue": "unknown"}, f"Residue?{ACL}, held by no drill in the undo log"),
        ({"residue": "ours"}, f"Residue✕{ACL}, left by this drill"),
        ({"residue_problems": (UNASKED,)}, f"Residue?not known: {UNASKED}"),
        ({"proven": False}, "Residue?nobody looked for any"),
        (
            {"conflicts": 1},
            "somebody else gave it; left so. To put it back all the same: blackstart recover --force bs-",
        ),
    ],
)
def test_residue_and_conflicts_are_named_with_whose_they_are(planted, tmp_path, plan, words):
    if "residue" in plan:
        plan = {"residue": (planted.left_acl(planted.Whose(plan["residue"]), drill="0150"),)}
    assert words in told(page(planted.plant(tmp_path, planted.SMALL, **plan)))


def test_residue_of_the_drill_stands_above_the_verdict_and_another_drills_does_not(planted, tmp_path):
    ours, theirs = (
        page(planted.plant(tmp_path, planted.SMALL, residue=(planted.left_acl(planted.Whose(whose)),)))
        for whose in ("ours", "theirs")
    )
    warning = "Residue was found: network-acl acl-left in us-east-1."
    assert ours.text.index(warning) < ours.text.index("FAILED", 100)
    assert "Changes made, and not all undone" in ours.headings
    assert "Residue was found" not in theirs.text


def test_a_conflict_comes_with_both_ways_out_of_it(planted, tmp_path):
    text = page(planted.plant(tmp_path, planted.SMALL, lost=0, conflicts=1)).text
    for command in ("blackstart recover --force bs-000000000000", "blackstart recover --accept bs-000000000000"):
        assert text.index(command, 100) < text.index("INCONCLUSIVE", 100)


def test_a_journal_full_of_markup_stays_text(planted, tmp_path):
    residue = (planted.Found(*[HOSTILE] * 4, planted.Whose.UNKNOWN, HOSTILE),)
    hostile = {"fault": HOSTILE, "title": HOSTILE, "service": HOSTILE, "toolkit": _hostile(), "residue": residue}
    folder = planted.plant(tmp_path, planted.SMALL, **hostile)
    folders.append(folder, folders.EVENTS, {"at": 5.0, "kind": HOSTILE, "text": HOSTILE})
    shown = page(folder)
    assert [tag for tag, _ in shown.tags].count("script") == 2
    assert not [tag for tag, attrs in shown.tags if tag == "img" or any(name.startswith("on") for name in attrs)]
    assert HOSTILE in shown.text


def _hostile():
    failed = {"activity": {"name": HOSTILE, "type": "probe"}, "status": "failed", "exception": [HOSTILE]}
    return {"status": "completed", "run": [failed]}


@pytest.mark.parametrize(
    "missing",
    [
        "observer.json",
        "samples.bin",
        "ledger.jsonl",
        "changes.jsonl",
        "events.jsonl",
        "restoration.json",
        "verdict.json",
    ],
)
def test_a_journal_with_a_hole_still_gives_a_page_that_says_so(planted, tmp_path, missing):
    folder = planted.plant(tmp_path, planted.SMALL, lost=0)
    (folder / missing).unlink()
    assert "INCONCLUSIVE" in page(folder).text


@pytest.mark.sweep
def test_ten_times_the_samples_do_not_swell_the_page(planted, tmp_path):
    few, many = (render(planted.plant(tmp_path, planted.SMALL, rate=rate)).stat().st_size for rate in (60, 600))
    assert many < 1.25 * few
    assert many < 250_000


def test_names_with_hyphens_are_not_broken_and_stay_escaped():
    assert unbroken("to us-west-2 <b>") == 'to <span class="name">us-west-2</span> &lt;b&gt;'
