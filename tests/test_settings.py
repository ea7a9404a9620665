from pathlib import Path

import pytest

from blackstart.errors import ConfigInvalid
from blackstart.settings import current, find, load, scoped, undo_log

GOOD = """
[scope]
environment = "lab"
regions = ["us-east-1"]

[service]
name = "orders"
host = "orders.shop.test"
port = 8080
home_region = "us-east-1"
"""

WITHOUT = GOOD[GOOD.index("\n[service]") :]


def written(folder: Path, text: str) -> Path:
    path = folder / "blackstart.toml"
    path.write_text(text)
    return path


def test_a_short_file_is_enough_and_the_platforms_objectives_are_the_defaults(tmp_path):
    settings = load(written(tmp_path, GOOD))
    assert settings.service.host == "orders.shop.test"
    assert settings.objectives.rto_seconds == 3600
    assert settings.objectives.rpo_seconds == 900


@pytest.mark.parametrize(
    ("wrong", "where", "problem"),
    [
        (GOOD.replace("regions", "regoins"), "scope.regoins", "unknown key"),
        (GOOD.replace("8080", '"http"'), "service.port", "integer"),
        (GOOD.replace("8080", "0"), "service.port", "greater than 0"),
        (GOOD + "[objectives]\nrto_minutes = 5", "objectives.rto_minutes", "unknown key"),
        (GOOD.replace('host = "orders.shop.test"', ""), "service.host", "required"),
        ("[scope", "", "Expected"),
        (GOOD.replace("[scope]", "[other]"), "scope", "there is no such table, so nothing may be touched"),
        ("scope = 5" + WITHOUT, "scope", "valid dictionary"),
        (
            GOOD + '[[scope.windows]]\nstart = "10:00"\nend = "11:00"\ntimezone = "Mars"',
            "scope.windows.0.timezone",
            ": 'Mars' is no time zone",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence_that_names_the_key(tmp_path, wrong, where, problem):
    path = written(tmp_path, wrong)
    with pytest.raises(ConfigInvalid) as refused:
        load(path)
    assert refused.value.where == where
    assert problem in str(refused.value)
    assert "\n" not in str(refused.value)


def test_without_a_file_nothing_may_be_touched(tmp_path):
    with pytest.raises(ConfigInvalid, match="no scope and nothing may be touched"):
        find({}, tmp_path)


def test_a_named_file_that_is_missing_is_not_replaced_by_another(tmp_path):
    written(tmp_path, GOOD)
    with pytest.raises(ConfigInvalid, match="elsewhere"):
        current({"BLACKSTART_CONFIG": str(tmp_path / "elsewhere.toml")}, tmp_path)


def test_a_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "blackstart.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigInvalid):
        load(path)


SCOPE = 'environment = "production"\naccounts = ["123456789012"]\n'


@pytest.mark.parametrize("text", [SCOPE, f"[scope]\n{SCOPE}", f"[scope]\n{SCOPE}{WITHOUT}"])
@pytest.mark.parametrize("settings", [GOOD, WITHOUT])
def test_a_scope_in_a_file_of_its_own_stands_for_the_whole_table(tmp_path, settings, text):
    written(tmp_path, settings)
    (tmp_path / "mine.toml").write_text(text)
    found = current({"BLACKSTART_SCOPE": "mine.toml"}, tmp_path).scope
    assert (found.environment, found.accounts, found.regions) == ("production", ("123456789012",), ())


@pytest.mark.parametrize(
    ("text", "where", "problem"),
    [
        (SCOPE + "regoins = []", "regoins", "unknown key"),
        (f"[scope]\n{SCOPE}regoins = []", "regoins", "unknown key"),
        (f'forbidden_tags = ["gold"]\n[scope]\n{SCOPE}', "forbidden_tags", "unknown key beside"),
        ("", "environment", "required"),
        ("[scope", "", "Expected"),
        ("\0", "", "Invalid statement"),
    ],
)
def test_a_scope_file_that_cannot_be_used_is_refused_by_its_own_name(tmp_path, text, where, problem):
    written(tmp_path, GOOD)
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ConfigInvalid, match=problem) as refused:
        current({"BLACKSTART_SCOPE": str(path)}, tmp_path)
    assert (refused.value.path, refused.value.where) == (str(path), where)


def test_a_scope_file_that_is_missing_is_not_replaced_by_the_settings(tmp_path):
    written(tmp_path, GOOD)
    with pytest.raises(ConfigInvalid, match=r"gone\.toml"):
        current({"BLACKSTART_SCOPE": "gone.toml"}, tmp_path)


def test_the_scope_of_the_command_line_outranks_that_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert scoped({"BLACKSTART_SCOPE": "a"}, Path("b")) == {"BLACKSTART_SCOPE": str(tmp_path / "b")}
    assert scoped({"BLACKSTART_SCOPE": "a"}, None) == {"BLACKSTART_SCOPE": "a"}


def test_putting_back_needs_no_scope(tmp_path):
    assert undo_log({}, tmp_path) == ""
    written(tmp_path, 'undo_log = "sqlite:///var/undo.sqlite"\n' + WITHOUT)
    assert undo_log({}, tmp_path) == "sqlite:///var/undo.sqlite"


@pytest.mark.parametrize("text", ["undo_log = 5", "[scope"])
def test_an_undo_log_that_cannot_be_told_is_not_replaced_by_this_users(tmp_path, text):
    path = written(tmp_path, text)
    with pytest.raises(ConfigInvalid, match=str(path)):
        undo_log({}, tmp_path)
    with pytest.raises(ConfigInvalid, match="elsewhere"):
        undo_log({"BLACKSTART_CONFIG": str(tmp_path / "elsewhere.toml")}, tmp_path)
