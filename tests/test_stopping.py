"""`blackstart stop`, `block` and stop conditions, on a real `chaos run` whose fault is in moto."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

sys.path.append(str(Path(__file__).parent))
import moto_server

from blackstart.changes.clients import Clients

SETTINGS = """
undo_log = "sqlite://{folder}/undo.sqlite"
[scope]
environment = "test"
accounts = ["123456789012"]
required_tag = "blackstart"
[scope.stop]
every_seconds = 0.2
{conditions}
[service]
name = "orders"
host = "127.0.0.1"
port = 9
home_region = "us-east-1"
[observer]
timeout_seconds = 0.3
"""


@pytest.fixture(scope="module")
def moto(tmp_path_factory):
    with moto_server.running(tmp_path_factory.mktemp("moto")) as url:
        yield url


WAITING = """
import pathlib, time

def wait():
    time.sleep(60)

def swallow():
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        pass

def go_on():
    pathlib.Path("went-on").touch()
"""


class Team:
    """A folder with settings and an experiment that inverts a health check and then waits for a minute."""

    def __init__(self, folder: Path, url: str, clients: Clients) -> None:
        self.folder = folder
        (folder / "waiting.py").write_text(WAITING)
        own = {"BLACKSTART_CONFIG": str(folder / "blackstart.toml"), "PYTHONPATH": str(folder)}
        self.environ = {**os.environ, **moto_server.environ(url), **own}
        self.route53 = clients.aws("route53")
        config = {"Type": "HTTP", "FullyQualifiedDomainName": "orders.shop.test", "Port": 80}
        made = self.route53.create_health_check(CallerReference=str(folder), HealthCheckConfig=config)
        self.check = made["HealthCheck"]["Id"]
        self.route53.change_tags_for_resource(
            ResourceType="healthcheck", ResourceId=self.check, AddTags=[{"Key": "blackstart", "Value": "allowed"}]
        )
        self.settings()
        self.experiment = folder / "waiting.yaml"
        self.waits("wait")

    def waits(self, *names: str) -> None:
        self.experiment.write_text(yaml.safe_dump(self._experiment(names)))

    def settings(self, conditions: str = "") -> None:
        (self.folder / "blackstart.toml").write_text(SETTINGS.format(folder=self.folder, conditions=conditions))

    def _experiment(self, waits=("wait",)):
        def python(name, kind, module, func, **arguments):
            provider = {"type": "python", "module": module, "func": func, "arguments": arguments}
            return {"name": name, "type": kind, "provider": provider}

        return {
            "title": "A health check fails",
            "description": "and then nothing happens for a long time",
            "runtime": {"rollbacks": {"strategy": "always"}},
            "controls": [{"name": "blackstart", "provider": {"type": "python", "module": "blackstart.control"}}],
            "method": [
                python("fail", "action", "blackstart.actions.traffic", "fail_health_check", health_check=self.check),
                *(python(each, "probe", "waiting", each) for each in waits),
            ],
            "rollbacks": [python("back", "action", "blackstart.actions.recovery", "undo")],
        }

    @property
    def inverted(self) -> bool:
        found = self.route53.get_health_check(HealthCheckId=self.check)["HealthCheck"]
        return found["HealthCheckConfig"].get("Inverted", False)

    def blackstart(self, *arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "blackstart", *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environ, capture_output=True, text=True, timeout=100, check=False
        )
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        return done

    def start(self) -> subprocess.Popen:
        """A drill, once its fault is in."""
        command = [sys.executable, "-m", "chaostoolkit", "--no-version-check", "run", str(self.experiment)]
        with (self.folder / "output").open("wb") as output:
            drill = subprocess.Popen(command, cwd=self.folder, env=self.environ, stdout=output, stderr=output)
        self.wait_until(lambda: self.inverted or drill.poll() is not None)
        assert drill.poll() is None, (self.folder / "output").read_text()
        return drill

    def wait_until(self, condition) -> None:
        for _ in range(1200):
            if condition():
                return
            time.sleep(0.05)
        raise AssertionError((self.folder / "output").read_text())

    @property
    def journals(self) -> list[Path]:
        return sorted(self.folder.glob("journals/waiting/*"))

    def verdict(self) -> dict:
        (journal,) = self.journals
        return json.loads((journal / "verdict.json").read_text())


@pytest.fixture
def team(moto, tmp_path, monkeypatch):
    for name, value in moto_server.environ(moto).items():
        monkeypatch.setenv(name, value)
    clients = Clients()
    yield Team(tmp_path, moto, clients)
    clients.close()


def test_stop_ends_a_long_wait_undoes_and_the_verdict_says_who_did_it(team):
    drill = team.start()
    done = team.blackstart("stop", "--reason", "users complain")
    assert (done.returncode, team.inverted) == (0, False), done.stderr
    assert "1 changes read back as before the drill" in done.stdout
    assert drill.wait(60) == 1
    verdict = team.verdict()
    assert (verdict["verdict"], verdict["cut_off"], verdict["leftovers"]) == ("inconclusive", False, [])
    assert "The drill was stopped" in verdict["reason"]
    assert "ran `blackstart stop`: users complain" in verdict["reason"]
    assert json.loads(team.blackstart("status", "--json").stdout)["drills"] == []


@pytest.mark.parametrize("waits", [("swallow", "go_on"), ("swallow",)])
def test_an_interrupt_that_an_activity_swallows_ends_the_drill_all_the_same(team, waits):
    team.waits(*waits)
    drill = team.start()
    (journal,) = team.journals
    team.wait_until(lambda: "swallow" in (team.folder / "output").read_text())
    drill.send_signal(signal.SIGINT)
    assert drill.wait(60) == 1
    assert (team.inverted, (team.folder / "went-on").exists()) == (False, False)
    assert team.verdict()["verdict"] == "inconclusive"
    assert json.loads((journal / "journal.json").read_text())["status"] == "interrupted"


@pytest.mark.sweep
def test_a_stop_condition_of_the_scope_ends_the_drill(team):
    team.settings("availability = 0.99\nseconds = 3\n")
    drill = team.start()
    assert drill.wait(60) == 1
    assert not team.inverted
    verdict = team.verdict()
    assert verdict["verdict"] == "inconclusive"
    assert "the availability of users was below 99.00% for 3 s" in verdict["reason"]


@pytest.mark.sweep
def test_while_drills_are_blocked_none_begins_and_the_reason_is_told(team):
    assert team.blackstart("block", "release day").returncode == 0
    assert "release day" in team.blackstart("status").stdout
    done = team.blackstart("run", str(team.experiment))
    assert (done.returncode, team.journals) == (2, [])
    assert "blocked all drills" in done.stderr
    assert "release day" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    plain = [sys.executable, "-m", "chaostoolkit", "--no-version-check", "run", str(team.experiment)]
    done = subprocess.run(plain, cwd=team.folder, env=team.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "release day" in done.stdout + done.stderr
    assert (team.journals, team.inverted) == ([], False)
    assert team.blackstart("unblock").stdout.strip() == "drills may begin again"
    assert team.blackstart("unblock").stdout.strip() == "nothing was blocked"


def test_stop_with_block_ends_what_runs_and_keeps_others_from_beginning(team):
    drill = team.start()
    assert team.blackstart("stop", "--block", "--reason", "incident 7").returncode == 0
    drill.wait(60)
    assert not team.inverted
    assert team.blackstart("run", str(team.experiment)).returncode == 2


def test_a_conflict_exits_with_3_and_is_settled_by_hand(team):
    drill = team.start()
    change = _planned(team)
    team.route53.update_health_check(HealthCheckId=team.check, Disabled=True, Port=8080)
    team.route53.delete_health_check(HealthCheckId=team.check)
    done = team.blackstart("stop")
    assert done.returncode == 3
    assert f"blackstart recover --accept {change}" in done.stdout
    drill.wait(60)
    assert team.verdict()["exit_code"] == 3
    forced = team.blackstart("recover", "--force", change, "--yes")
    assert forced.returncode == 2
    assert "no longer exists" in forced.stderr
    assert "accepted by" in team.blackstart("recover", "--accept", change).stdout
    assert team.verdict()["leftovers"] == []


def _planned(team) -> str:
    (journal,) = team.journals
    return json.loads((journal / "changes.jsonl").read_text().splitlines()[0])["change"]
