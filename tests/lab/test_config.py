"""The lab's configuration file."""

from __future__ import annotations

from pathlib import Path

import pytest

from blackstart.errors import ConfigInvalid
from blackstart.lab.config import LabConfig, load


def test_without_a_file_every_key_has_its_default() -> None:
    config = load(None)
    assert config == LabConfig()
    assert config.home.zone_names() == ("us-east-1a", "us-east-1b", "us-east-1c")
    assert (config.home.on_demand, config.home.spot) == (3, 2)


def test_a_file_changes_only_what_it_names(tmp_path: Path) -> None:
    file = tmp_path / "lab.toml"
    file.write_text('wan_delay_seconds = 0.5\nreplication = "sync"\n[failover]\ndecide_seconds = 3\n')
    config = load(file)
    assert (config.wan_delay_seconds, config.replication, config.failover.decide_seconds) == (0.5, "sync", 3)
    assert config.home == LabConfig().home


@pytest.mark.parametrize(
    ("text", "where", "problem"),
    [
        ("wan_delay = 1\n", "wan_delay", "unknown key"),
        ("[failover]\npause = 1\n", "failover.pause", "unknown key"),
        ('wan_delay_seconds = "soon"\n', "wan_delay_seconds", "valid number"),
        ('replication = "maybe"\n', "replication", "'async' or 'sync'"),
        (
            '[home]\nregion = "us-east-1"\nzones = ["a"]\non_demand = 1\nspot = 0\nreplicas = 1\n',
            "home.zones",
            "letters",
        ),
        ('[home]\nregion = "us-west-2"\non_demand = 1\nspot = 0\nreplicas = 1\n', "", "two different regions"),
        ("not toml", "", "Expected"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_place(tmp_path: Path, text: str, where: str, problem: str) -> None:
    file = tmp_path / "lab.toml"
    file.write_text(text)
    with pytest.raises(ConfigInvalid, match=problem) as refusal:
        load(file)
    assert refusal.value.where == where
    assert str(file) in str(refusal.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="No such file"):
        load(tmp_path / "none.toml")
