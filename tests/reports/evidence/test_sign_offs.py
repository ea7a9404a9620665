from datetime import UTC, datetime

import pytest

from blackstart.errors import ConfigInvalid
from blackstart.reports.evidence import sign_offs
from blackstart.reports.evidence.mapping import Drilled

GOOD = """\
sign-offs:
- role: head of platform engineering
  at: 2026-11-24T09:00:00Z
  statement: I have read the reports and accept what they show.
- role: owner of the orders service
  at: 2026-11-23T18:00:00+01:00
  statement: The order ledger was compared.
  drills: [d1]
"""
OVER = datetime(2026, 11, 23, 16, tzinfo=UTC)
DRILL = Drilled(folder="region-loss/20261123T140300Z", drill="d1", started=OVER, ended=OVER)


def written(tmp_path, text):
    path = tmp_path / "signed.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_they_are_kept_as_they_were_written(tmp_path):
    found = sign_offs.read(written(tmp_path, GOOD))
    assert found.data == GOOD.encode()
    assert [each.role for each in sign_offs.of(DRILL, [found])] == [
        "head of platform engineering",
        "owner of the orders service",
    ]
    other = Drilled(folder="zone-loss/1", drill="d2", started=OVER, ended=OVER)
    assert [each.role for each in sign_offs.of(other, [found])] == ["head of platform engineering"]


def test_one_made_before_the_drill_had_ended_does_not_count_and_is_named(tmp_path):
    found = sign_offs.read(written(tmp_path, GOOD))
    later = Drilled(folder="zone-loss/1", drill="d1", started=OVER, ended=datetime(2026, 11, 25, tzinfo=UTC))
    assert list(sign_offs.of(later, [found])) == []
    assert [each.role for each, _ in sign_offs.too_early([found], [later])] == ["owner of the orders service"]


def test_one_of_a_drill_that_is_not_there_is_refused(tmp_path):
    found = sign_offs.read(written(tmp_path, GOOD))
    sign_offs.refuse_unknown([found], [DRILL])
    with pytest.raises(ConfigInvalid, match=r"sign-offs\.1\.drills: no drill of the period is 'd1'"):
        sign_offs.refuse_unknown([found], [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sign-offs: [", "line 1, column 13: is not YAML"),
        ("sign-offs: []", "sign-offs: Tuple should have at least 1 item"),
        ("- role: x", "valid dictionary"),
        ("", "valid dictionary"),
        (GOOD.replace("T09:00:00Z", "T09:00:00"), "sign-offs.0.at: Input should have timezone"),
        (GOOD.replace("statement: The", "statment: The"), "sign-offs.1.statment: unknown key"),
        (GOOD.replace("head of platform engineering", "''"), "sign-offs.0.role"),
        (b"\xff\xfe\x00", "cannot be read"),
        ("sign-offs: !!python/object/apply:os.system ['true']", "is not YAML"),
        ("[" * 300, "is not YAML"),
        (b"#" * 1_000_001, "longer than 1,000,000 bytes"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_place(tmp_path, text, said):
    with pytest.raises(ConfigInvalid) as refused:
        sign_offs.read(written(tmp_path, text))
    assert said in str(refused.value)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigInvalid, match="No such file"):
        sign_offs.read(tmp_path / "none.yaml")
