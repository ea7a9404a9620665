import io
from pathlib import Path

import pytest
from rich.console import Console

from blackstart.journals.measure import measure
from blackstart.journals.verdict import judge
from blackstart.reports.terminal import final, show

PLANS = [
    {},
    {"lost": 0},
    {"left": 1},
    {"conflicts": 2},
    {"proven": False},
    {"fault_at": None},
    {"checked": False},
    {"nobody_for": 99, "partly_for": 99, "moves": False},
]


def outcome(measured, ascii_only=False):
    return final(measured, judge(measured), Path("journals/region-loss/report.html"), ascii_only).plain


@pytest.mark.parametrize("plan", PLANS)
def test_the_outcome_fits_80_columns_and_begins_with_the_verdict(drilled, plan):
    measured = drilled(**plan)
    lines = outcome(measured).splitlines()
    assert max(map(len, lines)) <= 80
    heads = [line for line in lines if line.startswith(judge(measured).word.upper())]
    assert len(heads) == 1
    assert lines[-1] == "  report  journals/region-loss/report.html"


def test_it_tells_rto_with_its_error_and_steps_rpo_availability_outage_and_undo(region_loss):
    text = outcome(measure(region_loss))
    assert "✓ recovery time     11.6 ± 0.1 s    ≤ 15 s      3.35 s to spare" in text
    assert "✕ lost writes       3 of 536" in text
    for words in (
        "✓ data age",
        "availability",
        "longest outage",
        "steps             detect 2.75 s",
        "3 of 3 changes, read back, no residue",
    ):
        assert words in text


def test_what_may_still_be_in_place_comes_before_everything(drilled):
    assert outcome(drilled(left=1)).startswith("NOT PUT BACK  1 change may still be in place: subnet subnet-0")


def test_residue_comes_before_everything_too(planted, drilled):
    told = outcome(drilled(residue=(planted.left_acl(),)))
    assert told.startswith("NOT PUT BACK  Residue was found: network-acl acl-left in us-east-1.")


def test_a_conflict_is_told_with_both_ways_out_of_it(drilled):
    told = " ".join(outcome(drilled(conflicts=1)).split())
    for way in ("force", "accept"):
        assert f"blackstart recover --{way} bs-000000000000" in told


def test_a_terminal_without_unicode_gets_ascii(region_loss):
    assert outcome(measure(region_loss), ascii_only=True).isascii()


def test_no_color_is_honoured(region_loss, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    measured, written = measure(region_loss), io.StringIO()
    show(Console(file=written, force_terminal=True, width=80), measured, judge(measured), None)
    assert "\x1b[31m" not in written.getvalue()
    assert "FAILED" in written.getvalue()
