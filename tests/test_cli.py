"""The command line where no lab is needed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import blackstart
from blackstart.runner import INCONCLUSIVE

EXPERIMENT = Path(blackstart.__file__).parent / "experiments" / "pod-kill.yaml"


def told(folder, *arguments, **environ):
    command = [sys.executable, "-m", "blackstart", *map(str, arguments)]
    clean = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "XDG_STATE_HOME": str(folder), **environ}
    done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr + done.stdout
    return done


def test_the_version_is_the_packages(tmp_path):
    assert told(tmp_path, "--version").stdout.strip() == blackstart.__version__


def test_without_a_configuration_nothing_runs_and_the_exit_code_says_so(tmp_path):
    done = told(tmp_path, "run", EXPERIMENT)
    assert done.returncode == INCONCLUSIVE
    assert "nothing may be touched" in done.stderr
    assert list(tmp_path.glob("journals")) == []


@pytest.mark.parametrize("command", ["plan", "permissions"])
def test_what_cannot_be_planned_is_one_sentence_and_exit_code_2(tmp_path, command):
    done = told(tmp_path, command, EXPERIMENT)
    assert done.returncode == 2
    assert "nothing may be touched" in done.stderr
    (tmp_path / "blackstart.toml").write_text(
        '[scope]\nenvironment = "x"\n[service]\nname = "x"\nhost = "x"\nport = 1\nhome_region = "x"\n'
    )
    done = told(tmp_path, command, tmp_path / "absent.yaml")
    assert done.returncode == 2
    assert "the experiment cannot be read" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_plan_that_would_be_refused_is_shown_and_exit_code_3(tmp_path):
    (tmp_path / "blackstart.toml").write_text(
        '[scope]\nenvironment = "x"\n[service]\nname = "x"\nhost = "x"\nport = 1\nhome_region = "x"\n'
    )
    experiment = EXPERIMENT.with_name("zone-network-loss.yaml")
    nobody = {"AWS_EC2_METADATA_DISABLED": "true"}
    done = told(tmp_path, "plan", experiment, "--json", "--seed", "5", **nobody)
    assert done.returncode == 3
    plan = json.loads(done.stdout)
    assert (plan["would_run"], plan["seed"], plan["faults"][0]["found"]) == (False, 5, False)
    done = told(tmp_path, "permissions", experiment, "--json", **nobody)
    assert done.returncode == 3
    assert "Unable to locate credentials" in json.loads(done.stdout)["missing"][0]
    assert "missing here" in done.stderr
    assert list(tmp_path.glob("**/undo.sqlite")) == []


@pytest.mark.parametrize("wrong", ['[scope]\nenvironment = "x"\nregoins = []\n', "[scope", "\x00"])
def test_a_configuration_that_cannot_be_used_is_one_sentence(tmp_path, wrong):
    path = tmp_path / "wrong.toml"
    path.write_text(wrong)
    done = told(tmp_path, "run", EXPERIMENT, BLACKSTART_CONFIG=str(path))
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert str(path) in done.stderr


WITHOUT_SCOPE = '[service]\nname = "orders"\nhost = "orders.shop.test"\nport = 80\nhome_region = "us-east-1"\n'


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [((), "scope: there is no such table, so nothing may be touched"), (("--scope", "gone.toml"), "gone.toml")],
)
@pytest.mark.parametrize("command", ["run", "plan"])
def test_without_a_scope_nothing_may_be_touched(tmp_path, command, arguments, problem):
    (tmp_path / "blackstart.toml").write_text(WITHOUT_SCOPE)
    done = told(tmp_path, command, EXPERIMENT, *arguments)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert problem in done.stderr
    assert list(tmp_path.glob("journals")) == []


def test_with_an_empty_undo_log_there_is_nothing_to_show_or_to_recover(tmp_path):
    assert told(tmp_path, "status").stdout.strip() == "no drill runs, and none has changes in place"
    assert json.loads(told(tmp_path, "status", "--json").stdout) == {"blocked": None, "drills": []}
    assert told(tmp_path, "recover").stdout.strip() == "nothing to put back"
    assert json.loads(told(tmp_path, "recover", "--json").stdout) == {"reports": [], "left_alone": {}, "residue": {}}


def test_an_undo_log_is_made_where_its_url_says(tmp_path):
    url = f"sqlite://{tmp_path}/team/undo.sqlite"
    for _ in range(2):
        assert told(tmp_path, "log", "create", url).stdout.strip() == f"{url} can be used, by this machine only"
    wrong = told(tmp_path, "log", "create", "dynamodb://somewhere")
    assert wrong.returncode == 2
    assert "write sqlite:///absolute/path or dynamodb://REGION/TABLE" in wrong.stderr


def test_recovering_a_drill_that_nobody_knows_is_refused(tmp_path):
    done = told(tmp_path, "recover", "no-such-drill")
    assert done.returncode == 2
    assert "no such drill" in done.stderr


def test_a_folder_that_is_no_journal_cannot_be_reported(tmp_path):
    done = told(tmp_path, "report", tmp_path)
    assert done.returncode == 2
    assert "not the journal of a drill" in done.stderr
