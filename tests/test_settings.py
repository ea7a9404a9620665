from pathlib import Path

import pytest

from blackstart.errors import ConfigInvalid
from blackstart.settings import current, find, load

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
