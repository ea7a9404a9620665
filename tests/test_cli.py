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


@pytest.mark.parametrize("wrong", ['[scope]\nenvironment = "x"\nregoins = []\n', "[scope", "\x00"])
def test_a_configuration_that_cannot_be_used_is_one_sentence(tmp_path, wrong):
    path = tmp_path / "wrong.toml"
    path.write_text(wrong)
    done = told(tmp_path, "run", EXPERIMENT, BLACKSTART_CONFIG=str(path))
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert str(path) in done.stderr


def test_with_an_empty_undo_log_there_is_nothing_to_show_or_to_recover(tmp_path):
    assert told(tmp_path, "status").stdout.strip() == "no drill has changes in place"
    assert json.loads(told(tmp_path, "status", "--json").stdout) == []
    assert told(tmp_path, "recover").stdout.strip() == "nothing to put back"
    assert json.loads(told(tmp_path, "recover", "--json").stdout) == {"reports": [], "left_alone": {}}


def test_recovering_a_drill_that_nobody_knows_is_refused(tmp_path):
    done = told(tmp_path, "recover", "no-such-drill")
    assert done.returncode == 2
    assert "no such drill" in done.stderr


def test_a_folder_that_is_no_journal_cannot_be_reported(tmp_path):
    done = told(tmp_path, "report", tmp_path)
    assert done.returncode == 2
    assert "not the journal of a drill" in done.stderr
