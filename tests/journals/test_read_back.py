"""What the databases had of the writes, in verdicts and reports."""

import json
import re

import pytest

from blackstart.journals.close import close
from blackstart.journals.measure import measure
from blackstart.journals.verdict import judge
from blackstart.observer import jsonl, ledger
from blackstart.observer.record import Outcome
from blackstart.reports import html
from blackstart.reports.terminal import final

HOME, STANDBY = "us-east-1", "us-west-2"
CHECK = 2  # the last one that is planted
NOTHING = {"unexpected_writes": 0, "duplicated_writes": 0, "divergent_writes": 0, "out_of_order_writes": None}


@pytest.fixture
def drill(planted, tmp_path):
    """A drill that lost nothing, and its acknowledged keys in order."""
    goals = {"rto_seconds": 20, "rpo_seconds": 5, "lost_writes": 0, "error_budget_share": None, "p95_seconds": None}
    folder = planted.plant(tmp_path, planted.SMALL, lost=0, objectives={**goals, "p99_seconds": None})
    return folder, [write.key for write in ledger.read(folder) if write.outcome is Outcome.OK]


def has(folder, region, keys, state="reader", **more):
    """``region``'s database was read just before the service, and had ``keys``."""
    file, at = folder / "found.jsonl", 45.2
    jsonl.append(file, {"check": CHECK, "source": region, "at": at, "keys": list(keys), **more})
    line = {"check": CHECK, "source": region, "state": state, "began": at - 0.1, "at": at, "complete": True}
    jsonl.append(file, line)


def told(folder):
    """The verdict, and the keys of it that say how the databases differ."""
    close(folder)
    verdict = json.loads((folder / "verdict.json").read_text())
    return verdict, {key: verdict[key] for key in NOTHING}


def text(folder):
    html.render(folder)
    measured = measure(folder)
    terminal = final(measured, judge(measured), folder / "report.html", False).plain
    return plain(re.sub("<[^>]+>", "", (folder / "report.html").read_text())), plain(terminal)


def plain(words):
    return words.replace("\u2011", "-").replace("\xa0", " ").replace("\u2060", "")


def test_databases_that_agree_are_named_and_change_nothing(drill):
    folder, keys = drill
    assert told(folder)[1] == NOTHING
    has(folder, HOME, keys, "writer", places=list(range(len(keys))))
    has(folder, STANDBY, keys[:-2])
    verdict, found = told(folder)
    assert verdict["verdict"] == "passed", verdict["reason"]
    assert found == NOTHING | {"out_of_order_writes": 0}
    assert verdict["read_back_from"] == [
        {"region": HOME, "state": "writer", "found": len(keys), "lacking": 0},
        {"region": STANDBY, "state": "reader", "found": len(keys) - 2, "lacking": 2},
    ]
    page, _ = text(folder)
    assert "takes writes" in page
    assert "lacks 2 acknowledged writes" in page


def test_a_database_that_could_not_be_read_is_named(drill):
    folder, keys = drill
    has(folder, STANDBY, keys, "writer")
    away = {"check": CHECK, "source": HOME, "at": 45.0, "state": "away", "problem": "connection refused"}
    jsonl.append(folder / "found.jsonl", away)
    verdict, _ = told(folder)
    assert verdict["verdict"] == "passed", verdict["reason"]
    assert verdict["read_back_from"][1:] == [{"region": HOME, "state": "away", "problem": "connection refused"}]
    assert "us-east-1 could not be read: connection refused" in text(folder)[0]


def test_databases_that_differ_keep_a_drill_from_passing(drill):
    folder, keys = drill
    has(folder, HOME, keys[:-7], "writer")
    verdict, found = told(folder)
    assert found == NOTHING | {"divergent_writes": 7}
    assert verdict["verdict"] == "inconclusive"
    assert plain(verdict["reason"]) == "The database of us-east-1 and the service differ in 7 writes."
    page, terminal = text(folder)
    assert "in one database and not in another" in page
    assert "7 in one database and not in another" in terminal


def test_writes_that_are_there_twice_or_out_of_order_are_counted(drill):
    folder, keys = drill
    has(folder, HOME, [*keys, keys[3]], "writer", places=[*range(1, len(keys)), 0, 5])
    verdict, found = told(folder)
    assert found["duplicated_writes"] == 1
    assert found["out_of_order_writes"] > 0
    assert (verdict["verdict"], plain(verdict["reason"])) == ("inconclusive", "1 write was stored more than once.")


def test_a_lost_write_that_a_database_still_has_is_told(planted, tmp_path):
    folder = planted.plant(tmp_path, planted.SMALL)
    has(folder, HOME, [write.key for write in ledger.read(folder) if write.outcome is Outcome.OK])
    verdict, found = told(folder)
    assert (verdict["lost_writes"], found["divergent_writes"]) == (3, 3)
    page = text(folder)[0]
    assert "database still has 3 of them" in page
    assert "; still in us-east-1" in page
