"""The report's parts about regions: there when there is something to say, and no more sure than the journal is."""

import html
import re

import pytest

from blackstart.journals import numbers
from blackstart.journals.measure import measure
from blackstart.journals.verdict import judge
from blackstart.reports import regions, terminal
from blackstart.reports.html import page

BEGUN = {"by": "drill", "begun": True}


def text_of(measured):
    text = page(measured, judge(measured), {})
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", text.partition("<body>")[2])))


def shown(measured):
    return text_of(measured).replace(numbers.NBSP, " ").replace(" .", ".").replace(" ;", ";").replace(" ,", ",")


def platform(planted, at, agent, outcome="no answer"):
    called = {"service": "rds", "region": "us-east-1", "operation": "DescribeGlobalClusters", "seconds": 3.0}
    return {"by": "platform", "monotonic": planted.ORIGIN + at, "agent": agent, **called, "outcome": outcome}


def covered(planted):
    return {"by": "platform", "complete": True, "since": planted.ORIGIN, "until": planted.ORIGIN + 900}


@pytest.fixture
def drilled(planted, tmp_path):
    """``drilled(lost=3)``: plant a small drill with these fields of its plan, and measure it."""
    return lambda **changed: measure(planted.plant(tmp_path, planted.SMALL, **changed), cut_off=False)


def test_two_writers_are_shown_with_their_writes(drilled, planted):
    measured = drilled(databases=True, second_writer=(25.0, 27.0), lost=0)
    said = shown(measured)
    assert "Two writers at once" in said
    assert "acknowledged:" in said
    assert "us-east-1 could not be asked for" in said
    assert "One writer ✕ no: two at once for at least" in said
    for write in measured.writers.doubled[0].writes[: regions.MOST_WRITES]:
        assert write.key in said


def test_one_writer_has_a_line_and_no_part(drilled):
    said = shown(drilled(databases=True))
    assert "Two writers at once" not in said
    assert "One writer ✓ the databases in us-east-1 and us-west-2 were asked throughout" in said
    assert "not watched: [stores] names the databases" in shown(drilled())


def test_the_way_home_has_a_part_only_where_users_had_moved(drilled):
    said = shown(drilled(lost=0, stray_failures=0, databases=True))
    assert "Fail-back: home again in 3." in said
    assert "us-east-1 served all users again after" in said
    assert "Served by us-west-2 from 0 s, us-east-1 from +3." in said
    assert "it lost no write" in said
    assert "Fail-back" not in shown(drilled(moves=False))
    gone = shown(drilled(home_again_at=999.0))
    assert "Fail-back: not measured Not measured, because us-west-2 still served users when watching ended." in gone


def test_no_call_is_said_only_where_both_records_say_so(drilled, planted):
    none = shown(drilled(calls=(BEGUN, covered(planted))))
    assert "Calls to us-east-1 while it was lost None, in the" in none
    unknown = shown(drilled(calls=(BEGUN,)))
    assert "No call by the drill. Calls by others are not known, because the platform did not tell" in unknown
    assert "Calls by the drill are not known, because the drill kept no record" in shown(drilled(calls=()))


def test_who_called_is_in_a_table_and_escaped(drilled, planted):
    lines = (BEGUN, covered(planted), platform(planted, 15, "<b>automation</b>"), platform(planted, 16, "pods"))
    measured = drilled(calls=lines)
    assert "<b>automation</b>" not in page(measured, judge(measured), {})
    assert "<b>automation</b> rds:DescribeGlobalClusters 1 +5.00 s 3.00 s 1" in shown(measured)


def test_the_terminal_has_a_line_for_each(drilled, planted):
    measured = drilled(databases=True, second_writer=(25.0, 27.0), calls=(BEGUN, covered(planted)))
    lines = terminal.final(measured, judge(measured), None).plain.splitlines()
    assert all(len(line) <= terminal.WIDTH for line in lines)
    names = [line[4:22].strip() for line in lines]
    assert {"two writers", "fail-back", "lost region"} <= set(names)


def test_a_step_that_did_not_happen_says_so(drilled):
    steps = {"detect": 2.0, "decide": 3.0, "promote": 8.0}
    said = shown(drilled(steps=steps))
    assert "Did not happen: reroute, scale" in said
    assert "did not happen" in said
