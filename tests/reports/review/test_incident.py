import json
import random
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from blackstart.errors import ConfigInvalid
from blackstart.reports.review import failures
from blackstart.reports.review.incident import Incident, checked, load, schema
from blackstart.reports.review.yaml_places import LARGEST, parse

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DOCS = Path(__file__).parents[3] / "docs"
EXAMPLE = DOCS / "incident.yaml"

WHOLE = """\
id: INC-1
title: Orders could not be placed
failure: database
started: 2026-11-20T02:13:00Z
"""


def read(text: str) -> Incident:
    return checked(parse(text, "incident.yaml"), NOW)


def refused(text: str) -> str:
    with pytest.raises(ConfigInvalid) as caught:
        read(text)
    return str(caught.value)


def test_the_example_is_an_incident():
    found = load(EXAMPLE, NOW)
    assert found.hurt_seconds == 48 * 60
    assert found.detected_seconds == 6.5 * 60
    assert found.data_loss.lost_writes == 212
    assert found.must_hold.model_dump(exclude_unset=True) == {"rto_seconds": 300, "lost_writes": 0}


def test_numbers_that_look_like_something_else_stay_what_they_are_for():
    assert read(WHOLE.replace("INC-1", "0412")).id == "0412"
    assert read(WHOLE.replace("02:13:00Z", "03:13:00+01:00")).started == datetime(2026, 11, 20, 2, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (WHOLE + "sympoms: [x]\n", "line 5, column 1, sympoms: unknown key"),
        (WHOLE + "data_loss: {lost_writes: many}\n", "line 5, column 26, data_loss.lost_writes: "),
        (WHOLE + "data_loss: {lost_writes: -1}\n", "line 5, column 26, data_loss.lost_writes: "),
        (WHOLE + "availability: 41\n", "line 5, column 15, availability: "),
        (WHOLE + "availability: .nan\n", "line 5, column 15, availability: "),
        (WHOLE + "actions:\n- what: x\n- at: noon\n  what: y\n", "line 7, column 7, actions.1.at: should be a time"),
        (WHOLE + "actions:\n- by: somebody\n", "line 6, column 3, actions.0.what: is missing"),
        (WHOLE + "must_hold: {rto_secs: 1}\n", "line 5, column 13, must_hold.rto_secs: unknown key"),
        (WHOLE + "must_hold: {rto_seconds: -1}\n", "line 5, column 26, must_hold.rto_seconds: should be a"),
        (WHOLE + "must_hold: {availability: 99}\n", "must_hold.availability: is a share"),
        (WHOLE + "must_hold: {lost_writes: 1.5}\n", "line 5, column 26, must_hold.lost_writes: "),
        (WHOLE + "recovered: 2026-11-20T02:12:00Z\n", "line 5, column 12, recovered: 2026-11-20T02:12:00.000Z is"),
        (WHOLE + "duration_seconds: 900\nrecovered: 2026-11-20T02:14:00Z\n", "column 19, duration_seconds: says"),
        (WHOLE + "recovered: 2027-11-20T02:12:00Z\n", "line 5, column 12, recovered: 2027-11-20T02:12:00.000Z has not"),
        (WHOLE.replace("02:13:00Z", "02:13:00"), "line 4, column 10, started: should be a time with its zone"),
        (WHOLE.replace("2026-11-20T02:13:00Z", "1700000000"), "line 4, column 10, started: should be a time with its"),
        (WHOLE.replace("11-20", "13-45"), "line 4, column 10, started: "),
        (WHOLE.replace("database", "databse"), "failure: should be a kind of failure; did you mean database? They are"),
        (WHOLE.replace("INC-1", "../../etc"), "line 1, column 5, id: "),
        (WHOLE.replace("id: INC-1\n", ""), "line 1, column 1, id: is missing"),
        (WHOLE + "title: again\n", "line 5, column 1: the key “title” stands here a second time"),
        (WHOLE + "symptoms: &a [x]\nsystems: *a\n", "line 5, column 11: anchors and aliases"),
        (WHOLE + "where: !!python/name:os.system x\n", "line 5, column 8: the tag "),
        (WHOLE + "? [a, b]\n: c\n", "line 5, column 3: a key has to be plain text"),
        (WHOLE + "symptoms: " + "[" * 40 + "]" * 40 + "\n", "nested more than 16 deep"),
        (WHOLE + "symptoms: [x\n", "line 6, column 1: not YAML: "),
        (WHOLE + "where: \x07\n", "line 5, column 8: not YAML: the character U+0007 is not allowed"),
        (WHOLE + "--- \nid: x\n", "not YAML: but found another document"),
        ("- a\n- b\n", "line 1, column 1: an incident is a mapping"),
        ("", "the file is empty"),
        ("~", "an incident is a mapping"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(text, told):
    sentence = refused(text)
    assert sentence.startswith("incident.yaml: ")
    assert told in sentence


def test_everything_that_is_wrong_is_told_at_once():
    told = refused("id: INC-1\nfailure: x\nstarted: y\nunknown: z\n")
    assert told.startswith(
        "incident.yaml: line 4, column 1, unknown: unknown key; also line 1, column 1, title: is miss"
    )
    assert "line 2, column 10, failure" in told
    assert "line 3, column 10, started" in told


@pytest.mark.parametrize("content", [b"id: \xff\n", b"x" * (LARGEST + 1)])
def test_a_file_that_is_no_text_or_far_too_large_is_refused(tmp_path, content):
    path = tmp_path / "incident.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigInvalid, match=r"line 1, column 5: not UTF-8|larger than 256 KiB"):
        load(path, NOW)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigInvalid, match="No such file"):
        load(tmp_path / "no.yaml", NOW)
    with pytest.raises(ConfigInvalid, match="directory"):
        load(tmp_path, NOW)


def test_the_schema_knows_the_kinds_and_every_key():
    found = json.loads(json.dumps(schema()))
    assert found["properties"]["failure"]["enum"] == list(failures.KINDS)
    assert set(found["required"]) == {"id", "title", "failure", "started"}
    assert found["additionalProperties"] is False


def test_the_page_about_reviews_lists_the_kinds_as_the_code_has_them():
    page = (DOCS / "review.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z-]+)`: [^|]+\| (.+) \|$", page, re.MULTILINE))
    assert list(rows) == list(failures.KINDS)
    for failure in failures.FAILURES:
        for way, names in failure.ways.items():
            assert f"`{way}` → {', '.join(names)}" in rows[failure.kind]
        if not failure.ways:
            assert rows[failure.kind] == f"none: {failure.instead}, in {failure.stand_in}"


def mutated(text: str, chance: random.Random) -> str:
    """``text`` with a few of the mishaps that befall files."""
    strange = [
        "\x00",
        "\ud7ff",
        "[",
        "}",
        ": ",
        "- ",
        "&a ",
        "*a",
        "!!",
        "|\n",
        "9" * 400,
        "\t",
        "'",
        "2026",
        "null",
        "<<: ",
    ]
    for _ in range(chance.randint(1, 4)):
        at, lines = chance.randrange(len(text) or 1), text.split("\n")
        match chance.randrange(6):
            case 0:
                text = text[:at]
            case 1:
                text = text[:at] + chance.choice(strange) + text[at:]
            case 2:
                text = text[:at] + chr(chance.randrange(1, 0xD7FF)) + text[at + 1 :]
            case 3:
                lines.pop(chance.randrange(len(lines)))
                text = "\n".join(lines)
            case 4:
                lines.insert(chance.randrange(len(lines)), chance.choice(lines))
                text = "\n".join(lines)
            case _:
                text = re.sub(r": .*", lambda found: f": {chance.choice(strange)}", text, count=chance.randint(1, 3))
    return text


def mutations(seeds: range) -> int:
    """How many mutated incidents of ``seeds`` are refused; all others are incidents."""
    example, refusals = EXAMPLE.read_text(encoding="utf-8"), 0
    for seed in seeds:
        told = ""
        try:
            assert isinstance(read(mutated(example, random.Random(seed))), Incident)
        except ConfigInvalid as error:
            told = str(error)
            refusals += 1
        assert not told or (told.startswith("incident.yaml: ") and "\n" not in told), (seed, told)
    return refusals


def test_mutated_incidents_are_refused_in_a_sentence_or_taken():
    assert 20 < mutations(range(60)) <= 60


@pytest.mark.sweep
def test_many_mutated_incidents_are_refused_in_a_sentence_or_taken():
    assert mutations(range(1000, 6000)) > 1000
