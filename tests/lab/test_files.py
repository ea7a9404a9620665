"""What a lab writes for its users can be read by what reads it."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import yaml

from blackstart import settings
from blackstart.lab import files
from blackstart.lab.config import LabConfig
from blackstart.lab.manifests import OPT_IN
from blackstart.lab.monitoring import ALERT, AVAILABILITY, Telemetry
from blackstart.lab.topology import ACCOUNT, LOOPBACK, Topology, plan
from blackstart.scope import Target, objection


@pytest.fixture
def laid() -> Topology:
    numbers = itertools.count(20001)
    return plan(LabConfig(), (LOOPBACK, 20000), lambda host: next(numbers))


IDS = {"shop-us-east-1": "1-2-3", "shop-us-west-2": "4-5-6"}


@pytest.fixture
def written(laid: Topology, tmp_path: Path) -> Path:
    file = tmp_path / "blackstart.toml"
    file.write_text(files.settings(laid, tmp_path, IDS))
    return file


def test_the_settings_are_valid_and_name_the_lab(laid: Topology, written: Path, tmp_path: Path) -> None:
    found = settings.load(written)
    assert found.service.dns == f"127.0.0.1:{laid.dns[1]}"
    assert (found.service.home_region, found.service.standby_region) == ("us-east-1", "us-west-2")
    assert found.undo_log == f"sqlite://{tmp_path}/undo.sqlite"
    assert found.evidence.kube_context == "shop-us-west-2"


def test_monitoring_is_in_the_settings_where_it_runs(laid: Topology, written: Path, tmp_path: Path) -> None:
    assert not settings.load(written).monitoring.asks
    watching = Telemetry((LOOPBACK, 9090), (LOOPBACK, 9093))
    written.write_text(files.settings(laid, tmp_path, IDS, watching.settings()))
    found = settings.load(written).monitoring
    assert found.expected == ((ALERT, "alertmanager"), (ALERT, "prometheus"))
    assert found.availability == AVAILABILITY


def test_what_the_lab_holds_is_in_its_own_scope(written: Path) -> None:
    scope = settings.load(written).scope
    inside = Target("pod", "x", ACCOUNT, "us-east-1", "us-east-1a", "shop-us-east-1", "shop", OPT_IN)
    assert objection(scope, inside) is None
    assert objection(scope, Target("pod", "x", ACCOUNT, "eu-west-1", tags=OPT_IN)) is not None


def test_the_scope_tells_the_labs_clusters_from_all_others(written: Path) -> None:
    assert settings.load(written).scope.cluster_ids == IDS


def test_the_kubeconfig_has_a_context_for_each_cluster(laid: Topology) -> None:
    config = yaml.safe_load(files.kubeconfig(laid.regions()))
    assert [context["name"] for context in config["contexts"]] == ["shop-us-east-1", "shop-us-west-2"]
    assert config["clusters"][1]["cluster"]["server"] == f"http://127.0.0.1:{laid.standby.kube[1]}"
