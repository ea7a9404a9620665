"""What the lab's Prometheus is told is what a real one understands."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from blackstart.lab import monitoring
from blackstart.lab.config import LabConfig
from blackstart.lab.topology import LOOPBACK


def test_what_prometheus_is_told_is_understood(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    rules = tmp_path / "rules.yml"
    rules.write_text(yaml.safe_dump(monitoring.rules()))
    told = monitoring.scraping(rules, [(LOOPBACK, 9901)], (LOOPBACK, 9093))
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(told))
    checked = subprocess.run(
        [promtool, "check", "config", str(tmp_path / "prometheus.yml")], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "1 rules found" in checked.stdout


def test_without_the_programs_a_lab_has_no_monitoring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert monitoring.programs() is None


def test_it_can_be_left_out() -> None:
    assert LabConfig().monitoring == "auto"
    assert LabConfig(monitoring="off").monitoring == "off"
