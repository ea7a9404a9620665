"""The metrics: read by other people's parsers; and the dashboard asks for nothing that is not written."""

import json
import re
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

sys.path += [str(Path(__file__).parent), str(Path(__file__).parent.parent / "monitoring")]
import planted
import real

from blackstart.publish import command, facts, metrics

DASHBOARD = json.loads(command.dashboard())
PANELS = DASHBOARD["panels"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]


def by_name(found):
    return {name: [each for each in found if each.name == name] for name in {each.name for each in found}}


def test_what_was_not_measured_is_left_out(tmp_path):
    told = facts.ended(planted.plant(tmp_path, planted.SMALL, fault_at=None, checked=False), "")
    found = by_name(metrics.samples(told))
    assert not {"recovery_time_seconds", "lost_writes", "fault_timestamp_seconds", "step_seconds"} & set(found)
    assert {each.labels["verdict"]: each.value for each in found["verdict"]} == {
        "passed": 0, "failed": 0, "inconclusive": 1,
    }  # fmt: skip
    unproven = [each for each in found["objective"] if each.labels["objective"] == "rto_seconds"]
    assert {each.labels["result"]: each.value for each in unproven} == {"met": 0, "missed": 0, "inconclusive": 1}


def test_a_step_that_nobody_saw_is_left_out(tmp_path):
    told = facts.ended(planted.plant(tmp_path, planted.SMALL, steps={"reroute": 5.2}), "")
    steps = [each.labels["step"] for each in metrics.samples(told) if each.name == "step_seconds"]
    assert "detect" not in steps
    assert steps


def test_every_number_is_the_verdicts(drill):
    found = by_name(metrics.samples(drill))
    assert found["recovery_time_seconds"][0].value == drill.outcome["rto_seconds"]
    assert found["lost_writes"][0].value == 3
    assert sum(each.value for each in found["step_seconds"]) == pytest.approx(drill.outcome["rto_seconds"])
    assert found["leftovers"][0].value == 0
    assert set(found) <= set(metrics.HELP)


def test_both_formats_of_prometheus_read_it(tmp_path):
    """Also with labels that hold what must be escaped."""
    classic = pytest.importorskip("prometheus_client.parser").text_string_to_metric_families
    modern = pytest.importorskip("prometheus_client.openmetrics.parser").text_string_to_metric_families
    hostile = 'a"b\\c\nd}{,='
    told = facts.ended(planted.plant(tmp_path, planted.SMALL, service=hostile), "")
    for parse in (classic, modern):
        read = list(parse(metrics.text(told)))
        assert {family.type for family in read} == {"gauge"}
        values = {
            (each.name, tuple(sorted(each.labels.items()))): each.value for family in read for each in family.samples
        }
        assert len(values) == len(metrics.samples(told))
        for sample in metrics.samples(told):
            labels = {**metrics.labels(told), **sample.labels}
            assert labels["service"] == hostile
            assert values[metrics.PREFIX + sample.name, tuple(sorted(labels.items()))] == sample.value


def test_the_dashboard_asks_for_nothing_that_is_not_written(drill):
    found = by_name(metrics.samples(drill))
    common = set(metrics.LABELS)
    assert QUERIES
    for query in QUERIES:
        for name, selector in re.findall(rf"{metrics.PREFIX}(\w+){{([^}}]*)}}", query):
            known = common | {label for each in found[name] for label in each.labels}
            assert set(re.findall(r"(\w+)[=!]", selector)) <= known, query
        asked = {label for group in re.findall(r"by \(([^)]*)\)", query) for label in group.split(", ")}
        named = re.findall(rf"{metrics.PREFIX}(\w+)", query)
        assert asked <= common | {label for name in named for each in found[name] for label in each.labels}, query
    variables = [each["definition"] for each in DASHBOARD["templating"]["list"] if each["type"] == "query"]
    for name, label in (
        re.fullmatch(rf"label_values\({metrics.PREFIX}(\w+), (\w+)\)", each).groups() for each in variables
    ):
        assert name in found
        assert label in common


def test_the_dashboard_fits_its_grid():
    """No two panels overlap, and each has an id of its own."""
    cells = [
        (x, y)
        for grid in (panel["gridPos"] for panel in PANELS)
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    (annotations,) = DASHBOARD["annotations"]["list"]
    assert annotations["target"]["tags"] == ["blackstart"]


@pytest.mark.sweep
def test_a_real_prometheus_has_an_answer_to_every_query_of_the_dashboard(server, drill, tmp_path):
    real.program("prometheus")
    lines = [line for line in metrics.text(drill).splitlines() if not line.startswith("#")]

    def answer(handler, number):
        body = ("\n".join(lines) + "\n").encode() if handler.path == "/metrics" else b"[]"
        handler.send_response(200)
        handler.send_header("Content-Type", "text/plain; version=0.0.4")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    server.answer = answer
    with real.prometheus(tmp_path, server.server_port, server.url) as url:
        for query in QUERIES:
            plain = query.replace("$experiment", ".*").replace("$environment", ".*")
            assert _values(url, plain), query


def _values(url, query):
    asked = f"{url}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    for _ in range(50):
        with urllib.request.urlopen(asked, timeout=5) as answer:
            if found := json.load(answer)["data"]["result"]:
                return found
        time.sleep(0.1)
    return []


DOCS = Path(__file__).parent.parent.parent / "docs" / "publish.md"


@pytest.mark.skipif(not DOCS.is_file(), reason="needs the source tree")
def test_every_metric_is_in_the_docs():
    text = DOCS.read_text(encoding="utf-8")
    assert [name for name in metrics.HELP if f"`{name}`" not in text] == []
