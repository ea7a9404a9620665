import re
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest

from blackstart.journals.objectives import Interval, Objective, unknown
from blackstart.reports import figure_bars, figure_rows, figure_timeline, figure_writes
from blackstart.reports.picture import Column, Picture, Span, clusters, ribbons

START = datetime(2026, 11, 23, 14, 4, tzinfo=UTC)
HOSTILE = '<script>alert("1")</script>&'


def column(index, n=10, failed=0, served=(10, 0, 0)):
    return Column(float(index), index + 1.0, n, failed, 0, served, 0.01, 0.02, 0.05, 0.2)


def picture(columns, **more):
    given = {"fault": "Fault: x", "fault_end": 5.0, "regions": ("us-east-1", "us-west-2"), "home": "us-east-1", **more}
    return Picture(columns[0].start, columns[-1].end, START, columns, timeout_seconds=2.0, **given)


def drawn(shown, layout=figure_timeline.WIDE):
    return ElementTree.fromstring(figure_timeline.draw(shown, layout))


def test_a_single_failure_among_thousands_is_at_least_four_pixels_tall():
    shown = picture([column(-1), column(0, n=100_000, failed=1, served=(99_999, 0, 0)), column(1)])
    shapes = [each.get("d") for each in drawn(shown).iter("path") if each.get("class") == "failure"]
    heights = [max(ys) - min(ys) for shape in shapes if (ys := [float(y) for y in re.findall(r" ([\d.]+)", shape)])]
    assert figure_rows.LEAST_MARK in heights


@pytest.mark.parametrize("layout", [figure_timeline.WIDE, figure_timeline.NARROW])
@pytest.mark.parametrize("recovered", [None, 0.4, 3.0, 9.9])
def test_every_word_stays_inside_the_picture(layout, recovered):
    columns = [column(i, failed=i % 4 == 0, served=(9, 0, 0)) for i in range(-2, 10)]
    outage = Span("outage", 0, recovered or 10)
    shown = picture(
        columns, recovered=recovered, recovery_text="RTO", outage=outage, undone_from=9.5, lost=(-0.2,), lost_text="1"
    )
    tree = drawn(shown, layout)
    for each in tree.iter("text"):
        x, width = float(each.get("x")), len(each.text or "") * 5
        start = {"middle": x - width / 2, "end": x - width}.get(each.get("text-anchor"), x)
        assert start >= -1, each.text
        assert start + width <= layout.width + 1, each.text


def test_a_picture_has_a_title_a_description_and_nothing_from_outside_unescaped():
    shown = picture([column(0), column(1)], description=HOSTILE, lost_text=HOSTILE)
    text = figure_timeline.draw(shown, figure_timeline.WIDE)
    assert "<script" not in text
    tree = ElementTree.fromstring(text)
    assert [tree[0].tag, tree[1].tag, tree[1].text] == ["title", "desc", HOSTILE]


def test_ribbons_tell_nobody_some_and_a_region_apart():
    columns = [
        column(0), column(1), column(2, failed=10, served=(0, 0, 0)), column(3, failed=5, served=(0, 5, 0)),
        column(4, served=(0, 10, 0)), column(5, n=0, served=(0, 0, 0)),
    ]  # fmt: skip
    found = [(each.region, each.whole, each.start, each.end) for each in ribbons(columns, ("east", "west"))]
    assert found == [("east", True, 0, 2), ("", True, 2, 3), ("west", False, 3, 4), ("west", True, 4, 5)]


def test_isolated_failures_are_counted_apart_from_the_outage():
    columns = [column(0, failed=1), column(1, failed=2), column(4, failed=9), column(8, failed=3)]
    found = clusters(picture(columns, outage=Span("outage", 4, 5)), gap=1.0)
    assert [(each.failed, each.start) for each in found] == [(3, 0), (3, 8)]


def test_regions_are_shortened_to_what_tells_them_apart():
    assert figure_rows.short_name("us-east-1", ("us-east-1", "us-west-2")) == "east-1"
    assert figure_rows.short_name("eu-west-1", ("eu-west-1",)) == "eu-west-1"


def objective(target, interval, **more):
    return Objective("rto_seconds", "Recovery time", "", more.pop("unit", "seconds"), target, interval, **more)


@pytest.mark.parametrize(
    ("shown", "end"),
    [
        (objective(90, Interval(71, 71, 71)), 135),
        (objective(90, Interval(400, 400, 400)), 440),
        (objective(90, unknown()), 135),
        (objective(0, Interval(7, 7, 7), unit="writes"), 10),
        (objective(0.999, Interval(0.5, 0.5, 0.5), unit="share", at_most=False), 1),
    ],
)
def test_a_bullet_shows_both_the_objective_and_what_was_measured(shown, end):
    assert figure_bars.scale_end(shown) == pytest.approx(end)
    (tick,) = re.findall(r'<line x1="([\d.]+)"', figure_bars.bullet(shown, "words"))
    assert 2 <= float(tick) <= 998


def test_thousands_of_writes_before_the_fault_do_not_swell_the_strip():
    text = figure_writes.draw([-n / 10_000 for n in range(10_000)], [-0.5], "wide", 1012)
    assert text.count("write-kept") <= figure_writes.MOST_TICKS
    assert text.count('class="failure"') == 2
