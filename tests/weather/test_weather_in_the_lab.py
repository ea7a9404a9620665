"""An experiment as it is, in a lab whose APIs it reaches through a storm."""

import os
from contextlib import ExitStack
from pathlib import Path

import pytest
import weather_proxy
import world
import yaml
from labs import Lab, experiment
from weather_proxy import Clear, Storm

from blackstart.clock import SystemClock
from blackstart.lab import launch
from blackstart.lab.status import environment

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
LONGER_THAN_CLIENTS_WAIT = 16.0


@pytest.fixture
def lab(tmp_path, request):
    if not request.config.getoption("--sweep"):
        pytest.skip("clients wait for real here, which takes minutes; run it with --sweep")
    config = tmp_path / "lab.toml"
    config.write_text("")
    launched = launch.launch(f"weather-{os.getpid()}", config, lambda words: None, stays=False)
    yield Lab(launched.status, tmp_path)
    launched.end(SystemClock())


@pytest.fixture
def proxies(lab):
    """In front of the AWS API and the home region's Kubernetes API, and the variables that lead through them."""
    direct = environment(lab.status)
    config = yaml.safe_load(Path(direct["KUBECONFIG"]).read_text())
    home = next(each["cluster"] for each in config["clusters"] if each["name"] == "shop-us-east-1")
    with ExitStack() as stack:
        aws, kube = (stack.enter_context(weather_proxy.running(LONGER_THAN_CLIENTS_WAIT, 2.0)) for _ in range(2))
        aws.lead_to(direct["AWS_ENDPOINT_URL"])
        kube.lead_to(home["server"])
        home["server"] = kube.url
        path = lab.folder / "kubeconfig"
        path.write_text(yaml.safe_dump(config))
        yield (aws, kube), {"AWS_ENDPOINT_URL": aws.url, "KUBECONFIG": str(path)}


@pytest.mark.parametrize("name", ["zone-network-loss", pytest.param("pod-kill", marks=pytest.mark.sweep)])
def test_an_experiment_in_a_storm_leaves_nothing(lab, proxies, name):
    (aws, kube), through = proxies
    before = world.dump(lab.environment())
    aws.sky, kube.sky = Storm(1), Storm(2)
    done = lab.end(lab.start("blackstart", "run", experiment(name), **through), seconds=500)
    aws.sky = kube.sky = Clear()
    assert done.journal, done.output
    assert done.verdict["leftovers"] == [], done.output
    assert aws.bad() | kube.bad()
    recovered = lab.run("blackstart", "recover")
    assert recovered.code == 0, recovered.output
    assert world.settled(lab.environment(), before) == before
