"""Build the wheel and run the core tests on it with the source out of reach. Run by ``make wheel``."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
CORE = [  # what stands on files that are no modules: templates, style sheets, frameworks, a dashboard, experiments
    "tests/reports/test_html.py",
    "tests/reports/test_history.py",
    "tests/reports/evidence/test_frameworks.py",
    "tests/reports/evidence/test_command.py",
    "tests/publish/test_metrics.py",
    "tests/web/test_pages.py",
    "tests/hypotheses",
    "tests/test_experiment.py",
    "tests/test_settings.py",
]


def build(folder: Path) -> Path:
    """A wheel made from what git tracks, so that a file nobody committed cannot help."""
    source = folder / "source"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    for name in tracked.decode().split("\0"):
        original = ROOT / name
        if name and (original.is_symlink() or original.exists()):
            target = source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(original, target, follow_symlinks=False)
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder / "dist"), str(source)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (wheel,) = (folder / "dist").glob("*.whl")
    shutil.rmtree(source)
    return wheel


def install(wheel: Path, folder: Path) -> Path:
    """A fresh environment that holds the wheel, and borrows only the dependencies of this one."""
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", str(wheel)], check=True)
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (site / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return python


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel = build(folder)
        python = install(wheel, folder)
        shutil.copytree(ROOT / "tests", folder / "tests")
        shutil.copy2(ROOT / "pyproject.toml", folder / "pyproject.toml")
        where = [python, "-c", "import blackstart; print(blackstart.__file__)"]
        found = subprocess.run(where, cwd=folder, check=True, capture_output=True, text=True).stdout
        if str(folder) not in found:
            raise SystemExit(f"the wheel is not what was imported: {found}")
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        arguments = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not in_a_browser", *CORE]
        subprocess.run(arguments, cwd=folder, check=True, env=environment)
        chaos = [
            python,
            "-m",
            "chaostoolkit",
            "--no-version-check",
            "discover",
            "--no-install",
            "chaostoolkit-blackstart",
        ]
        subprocess.run(chaos, cwd=folder, check=True, capture_output=True)
        print(f"{wheel.name}: core tests and discovery pass with the source out of reach")


if __name__ == "__main__":
    main()
