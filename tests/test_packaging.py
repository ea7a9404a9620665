"""The layout that wheel, sdist, editable install and `chaos discover` all depend on."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import blackstart

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="an sdist holds real folders, not links")


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize("name", ["actions", "experiments", "hypotheses", "probes"])
def test_the_package_links_to_the_folder_at_the_top(name):
    link = ROOT / "src" / "blackstart" / name
    assert link.is_symlink()
    assert link.readlink() == Path("../..") / name
    assert link.resolve() == ROOT / name


def test_every_package_is_listed():
    source = ROOT / "src"
    links = [source / "blackstart" / name for name in ("actions", "hypotheses", "probes")]
    inits = [*source.rglob("__init__.py"), *(link / "__init__.py" for link in links)]
    found = {".".join(init.parent.relative_to(source).parts) for init in inits if "egg-info" not in str(init)}
    assert found == set(project()["tool"]["setuptools"]["packages"])


def test_every_dependency_says_why_it_is_there():
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    start = lines.index("dependencies = [")
    wanted = [line for line in lines[start + 1 : lines.index("]", start)] if line.strip()]
    assert wanted
    assert all("#" in line for line in wanted)


def test_no_module_is_loaded_under_a_second_name():
    blackstart.activity_modules()
    assert not {"actions", "probes", "hypotheses"} & set(sys.modules)


def test_every_activity_is_documented_typed_and_listed():
    for module in blackstart.activity_modules():
        assert module.__all__, module.__name__
        for name in module.__all__:
            function = getattr(module, name)
            assert function.__doc__, f"{module.__name__}.{name}"
            untyped = set(function.__code__.co_varnames[: function.__code__.co_argcount]) - set(
                function.__annotations__
            )
            assert not untyped, f"{module.__name__}.{name}: {untyped}"


def test_chaos_discover_lists_every_action_and_probe(tmp_path):
    target = tmp_path / "discovered.json"
    chaos = Path(sys.executable).parent / "chaos"
    subprocess.run(
        [
            chaos,
            "--no-version-check",
            "discover",
            "--no-install",
            "--discovery-path",
            target,
            "chaostoolkit-blackstart",
        ],
        check=True,
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
    )
    text = target.read_text()
    for module in blackstart.activity_modules():
        if ".hypotheses." not in module.__name__:
            for name in module.__all__:
                assert f'"name": "{name}"' in text, f"{module.__name__}.{name}"
